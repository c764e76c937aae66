"""The words of a command: the library's errors, in the options of the command that was called.

Nothing here imports torch: a usage error may come through here as well.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from latentlab import LatentlabError

# Parameters of commands that stand for an argument of the library, where their names differ. The
# first that a command has counts.
_PARAMETERS: Mapping[str, Sequence[str]] = {
    "c": ("label",),
    "class": ("label",),
    "config": ("config_name",),
    "images": ("pictures",),
    "masks": ("mask",),
    "metrics": ("chosen", "metrics"),
    "noise": ("noise", "noise_file", "noise_mode"),
    "output": ("output", "out"),
    "num_draws": ("draws",),
    "num_generated": ("generated",),
    "num_keep": ("keep",),
    "num_latents": ("samples",),
    "num_samples": ("samples",),
    "scores": ("score",),
    "source": ("data",),
    "spaces": ("space",),
    "start.noise": ("start",),
    "start.ws": ("start",),
    "truncation_psi": ("truncation_psi", "psis"),
}
_ARRAY = re.compile("w|z|noise_[0-9]+")  # in a file of latents or noise, and named as there
# What a command advises where it lacks the option that the library's advice is about.
_INSTEAD: Mapping[tuple[str, str], str] = {
    ("compare", "space"): "give --protocol ppl_zend or ppl_zfull, whose paths are in Z",
    ("ppl", "space"): "give --protocol ppl_zend or ppl_zfull, whose paths are in Z",
    ("fidelity", "resolution"): "give other pictures as --data",
    ("compare", "resolution"): "give other pictures as --data",
}


def told(error: "LatentlabError", command: click.Command | None = None) -> str:
    """Return an error in the options of a command; None takes the one that runs.

    An argument that the command has no option for is named without backticks, and advice about it
    is left out, or said in the command's own way. What a checkpoint is wrong in is in the file,
    and named as it is there.
    """
    from latentlab.errors import CheckpointError, SettingsError

    if command is None:
        context = click.get_current_context(silent=True)
        command = click.Command(None) if context is None else context.command
    of_file = isinstance(error, CheckpointError) and not isinstance(error, SettingsError)
    word = _plain if of_file else partial(_word, command)
    return error.written(word, partial(_advice, command))


def option_for(command: click.Command, argument: str) -> str | None:
    """Return what a command calls an argument of the library; None if it has no such option."""
    parameters = {parameter.name: parameter for parameter in command.params}
    for name in _PARAMETERS.get(argument, (argument,)):
        if name in parameters:
            found = parameters[name]
            if isinstance(found, click.Option):
                return max(found.opts, key=len)
            return (found.metavar or name.upper()).strip(".[]")
    return None


def _word(command: click.Command, argument: str) -> str:
    return option_for(command, argument) or _plain(argument)


def _plain(argument: str) -> str:
    return f"`{argument}`" if _ARRAY.fullmatch(argument) else argument


def _advice(command: click.Command, text: str, arguments: Sequence[str]) -> str | None:
    from latentlab.errors import in_words

    for argument in arguments:
        if option_for(command, argument) is None:
            return _INSTEAD.get((command.name or "", argument))
    return in_words(text, partial(_word, command))
