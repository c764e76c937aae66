"""What a command says on a terminal before it imports torch, which takes seconds."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

import click

from cli.text import plain_text, say

_SAID = "latentlab.first_words"  # in click's context: the file that they name


def with_first_words(command: click.Command) -> click.Command:
    """Let a command say what it opens as soon as its options are understood.

    A log does without: there, a command that is refused leaves its error alone.
    """
    work = command.callback
    if work is None or not _imports_torch(command):
        return command

    @functools.wraps(work)
    def speaking(*arguments: Any, **options: Any) -> Any:
        if sys.stderr.isatty() and os.environ.get("RANK", "0") == "0":
            ctx = click.get_current_context()
            file = ctx.meta[_SAID] = _file(ctx.params)
            say(f"Opening {plain_text(file)} ..." if file else "Starting ...")
        return work(*arguments, **options)

    command.callback = speaking
    return command


def is_said(file: str) -> bool:
    """Whether the first words have named a file already."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and ctx.meta.get(_SAID) == file


def _imports_torch(command: click.Command) -> bool:
    """Whether a command has anything to do with files: one is about the command line itself."""
    return command.name != "completion"


def _file(options: dict[str, Any]) -> str | None:
    """Return the checkpoint that a command opens first; None without one, or for a missing one."""
    several = options.get("checkpoints")
    found = options.get("checkpoint") or (several[0] if several else None)
    if not isinstance(found, str):
        return None
    on_disk = ":" in found or Path(found).exists()  # builtin:NAME, or an address
    return found if on_disk else None
