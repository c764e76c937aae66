"""Ending long work in good order on Ctrl-C and SIGTERM."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from cli.text import say

_CONTINUING: Mapping[str, str] = {  # whose work is on disk whenever it is stopped
    "align": "The same command does what is left; what is finished is in the folder.",
    "demo": "The same command does what is left; projections begin again unless all are there.",
    "project": "The same command does what is left; what is finished is in the folder.",
    "train": "The same command continues from the last snapshot.",
}
_SIGNAL_EXIT = 128  # shells report 128 + the signal's number


class Terminated(SystemExit):
    """SIGTERM, unwinding the stack as Ctrl-C does; notes say what is kept, as on Ctrl-C."""


class StopRequest:
    """Whether a signal has asked the work to end, and the exit code that says so."""

    def __init__(self) -> None:
        self.exit_code = 0

    def __call__(self) -> bool:
        """Whether the work is to end."""
        return self.exit_code != 0


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; the second acts as it always does."""
    request = StopRequest()
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        request.exit_code = _SIGNAL_EXIT + number
        if os.environ.get("RANK", "0") == "0":  # torchrun's, where it started several processes
            say("Finishing the step and saving; once more to end at once.")
        for sign, handler in before.items():
            signal.signal(sign, handler)

    for sign in before:
        signal.signal(sign, ask)
    try:
        yield request
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def say_interrupted(error: BaseException, command: click.Command | None) -> None:
    """Say on Ctrl-C or SIGTERM whether the command continues, and where the results are.

    Whoever keeps what is finished says so in a note on the error. Where one of torchrun's
    processes fails, all get SIGTERM, and that one has said why.
    """
    if not (isinstance(error, Terminated) and "WORLD_SIZE" in os.environ):
        say(_interruption(error, command))


def _interruption(error: BaseException, command: click.Command | None) -> str:
    notes: Sequence[str] = getattr(error, "__notes__", ())
    if command is None:
        return "Interrupted."
    if (continuing := _CONTINUING.get(command.name or "")) is not None:
        return f"Interrupted. {continuing}"
    if notes:
        return f"Interrupted. {notes[0]}"
    again = ", with --overwrite if it has written files" * any(
        option.name == "overwrite" for option in command.params
    )
    return f"Interrupted. This command cannot continue: begin it again{again}."


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that work in hand is saved."""

    def unwind(number: int, _: FrameType | None) -> None:
        raise Terminated(_SIGNAL_EXIT + number)

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sigterm_waits() -> Iterator[None]:
    """Finish the block before SIGTERM acts; torchrun sends it to all where one process fails."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if came:
            signal.raise_signal(signal.SIGTERM)
