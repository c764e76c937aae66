"""What a metric returns: tidy rows with their uncertainty, and the facts needed to repeat them."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from latentlab.errors import NumericalError
from metrics.scheme import LEADING, TRAILING, UNCERTAINTY


class Caution(NamedTuple):
    """What there is to doubt about numbers.

    Attributes:
        text: One sentence.
        quantities: Of the rows that it belongs to; empty: of all.
        ranks: Whether models may still be ranked by these rows.
        void: Whether the values say nothing at all; ``frame`` leaves them out.
    """

    text: str
    quantities: tuple[str, ...] = ()
    ranks: bool = True
    void: bool = False


@dataclass(frozen=True)
class MetricResult:
    """Numbers of one metric on one generator.

    Attributes:
        metric: Name of the metric.
        rows: One row per number: ``quantity``, what it is called; ``unit``; ``value``, with its
            ``standard_error`` and 95 % interval ``ci_low`` to ``ci_high`` where they are known;
            columns of the metric's own; ``n`` where it is not that of the settings. The first row
            is the metric's headline. Where models can be ranked by a row, ``better_when`` says
            which is better: "lower" or "higher".
        settings: What decides the numbers: protocol, sample count ``n``, seed, and so on.
        samples: What the numbers were made from, one row per sample (for droplets: per detection).
        seconds: How long the measurement took.
        cautions: What there is to doubt about the numbers.
        replicates: What numbers of a part of the samples need: their resampled values, one row per
            resample and one column per row of ``samples``.
    """

    metric: str
    rows: pd.DataFrame
    settings: dict[str, Any]
    samples: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = math.nan
    cautions: tuple[Caution, ...] = ()
    replicates: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        plain = (Caution(*each) for each in self.cautions)  # those of a file are lists
        cautions = tuple(each._replace(quantities=tuple(each.quantities)) for each in plain)
        object.__setattr__(self, "cautions", cautions)
        numbers = self.rows.select_dtypes("number")
        broken = [str(name) for name in numbers.columns if numbers[name].map(_infinite).any()]
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

    @property
    def notes(self) -> list[str]:
        """The sentences of the cautions, each once."""
        return list(dict.fromkeys(caution.text for caution in self.cautions))

    def cautions_of(self, quantity: str) -> list[Caution]:
        """Return the cautions that belong to a row."""
        return [
            each for each in self.cautions if not each.quantities or quantity in each.quantities
        ]

    def frame(self) -> pd.DataFrame:
        """Return the tidy rows, with the same columns for every metric around the metric's own.

        ``metrics.scheme.LEADING``, what else a row says, ``metrics.scheme.TRAILING``: ``settings``
        are all but protocol, n and seed, as JSON. Whole numbers are Int64, as some may be missing
        beside other metrics. ``note`` joins the cautions of a row.
        """
        rows = self.rows.reset_index(drop=True)
        others = {k: v for k, v in self.settings.items() if k not in ("protocol", "n", "seed")}
        stated = {
            "metric": self.metric, "protocol": self.settings.get("protocol", self.metric),
            "quantity": self.metric.replace("_", " "), "unit": "", "better_when": "", "note": "",
            "n": self.settings.get("n"), "seed": self.settings.get("seed"),
            "settings": json.dumps(others, sort_keys=True, default=str), "seconds": self.seconds,
            **dict.fromkeys(UNCERTAINTY, math.nan),
        }  # fmt: skip
        own = [str(name) for name in rows.columns if name not in (*LEADING, *TRAILING)]
        columns = [*LEADING, *own, *TRAILING]
        missing = {name: stated[name] for name in columns if name not in rows.columns}
        frame = rows.assign(**missing)[columns]
        return _typed(self._noted(frame))

    def _noted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Write the cautions beside their rows, and leave out values that say nothing."""
        found = [self.cautions_of(quantity) for quantity in frame["quantity"]]
        notes = [
            " ".join(dict.fromkeys([*([note] if note else []), *(each.text for each in mine)]))
            for note, mine in zip(frame["note"].fillna(""), found, strict=True)
        ]
        void = np.array([any(each.void for each in mine) for mine in found], dtype=bool)
        numbers = frame[["value", *UNCERTAINTY]].astype(float)
        numbers.loc[void] = math.nan
        return frame.assign(note=notes, **numbers)

    def _headline(self, column: str) -> float:
        return float(self.rows[column].iloc[0]) if column in self.rows.columns else math.nan


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give whole numbers a type that may miss some, and words no missing ones."""
    whole = [name for name in frame.columns if pd.api.types.is_integer_dtype(frame[name])]
    whole += [name for name in ("n", "seed") if name not in whole]
    words = {name: frame[name].fillna("") for name in ("quantity", "unit", "better_when", "note")}
    return frame.assign(**words, **{name: frame[name].astype("Int64") for name in whole})


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)
