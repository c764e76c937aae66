"""The files that --classifier stands for: those of a folder or a pattern, in natural order.

Nothing here imports torch, and no file is opened: what is no classifier says so when it is.
"""

import os
import re
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

import click

from cli.text import counted, listed, plain_text, say

SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors")
_PREFIX = "builtin:"  # as latentlab.models.PREFIX, without torch
_NAMED = 5  # of the other files in a folder
_MOST = 10_000  # entries of a folder, or matches of a pattern
_DIGITS = re.compile("([0-9]+)")


def classifier_files(
    ctx: click.Context, parameter: click.Parameter, names: Sequence[str]
) -> tuple[str, ...]:
    """Replace folders and patterns by their files, as click's callback.

    A name that is a file's, a bundled one's or an address stays as it is, even if it is missing:
    opening it says so.

    Raises:
        BadParameter: If a folder holds no classifier, or a pattern matches no file.
    """
    return tuple(file for name in names for file in _files(name, ctx, parameter))


def _files(name: str, ctx: click.Context, parameter: click.Parameter) -> Iterator[str]:
    if name.startswith(_PREFIX) or "://" in name or not name:
        yield name
    elif os.path.isdir(name):
        yield from _in_folder(name, ctx, parameter)
    elif has_magic(name) and not os.path.lexists(name):
        found = [file for file in glob(name, recursive=True) if not os.path.isdir(file)]
        if not found:
            raise click.BadParameter(f"{plain_text(name)}: no file matches this pattern", ctx,
                                     parameter)  # fmt: skip
        yield from _in_order(found, name, ctx, parameter)
    else:
        yield name


def _in_folder(name: str, ctx: click.Context, parameter: click.Parameter) -> list[str]:
    """Return the classifiers in a folder by their suffixes, and name the other files in it."""
    try:
        entries = [each for each in os.scandir(name) if not each.name.startswith(".")]
    except OSError as error:
        text = f"{plain_text(name)}: cannot be listed ({error.strerror})"
        raise click.BadParameter(text, ctx, parameter) from error
    files = [each.name for each in entries if not each.is_dir()]
    found = [each for each in files if each.lower().endswith(SUFFIXES)]
    if not found:
        looked = f"no classifier in this folder (looked for {', '.join(SUFFIXES)})"
        raise click.BadParameter(f"{plain_text(name)}: {looked}", ctx, parameter)
    others = sorted({*files} - {*found})
    if others and os.environ.get("RANK", "0") == "0":  # torchrun's, of several processes
        more = [f"{len(others) - _NAMED:,} more"] if len(others) > _NAMED else []
        say(f"{plain_text(name)}: {counted(len(found), 'classifier')}; other files are left out: "
            f"{listed([*others[:_NAMED], *more])}.")  # fmt: skip
    return _in_order([str(Path(name) / each) for each in found], name, ctx, parameter)


def _in_order(
    files: Sequence[str], name: str, ctx: click.Context, parameter: click.Parameter
) -> list[str]:
    """Sort files so that 2 comes before 10."""
    if len(files) > _MOST:
        text = f"{plain_text(name)}: stands for {len(files):,} files, more than {_MOST:,}"
        raise click.BadParameter(text, ctx, parameter)
    return sorted(files, key=_natural)


def _natural(name: str) -> tuple[list[tuple[int, int | str]], str]:
    parts = [(0, int(part)) if part.isdigit() else (1, part) for part in _DIGITS.split(name)]
    return [part for part in parts if part[1] != ""], name
