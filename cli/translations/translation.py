"""What to say of a command line that is one of NVIDIA's scripts.

Whoever has used those scripts types their names and options here. Such a line is answered with
the command that does the same, and with what has no counterpart; nothing is run by guess.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import click

from cli.options.measuring import PROTOCOL_NAMES
from cli.text import listed
from cli.translations.draft import CONFIGS, FALSE, TRUE, VIDEOS, Draft
from cli.translations.nvidia import (
    BARE,
    DEFAULTS,
    EQUIVARIANCE,
    EVERYWHERE,
    METRICS,
    OPTIONS,
    SCRIPTS,
    WITH_SUBCOMMANDS,
)

_NO_TOOL = (
    "There is nothing to prepare: `latentlab train --data` takes a folder or a zip, and its "
    "--resolution crops and resizes the pictures."
)
_PYTHON = ("python", "python3")  # copied with the line
_FIDELITY = re.compile(r"(fid|kid|pr)[0-9]+k[0-9]*(_full)?")


def translated(words: Sequence[str], commands: Mapping[str, click.Command]) -> str | None:
    """Return a sentence with the command that does what a script's command line asks for.

    Args:
        words: The line after ``latentlab``: a command, or a script, and its options.
        commands: Those that there are.

    Returns:
        The sentence; None if nothing in the line is a script's.
    """
    if words[0] in _PYTHON and len(words) > 1:
        words = words[1:]
    script, rest = _script_of(words)
    called_by_script = words[0] not in commands
    if called_by_script and script == "dataset_tool":
        return _NO_TOOL
    kind = SCRIPTS.get(script) if called_by_script else script
    if kind is None:
        return None
    draft, own = Draft(kind), commands.get(kind)
    foreign = _read(rest, draft, own)
    if not foreign and not called_by_script:
        return None
    if called_by_script:
        _add_defaults(draft, script)
    lines = _lines(draft, script, own)
    meant = f" Did you mean: {' && '.join(lines)}" if lines else ""
    notes = "; ".join(dict.fromkeys(draft.notes))
    if called_by_script:
        what = "That is a command line of NVIDIA's scripts."
    else:
        verb = "is an option" if len(foreign) == 1 else "are options"
        what = f"{listed(foreign)} {verb} of NVIDIA's scripts."
    return f"{what}{meant}{notes and f' ({notes})'}"


def _script_of(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return a script's name without suffix, or that of its subcommand, and what follows."""
    name = PurePosixPath(words[0]).name.removesuffix(".py")
    return (words[1], words[2:]) if name in WITH_SUBCOMMANDS and len(words) > 1 else (
        name, words[1:])  # fmt: skip


def _read(words: Sequence[str], draft: Draft, own: click.Command | None) -> list[str]:
    """Write a line's words into a draft; returns the options that are a script's alone."""
    rules = {**EVERYWHERE, **OPTIONS.get(draft.command, {}), **BARE}
    waiting, operands, foreign = list(words), list[str](), dict[str, None]()
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-"):
            operands.append(word)
            continue
        given, equals, value = word.partition("=")
        name = given.replace("_", "-")
        option = _option(own, name)
        if not equals and waiting and _takes(name, option, waiting[0]):
            value = waiting.pop(0)
        if name in rules and _is_theirs(name, value, option):
            rules[name](draft, value or TRUE[0])
            foreign[given] = None
        else:
            _take_ours(draft, name, value, option)
    if operands and draft.checkpoint is None and draft.command != "train":
        draft.checkpoint = operands.pop(0)
    draft.operands += operands
    return [*foreign]


def _option(own: click.Command | None, name: str) -> click.Option | None:
    options = [one for one in (own.params if own else []) if isinstance(one, click.Option)]
    return next((one for one in options if name in one.opts), None)


def _takes(name: str, option: click.Option | None, following: str) -> bool:
    """Whether what follows an option is its value."""
    if option is not None and option.is_flag:
        return following.lower() in (*TRUE, *FALSE)
    return name not in BARE and not following.startswith("--")


def _is_theirs(name: str, value: str, option: click.Option | None) -> bool:
    """Whether an option that a script has is none here, or means something else."""
    if option is None:
        return True
    if option.is_flag:
        return value != ""
    suffix = PurePosixPath(value).suffix
    return (name == "--output" and suffix in VIDEOS) or (name == "--config" and value in CONFIGS)


def _take_ours(draft: Draft, name: str, value: str, option: click.Option | None) -> None:
    if option is None:
        draft.notes.append(f"{name} has no counterpart")
    elif option.name == "output":
        draft.output = value
    elif option.multiple:
        draft.repeated += [max(option.opts, key=len), value]
    else:
        draft.options[max(option.opts, key=len)] = None if option.is_flag else value


def _add_defaults(draft: Draft, script: str) -> None:
    for name, value in DEFAULTS.get(script, {}).items():
        draft.options.setdefault(name, value)


def _lines(draft: Draft, script: str, own: click.Command | None) -> list[str]:
    """Return the lines of a draft, with what they cannot do without."""
    if draft.command == "train":
        draft.options.setdefault("--data", "DATA")
        if draft.ticks is not None:
            draft.options["--snapshot-kimg"] = f"{draft.ticks * draft.tick:g}"
            draft.notes.append(f"a tick is {draft.tick:g} kimg")
        return [draft.line()]
    draft.operands.insert(0, draft.checkpoint or "CKPT")
    if draft.command == METRICS:
        return _measured(draft)
    if script == "project-generated-images":
        return _generated_first(draft)
    if draft.command == "project" and len(draft.operands) == 1:
        draft.operands.append("PICTURE")
    if draft.command == "compare" and len(draft.operands) == 1:
        draft.operands.append("CKPT")
    if draft.command == "convert":
        name = PurePosixPath((draft.operands[1:] or ["model"])[0])
        draft.operands[1:] = [
            str(name.with_suffix(".pt" if script == "legacy" else ".safetensors"))
        ]
        if script == "legacy":  # which makes what their own code opens
            draft.options["--to"] = "nvidia-state"
    writes = any(parameter.name == "output" for parameter in (own.params if own else []))
    return [draft.line("out" if writes else None)]


def _generated_first(draft: Draft) -> list[str]:
    """Return the line that makes the pictures, and the one that projects them."""
    seeds = draft.options.pop("--seeds", None) or "0-2"
    psi = draft.options.pop("--truncation-psi", None)
    options: dict[str, str | None] = {"--seeds": seeds, "--noise-mode": "seed"}
    if psi is not None:
        options["--truncation-psi"] = psi
    pictures = Draft("generate", operands=list(draft.operands), options=options)
    draft.operands.append("generated/seed*.png")
    return [pictures.line("generated"), draft.line()]


def _measured(draft: Draft) -> list[str]:
    """Return a line for each of our commands that computes some of the metrics."""
    lines, of_fidelity = [], list[str]()
    for metric in draft.metrics or ["fid50k_full"]:
        if found := _FIDELITY.fullmatch(metric):
            of_fidelity.append({"pr": "prc"}.get(found[1], found[1]))
        elif metric in PROTOCOL_NAMES:
            path = Draft("ppl", operands=draft.operands, options={"--protocol": metric})
            lines.append(path.line("metrics/ppl"))
        elif metric in EQUIVARIANCE:
            line = Draft("equivariance", operands=draft.operands).line("metrics/equivariance")
            lines += [line] * (line not in lines)  # which measures all three
        elif metric == "ls":
            options: dict[str, str | None] = {"--classifier": "FILE"}
            planes = Draft("separability", operands=draft.operands, options=options)
            lines.append(planes.line("metrics/separability"))
        else:
            draft.notes.append(f"the metric {metric} has no counterpart")
    if of_fidelity:
        lines.insert(0, _fidelity(draft, of_fidelity))
    return lines


def _fidelity(draft: Draft, chosen: Sequence[str]) -> str:
    """Return the line of fidelity; the option for a metric is repeated in it."""
    options: dict[str, str | None] = {"--data": draft.options.get("--data") or "DATA"}
    line = Draft("fidelity", operands=list(draft.operands), options=options)
    for name in dict.fromkeys(chosen):
        line.operands += ["--metric", name]
    if "--mirror" in draft.options:
        line.options["--mirror"] = None
    return line.line("metrics/fidelity")
