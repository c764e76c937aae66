"""What a metric returns: tidy rows, with the facts needed to repeat them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from latentlab.errors import NumericalError


@dataclass(frozen=True)
class MetricResult:
    """Numbers of one metric on one generator.

    Attributes:
        metric: Name of the metric.
        rows: One row a number, with a column ``value``.
        settings: What decides the numbers: sample count, seed, protocol.
    """

    metric: str
    rows: pd.DataFrame
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        numbers = self.rows.select_dtypes("number")
        broken = [str(name) for name in numbers.columns if not numbers[name].map(_finite).all()]
        if broken:
            raise NumericalError(f"{self.metric}: {', '.join(broken)} holds NaN or infinity")

    def frame(self) -> pd.DataFrame:
        """Return the tidy rows: metric, the row's own columns, then the settings."""
        frame = self.rows.copy()
        frame.insert(0, "metric", self.metric)
        return frame.assign(**self.settings)


def _finite(value: float) -> bool:
    return bool(abs(value) < float("inf"))
