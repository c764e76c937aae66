"""A progress bar on stderr."""

import sys
from collections.abc import Callable
from typing import Any


class ProgressBar:
    """tqdm's bar with a unit and numbers behind it; nearly silent where stderr is no terminal."""

    def __init__(self, total: int, label: str, unit: str, hidden: bool = False) -> None:
        from tqdm import tqdm

        # In a file or pipe, a line every half minute is enough.
        pause = 0.2 if sys.stderr.isatty() else 30.0
        self._at = 0
        self._bar: tqdm[Any] = tqdm(
            total=total, desc=label, unit=unit, mininterval=pause, file=sys.stderr,
            dynamic_ncols=True, disable=hidden,
        )  # fmt: skip

    def rename(self, label: str) -> None:
        """Say from now on what is being done."""
        self._bar.set_description(label, refresh=False)

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
