"""Commands that work in several processes: one of them speaks of an error."""

import functools
import os
from collections.abc import Callable
from typing import Any

import click

from cli.running.interrupt import unwind_on_sigterm
from cli.running.wording import told
from cli.text import say


def joined_processes(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command work with the other processes where torchrun started several.

    If one fails, it says so in a line that names it; the others end without a word, with its exit
    code. A command that exits with a code is not a failure: all wait for each other first.
    """

    @functools.wraps(command)
    def joined(**arguments: Any) -> None:
        if "WORLD_SIZE" not in os.environ:  # torchrun sets it; torch is not imported without need
            command(**arguments)
            return
        from latentlab import LatentlabError, distributed
        from latentlab.errors import StoppedElsewhere

        code = 0
        try:
            with unwind_on_sigterm(), distributed.joined():
                try:
                    command(**arguments)
                except click.exceptions.Exit as wanted:
                    code = wanted.exit_code
        except StoppedElsewhere as failure:
            code = failure.exit_code
        except LatentlabError as error:
            notes = getattr(error, "__notes__", [])
            say(f"Error: {told(error)}{''.join(f' ({note})' for note in notes)}")
            code = error.exit_code
        if code:
            raise click.exceptions.Exit(code)

    return joined
