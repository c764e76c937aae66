"""The training log: means of the losses over equal spans of iterations."""

from pathlib import Path
from typing import Any

from latentlab.errors import OutputError
from latentlab.files import atomic_write

LOG_FILE = "log.csv"


class TrainingLog:
    """Rows of mean losses, one every ``span`` iterations, and the sums of the row in progress.

    The rows live in log.csv, the sums in each snapshot: together they continue a log exactly.
    """

    def __init__(self, span: int) -> None:
        self.span = span
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, list[float]] = {}
        self._seconds = 0.0
        self._images_before = 0  # at the start of the row in progress

    def add(
        self,
        step: int,
        images_seen: int,
        losses: dict[str, float],
        seconds: float,
        lod: float | None = None,
    ) -> bool:
        """Add one iteration; true if a row was completed.

        Args:
            step: Iterations done, including this one.
            images_seen: Images shown, including its own.
            losses: Its losses by name.
            seconds: How long it took.
            lod: What the networks had left to grow; None leaves the column out.
        """
        self._seconds += seconds
        for name, value in losses.items():
            total = self._sums.setdefault(name, [0.0, 0])
            total[0] += value
            total[1] += 1
        if step % self.span:
            return False
        rate = (images_seen - self._images_before) / max(self._seconds, 1e-9)
        grown = {} if lod is None else {"lod": lod}
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self.rows.append({"images": images_seen, "images_per_second": rate, **grown, **means})
        self._sums, self._seconds, self._images_before = {}, 0.0, images_seen
        return True

    def write(self, folder: Path) -> None:
        """Write all rows, whole; losses that were not due in a span are empty cells."""
        import pandas as pd

        with atomic_write(folder / LOG_FILE) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)

    def sums(self) -> dict[str, Any]:
        """Return the row in progress as plain data; floats survive JSON exactly."""
        return {
            "span": self.span,
            "sums": self._sums,
            "seconds": self._seconds,
            "images_before": self._images_before,
        }

    @classmethod
    def resume(cls, folder: Path, sums: dict[str, Any], images_seen: int) -> "TrainingLog":
        """Rebuild the log as it was after ``images_seen`` images; later rows are dropped.

        Raises:
            OutputError: If log.csv is there but cannot be read.
        """
        import pandas as pd

        log = cls(int(sums["span"]))
        log._sums, log._seconds = dict(sums["sums"]), float(sums["seconds"])
        log._images_before = int(sums["images_before"])
        path = folder / LOG_FILE
        if path.exists():
            try:
                rows = pd.read_csv(path)
                kept = rows[rows["images"] <= images_seen].to_dict("records")
            except (OSError, ValueError, KeyError) as error:
                raise OutputError(f"{path}: cannot be read ({error}); move it away") from error
            log.rows = [{str(k): v for k, v in row.items() if pd.notna(v)} for row in kept]
        return log
