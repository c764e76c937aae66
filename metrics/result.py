"""What a metric returns: tidy rows with their uncertainty, and the facts needed to repeat them."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from latentlab.errors import NumericalError

# Of every row of a report, whatever the metric; what a metric cannot say stays empty.
UNCERTAINTY = ("standard_error", "ci_low", "ci_high")


@dataclass(frozen=True)
class MetricResult:
    """Numbers of one metric on one generator.

    Attributes:
        metric: Name of the metric.
        rows: One row per number, with a column ``value``, its ``standard_error`` and 95 % interval
            ``ci_low`` to ``ci_high`` where they are known, and columns that tell rows apart. The
            first row is the metric's headline. Where models can be compared by a row, ``better``
            says which is: "lower" or "higher".
        settings: What decides the numbers: protocol, sample count ``n``, seed, and so on.
        samples: What the numbers were made from, one row per sample (for droplets: per detection).
        seconds: How long the measurement took.
    """

    metric: str
    rows: pd.DataFrame
    settings: dict[str, Any]
    samples: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = math.nan

    def __post_init__(self) -> None:
        numbers = self.rows.select_dtypes("number")
        broken = [str(name) for name in numbers.columns if numbers[name].map(math.isinf).any()]
        broken += ["value"] if self.rows["value"].isna().any() else []
        if broken:
            raise NumericalError(f"{self.metric}: {', '.join(broken)} holds NaN or infinity")

    @property
    def value(self) -> float:
        """The headline number, that of the first row."""
        return float(self.rows["value"].iloc[0])

    @property
    def standard_error(self) -> float:
        """Standard error of ``value``; NaN where it is not known."""
        return self._headline("standard_error")

    @property
    def ci_low(self) -> float:
        """Lower end of the 95 % interval of ``value``; NaN where it is not known."""
        return self._headline("ci_low")

    @property
    def ci_high(self) -> float:
        """Upper end of the 95 % interval of ``value``; NaN where it is not known."""
        return self._headline("ci_high")

    def frame(self) -> pd.DataFrame:
        """Return the tidy rows, with the same columns for every metric around the metric's own.

        metric, protocol, the columns that tell rows apart, value, standard_error, ci_low, ci_high,
        what else a row says, n, seed, settings (all others, as JSON), seconds.
        """
        own = [name for name in self.rows.columns if name not in ("value", *UNCERTAINTY)]
        labels = [name for name in own if not pd.api.types.is_float_dtype(self.rows[name])]
        rest = [name for name in own if name not in labels]
        columns = [*labels, "value", *UNCERTAINTY, *rest]
        frame = self.rows.reindex(columns=columns).assign(**{
            name: self.rows.get(name, pd.Series(math.nan, self.rows.index)).astype(float)
            for name in UNCERTAINTY
        })  # fmt: skip
        others = {k: v for k, v in self.settings.items() if k not in ("protocol", "n", "seed")}
        text = json.dumps(others, sort_keys=True, default=str)
        frame.insert(0, "metric", self.metric)
        frame.insert(1, "protocol", self.settings.get("protocol", self.metric))
        n, seed = self.settings.get("n"), self.settings.get("seed")
        return frame.assign(n=n, seed=seed, settings=text, seconds=self.seconds)

    def _headline(self, column: str) -> float:
        return float(self.rows[column].iloc[0]) if column in self.rows.columns else math.nan
