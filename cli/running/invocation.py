"""The command line that is running, as a shell would take it, and the date, for what is written."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from cli.text import plain_text

PROGRAM = "latentlab"

_KEY = f"{__name__}.command"  # in what nested contexts of click share


def remember_command(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Keep the arguments of the command line that ``ctx`` is made for."""
    ctx.meta[_KEY] = plain_text(shlex.join([PROGRAM, *arguments]))


def current_command() -> str | None:
    """Return the command line, or None where no command is running: in a notebook, say."""
    ctx = click.get_current_context(silent=True)
    found: str | None = None if ctx is None else ctx.meta.get(_KEY)
    return found


def current_date() -> str:
    """Return the date and time in UTC as ISO 8601 has them: 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
