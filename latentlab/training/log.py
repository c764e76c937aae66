"""The training log: means of the losses over equal spans of iterations."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab import distributed
from latentlab.errors import OutputError, reason
from latentlab.files import atomic_write, set_aside
from latentlab.foreign_files.opening import open_regular

if TYPE_CHECKING:
    import pandas as pd

LOG_FILE = "log.csv"

_logger = logging.getLogger(__name__)


class TrainingLog:
    """Rows of mean losses, one every ``span`` iterations, and the sums of the row in progress.

    The rows live in log.csv, the sums in each snapshot: together they continue a log exactly. The
    file's last row is the one in progress, as far as it is, until the next writing.
    """

    def __init__(self, span: int) -> None:
        self.span = span
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, list[float]] = {}
        self._seconds = 0.0
        self._lod: float | None = None
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
        self._lod = lod
        for name, value in losses.items():
            total = self._sums.setdefault(name, [0.0, 0])
            total[0] += value
            total[1] += 1
        if step % self.span:
            return False
        self.rows.append(self._row(images_seen))
        self._sums, self._seconds, self._images_before = {}, 0.0, images_seen
        return True

    def _row(self, images_seen: int) -> dict[str, float]:
        rate = (images_seen - self._images_before) / max(self._seconds, 1e-9)
        grown = {} if self._lod is None else {"lod": self._lod}
        means = {name: total / count for name, (total, count) in self._sums.items()}
        return {"images": images_seen, "images_per_second": rate, **grown, **means}

    def write(self, folder: Path, images_seen: int) -> None:
        """Write all rows, if there are any, whole; losses not due in a span are empty cells.

        Args:
            folder: Of the run.
            images_seen: Images shown until now, which the row in progress ends with.
        """
        import pandas as pd

        rows = [*self.rows, self._row(images_seen)] if self._sums else self.rows
        if not rows:
            return
        with atomic_write(folder / LOG_FILE) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False)

    def sums(self) -> dict[str, Any]:
        """Return the row in progress as plain data; floats survive JSON exactly."""
        return {
            "span": self.span,
            "sums": self._sums,
            "seconds": self._seconds,
            "images_before": self._images_before,
        }

    @classmethod
    def resume(cls, folder: Path, sums: dict[str, Any]) -> "TrainingLog":
        """Rebuild the log as ``sums`` left it; later rows are dropped.

        A log.csv that cannot be read is set aside, and the rows until here are missing.

        Raises:
            KeyError, ValueError, TypeError, AttributeError: If ``sums`` are not such.
        """
        log = cls(int(sums["span"]))
        log._sums = {str(name): [float(total), int(count)] for name, (total, count)
                     in sums["sums"].items()}  # fmt: skip
        log._seconds, log._images_before = float(sums["seconds"]), int(sums["images_before"])
        rows = _kept(folder / LOG_FILE)
        if rows is not None:
            kept = rows[rows["images"] <= log._images_before].to_dict("records")
            names = [str(name) for name in rows.columns]
            log.rows = [{n: row[n] for n in names if row[n] == row[n]} for row in kept]  # no NaN
        return log


def _kept(path: Path) -> "pd.DataFrame | None":
    """Return the rows of a log; None where there is none, or none that can be read."""
    try:
        return read_log(path) if path.exists() else None
    except OutputError:
        if distributed.is_main():
            _logger.warning("%s is damaged, and set aside: the log begins anew", set_aside(path))
        return None


def read_log(path: Path) -> "pd.DataFrame":
    """Read a log, or another table of a run with one row for a number of images.

    Raises:
        OutputError: If it is no table with a column ``images``.
    """
    import pandas as pd

    try:
        with open_regular(path) as file:
            rows = pd.read_csv(file)
        rows["images"].astype(int)
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"{path}: cannot be read ({reason(error)}); move it away") from error
    return rows
