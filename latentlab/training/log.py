"""The training log: means of the losses over equal spans of iterations."""

from pathlib import Path
from typing import Any

from latentlab.files import atomic_write


class TrainingLog:
    """Rows of mean losses, one every ``span`` iterations, and the sums of the row in progress."""

    def __init__(self, span: int) -> None:
        self.span = span
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, list[float]] = {}
        self._seconds = 0.0

    def add(self, step: int, images_seen: int, losses: dict[str, float], seconds: float) -> bool:
        """Add one iteration, ``step`` being the count including it; true if a row was completed."""
        self._seconds += seconds
        for name, value in losses.items():
            total = self._sums.setdefault(name, [0.0, 0])
            total[0] += value
            total[1] += 1
        if step % self.span:
            return False
        before = self.rows[-1]["images"] if self.rows else 0
        rate = (images_seen - before) / max(self._seconds, 1e-9)
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self.rows.append({"images": images_seen, "images_per_second": rate, **means})
        self._sums, self._seconds = {}, 0.0
        return True

    def write(self, path: Path) -> None:
        """Write all rows as CSV, whole; losses that were not due in a span are empty cells."""
        import pandas as pd

        with atomic_write(path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the log as plain data; floats survive JSON exactly."""
        return {
            "span": self.span,
            "rows": self.rows,
            "sums": self._sums,
            "seconds": self._seconds,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingLog":
        """Rebuild a log from plain data."""
        log = cls(int(values["span"]))
        log.rows, log._sums = list(values["rows"]), dict(values["sums"])
        log._seconds = float(values["seconds"])
        return log
