"""The exit codes of commands that have done only part of what was asked for."""

from collections.abc import Sequence

import click

from cli.text import say_left_out

PARTLY_BAD = 4  # some pictures could not be used
DIVERGED = 5  # some losses became NaN or infinite


def leave(left_out: Sequence[str], code: int = PARTLY_BAD) -> None:
    """Say what was left out and why, and end the command with a code where anything was.

    Where processes work together, all end with it, and the main one says why.
    """
    from latentlab import distributed

    if distributed.is_main():
        say_left_out(left_out)
    if left_out:
        raise click.exceptions.Exit(code)
