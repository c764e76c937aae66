"""Ending long work in good order on Ctrl-C and SIGTERM."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli.text import say

_SIGNAL_EXIT = 128  # shells report 128 + the signal's number


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


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that work in hand is saved."""

    def unwind(number: int, _: FrameType | None) -> None:
        raise SystemExit(_SIGNAL_EXIT + number)

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
