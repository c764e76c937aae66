"""The command group; turns errors into one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click

from cli.commands.align import align
from cli.commands.card import card
from cli.commands.convert import convert
from cli.commands.convert_latents import convert_latents
from cli.commands.demo import demo
from cli.commands.directions import directions
from cli.commands.edit import edit
from cli.commands.generate import generate
from cli.commands.info import info
from cli.commands.interpolate import interpolate
from cli.commands.measuring.attribution import attribution
from cli.commands.measuring.compare import compare
from cli.commands.measuring.contributions import contributions
from cli.commands.measuring.droplets import droplets
from cli.commands.measuring.equivariance import equivariance
from cli.commands.measuring.fidelity import fidelity
from cli.commands.measuring.inversion_report import inversion_report
from cli.commands.measuring.noise import noise
from cli.commands.measuring.ppl import ppl
from cli.commands.measuring.reproduce import reproduce
from cli.commands.measuring.separability import separability
from cli.commands.measuring.spectrum import spectrum
from cli.commands.mix import mix
from cli.commands.paste_back import paste_back
from cli.commands.project import project
from cli.commands.train import train
from cli.commands.train_classifier import train_classifier
from cli.commands.tune import tune
from cli.completion import completion
from cli.first_words import with_first_words
from cli.garbage import spare_imports
from cli.options.option import in_words
from cli.options.shells import serve_shells
from cli.running.interrupt import Terminated, say_interrupted
from cli.running.invocation import PROGRAM, remember_command
from cli.running.wording import told
from cli.text import say, shown_line
from cli.translations.translation import translated

_INTERRUPTED, _BROKEN_PIPE, _TERMINATED = 130, 141, 143
_WORDS = "latentlab.words"  # where a context keeps the line after the program's name


class _Group(click.Group):
    """A group whose commands end with one line and an exit code, never with a traceback."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run a command line: that of the process, unless it is told another."""
        if args is None:  # the process is the command's own
            sys.excepthook = _say_unforeseen
            spare_imports()
        return super().main(args, *more, **extra)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args[:1] == ["help"]:  # as git and cargo have it
            args = [*args[1:2], "--help"]
        arguments = list(args)  # parsing takes them out
        with _on_one_line():
            ctx = super().make_context(info_name, args, parent, **extra)
        remember_command(ctx, arguments)
        return ctx

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Keep the line, so that an error can say what was meant by it."""
        ctx.meta[_WORDS] = list(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _on_one_line():
                return super().invoke(ctx)
        except click.UsageError as error:
            # What all of torchrun's processes find before they join is said by the main one; an
            # error with a note is that of one process.
            if os.environ.get("RANK", "0") != "0" and not hasattr(error, "__notes__"):
                ctx.exit(error.exit_code)
            if meant := translated(ctx.meta.get(_WORDS) or [""], self.commands):
                raise click.UsageError(meant, error.ctx or ctx) from error
            raise
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (KeyboardInterrupt, Terminated) as error:
            say_interrupted(error, self.commands.get(ctx.invoked_subcommand or ""))
            ctx.exit(_TERMINATED if isinstance(error, Terminated) else _INTERRUPTED)
        except BrokenPipeError:
            # The reader has gone: nobody is left to tell, and flushing would fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_BROKEN_PIPE)
        except Exception as error:
            from cli.running.accidents import told_as  # imports torch, if nothing else has

            found = told_as(error)
            if found is None:
                raise
            say(f"Error: {told(found, self.commands[ctx.invoked_subcommand or ''])}")
            ctx.exit(found.exit_code)


@contextmanager
def _on_one_line() -> Iterator[None]:
    """Keep what click says on its one line: it repeats names of files, as the shell gave them."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = shown_line(error.message)  # final only in name
        raise


def _say_unforeseen(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback, whose last lines may quote a file, without what steers a terminal."""
    for part in traceback.format_exception(kind, error, trace):
        for line in part.splitlines():
            say(line)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="latentlab", prog_name=PROGRAM)
def main() -> None:
    """Open trained StyleGANs, project photographs into them, measure, compare, train.

    CKPT is a checkpoint file, its address, or the name of a bundled or public model.
    Messages go to stderr, results to files or stdout.

    \b
    Examples:
      latentlab demo -o demo
      latentlab generate builtin:digits-stylegan2 --seeds 0-31 -o out
      latentlab mix builtin:digits-stylegan2 --rows 0-3 --cols 4-9 -o mix
      latentlab project model.safetensors photo.jpg -o out
      latentlab project model.safetensors photos --space w+ -o projections
      latentlab edit model.safetensors --projected-w projections \\
          --directions directions --direction pca0 -o edit
      latentlab ppl model.safetensors --html -o ppl
      latentlab compare stylegan1.pkl stylegan2.pkl -o versus
      latentlab train --data photos.zip --config stylegan2-f -o runs/photos
    """


for _command in (
    align, attribution, card, compare, completion, contributions, convert, convert_latents, demo,
    directions, droplets, edit, equivariance, fidelity, generate, info, interpolate,
    inversion_report, mix, noise, paste_back, ppl, project, reproduce, separability, spectrum,
    train, train_classifier, tune,
):  # fmt: skip
    main.add_command(with_first_words(in_words(_command)))
serve_shells()
