"""A progress bar on stderr; plain lines where stderr is a file, a pipe, or a dumb terminal."""

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from cli.text import one_line, say

if TYPE_CHECKING:
    from tqdm import tqdm

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]")
LEFT = "{left}"  # in the look of a bar: the time left, where there is any, and known
_LEFT = ", {remaining} left"
_LINE = f"{{desc}}: {{percentage:.0f}}% ({{n_fmt}} of {{total_fmt}}; {{elapsed}} gone{LEFT})"


class ProgressBar:
    """tqdm's bar with a unit and numbers behind it; where it cannot move, a line now and then."""

    def __init__(self, total: int, label: str, unit: str, hidden: bool = False) -> None:
        look: dict[str, Any] = (
            {"file": sys.stderr, "mininterval": 0.2, "dynamic_ncols": True} if can_move() else
            # In a file or pipe, a line every half minute is enough.
            {"file": Lines(), "mininterval": 30.0, "position": 0,
             "bar_format": f"{_LINE}{{postfix}}"}
        )  # fmt: skip
        self._at = 0
        self._bar = bar_with_time_left()(
            total=total, desc=one_line(label), unit=unit, disable=hidden, **look
        )

    def rename(self, label: str) -> None:
        """Say from now on what is being done."""
        self._bar.set_description_str(one_line(label), refresh=False)

    def advance(self, count: int = 1, **numbers: float) -> None:
        """Move on by ``count`` and show the numbers."""
        if numbers:
            self._bar.set_postfix({k: f"{v:.3g}" for k, v in numbers.items()}, refresh=False)
        self._bar.update(count)
        self._at += count

    def move_to(self, position: int, **numbers: float) -> None:
        """Move to an absolute position; the rate counts from the first one seen."""
        if self._at == 0:
            self._bar.initial = self._bar.n = self._bar.last_print_n = self._at = position
        self.advance(position - self._at, **numbers)

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class DistantBar(ProgressBar):
    """Tells another process, which shows the bar, of every step."""

    def __init__(self, tell: Callable[[dict[str, float]], None]) -> None:
        self._tell = tell

    def advance(self, count: int = 1, **numbers: float) -> None:
        """Tell of ``count`` steps, and the numbers after them."""
        for _ in range(count):
            self._tell(numbers)


@cache
def bar_with_time_left() -> "type[tqdm[Any]]":
    """Return tqdm's bar, which puts the time left in the place of LEFT, where there is any.

    tqdm is not imported before one is needed.
    """
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        @property
        def format_dict(self) -> Any:
            facts = dict(super().format_dict)
            known = facts["initial"] < facts["n"] < facts["total"] and facts["elapsed"] > 0
            look = (facts["bar_format"] or "").replace(LEFT, _LEFT if known else "")
            return facts | {"bar_format": look or None}

    return Bar


def can_move() -> bool:
    """Whether stderr is a terminal on which a bar can move."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Lines:
    """A file for tqdm: stderr gets each state of a bar once, as a whole line of plain text."""

    encoding = "ascii"  # in which tqdm draws

    def __init__(self) -> None:
        self._last = ""

    def write(self, text: str) -> None:
        """Write what a line is replaced with as a line, without what steers a terminal."""
        line = _STEERING.sub("", text).strip()
        if line and line != self._last:
            say(line)
            self._last = line

    def flush(self) -> None:
        """Nothing is kept back."""
