"""The progress of a training run: tenths of thousands of pictures, the time left, two losses."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.running.progress import LEFT, Lines, bar_with_time_left, can_move

if TYPE_CHECKING:
    from tqdm import tqdm

_PAUSE, _QUIET_PAUSE = 0.2, 30.0  # seconds between changes, in a terminal and in a file
_LONGEST = 10.0  # seconds without a change where steps are slow
_SHOWN = {"g_loss": "G", "d_loss": "D"}  # others are in the log
# What a narrow terminal cuts off comes last.
_TEXT = f"training: {{percentage:.1f}}%{{gauge}} {{place}}{LEFT}, {{speed:.4g}} img/s{{postfix}}"


class TrainingBar:
    """A bar in a terminal; in a file or pipe, a line now and then."""

    def __init__(self, total: int, hidden: bool = False) -> None:
        """Make a bar; it is shown once ``begin`` says where the run begins.

        Args:
            total: Pictures of the whole run.
            hidden: Show nothing.
        """
        self._total, self._hidden = total, hidden
        self._bar: tqdm[Any] | None = None

    def begin(self, images: int) -> None:
        """Show the bar at its beginning; the time left counts from there."""
        terminal = can_move()
        self._bar = _kimg_bar()(
            total=self._total, initial=images, disable=self._hidden, dynamic_ncols=terminal,
            file=sys.stderr if terminal else Lines(),
            mininterval=_PAUSE if terminal else _QUIET_PAUSE,
            maxinterval=_LONGEST if terminal else _QUIET_PAUSE,
            bar_format=_TEXT.replace("{gauge}", "|{bar}|" if terminal else ""),
        )  # fmt: skip

    def move_to(self, images: int, losses: Mapping[str, float]) -> None:
        """Move on, and show the losses."""
        if self._bar is None:
            return
        shown = (f"{short} {losses[name]:.3g}" for name, short in _SHOWN.items() if name in losses)
        self._bar.set_postfix_str(", ".join(shown), refresh=False)
        # The last step may go beyond the end, where tqdm knows no share.
        self._bar.update(min(images, self._total) - self._bar.n)

    def __enter__(self) -> "TrainingBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def in_kimg(images: int, total: int) -> str:
    """Write a place in a run: "640.3/25000.0 kimg"; of short runs all digits."""
    digits = 1 if total >= 1000 else 3
    return f"{images / 1000:.{digits}f}/{total / 1000:.{digits}f} kimg"


def _kimg_bar() -> "type[tqdm[Any]]":
    """Return tqdm's bar with two more numbers; it is not imported before one is needed."""

    class KimgBar(bar_with_time_left()):  # type: ignore[misc]
        @property
        def format_dict(self) -> Any:
            facts = dict(super().format_dict)
            rate = facts["rate"]
            if rate is None:
                rate = (facts["n"] - facts["initial"]) / max(facts["elapsed"], 1e-9)
            return facts | {"speed": rate, "place": in_kimg(facts["n"], facts["total"])}

    return KimgBar
