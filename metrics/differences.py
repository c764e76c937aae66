"""Which of several models is better on what: differences with their intervals.

Nothing is assumed of the outcome: as published, StyleGAN2 has shorter paths than StyleGAN1 and a
worse separability in W.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from metrics import attribution_difference, path_length
from metrics.comparability import on_common_ground, reasons_against
from metrics.result import MetricResult
from metrics.scheme import (
    DIFFERENCES,
    HIGHER,
    LOWER,
    NEITHER,
    TWO_TO_BITS,
    UNCERTAINTY,
    UNKNOWN,
    WITHHELD,
)
from metrics.separability import pairs
from metrics.statistics import Uncertainty, difference

_Own = Callable[[MetricResult, MetricResult, str], Uncertainty | None]

# What knows the uncertainty of b - a from the samples of both, by metric. Others are independent.
_OF_METRICS: Mapping[str, _Own] = MappingProxyType({
    "path_length": path_length.difference_of, "separability": pairs.uncertainty_of,
    "attribution": attribution_difference.uncertainty_of,
})  # fmt: skip


class Key(NamedTuple):
    """What two numbers must have in common to be compared."""

    metric: str
    protocol: str
    quantity: str


def compare(results: Mapping[str, Iterable[MetricResult]]) -> pd.DataFrame:
    """Compare models, pair by pair, on every quantity where less or more is better.

    Two models are compared on quantities that both have, measured by the same protocol. The
    difference is significant where its 95 % interval leaves out zero; of twenty such intervals,
    one is expected to do so by chance.

    Args:
        results: What was measured of each model, by its name.

    Returns:
        One row per quantity and pair, with ``metrics.scheme.DIFFERENCES``: ``difference`` is b - a,
        ``better`` the name of the better model, "neither" (the interval holds zero), "not known"
        (there is no interval) or "not comparable" (as ``note`` says).
    """
    values = {
        model: {key: (result, row) for result in mine for key, row in quantities(result)}
        for model, mine in on_common_ground(results).items()
    }
    known = list(dict.fromkeys(key for mine in values.values() for key in mine))
    rows = [
        _row(key, (a, b), values[a][key], values[b][key])
        for key in known
        for a, b in combinations(values, 2)
        if key in values[a] and key in values[b]
    ]
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def quantities(result: MetricResult) -> Iterator[tuple[Key, pd.Series]]:
    """Yield the key and the tidy row of each number that models compare by."""
    frame = result.frame()
    for _, row in frame[frame["better_when"].isin([LOWER, HIGHER])].iterrows():
        yield Key(row["metric"], row["protocol"], row["quantity"]), row


def described(result: MetricResult) -> Iterator[tuple[Key, pd.Series]]:
    """Yield the key and the tidy row of each score by which models are not compared.

    Planes that classify what they were fitted to flatter a model, and the more the fewer samples
    there are: of scores of separability, the cross-fitted ones are compared where there are any.
    """
    frame = result.frame()
    rows = frame[(frame["better_when"] == "") & (frame["unit"] == TWO_TO_BITS)]
    for _, row in rows.iterrows():
        yield Key(row["metric"], row["protocol"], row["quantity"]), row


def _row(
    key: Key,
    models: tuple[str, str],
    a: tuple[MetricResult, pd.Series],
    b: tuple[MetricResult, pd.Series],
) -> dict[str, Any]:
    (result_a, row_a), (result_b, row_b) = a, b
    change, spread = _difference(a, b, key.quantity)
    low, high = spread.ci_low, spread.ci_high
    against = " ".join(reasons_against(result_a, result_b, key.quantity))
    significant = not against and bool(low > 0 or high < 0)  # never without an interval
    b_wins = (change < 0) == (row_b["better_when"] == LOWER)
    if against:
        better = WITHHELD
    elif math.isnan(low) or math.isnan(high):
        better = UNKNOWN
    else:
        better = (models[1] if b_wins else models[0]) if significant else NEITHER
    return {
        "model_a": models[0], "model_b": models[1], **key._asdict(), "unit": row_a["unit"],
        "value_a": row_a["value"], "value_b": row_b["value"], "difference": change,
        **spread.columns(), "significant": significant, "better": better,
        "note": against or _notes(models, row_a, row_b),
    }  # fmt: skip


def _difference(
    a: tuple[MetricResult, pd.Series], b: tuple[MetricResult, pd.Series], quantity: str
) -> tuple[float, Uncertainty]:
    """Return b - a and its uncertainty, by the metric's own way where it has one."""
    (result_a, row_a), (result_b, row_b) = a, b
    change, low, high = difference(_interval(row_b), _interval(row_a))
    own = _OF_METRICS.get(result_a.metric)
    error = math.hypot(row_a["standard_error"], row_b["standard_error"])
    found = None if own is None else own(result_a, result_b, quantity)
    return change, Uncertainty(error, low, high) if found is None else found


def _interval(row: pd.Series) -> tuple[float, float, float]:
    value, low, high = (float(row[name]) for name in ("value", *UNCERTAINTY[1:]))
    return value, low, high


def _notes(models: tuple[str, str], a: pd.Series, b: pd.Series) -> str:
    """Join the cautions of both rows, each with its model, or once where both have the same."""
    if a["note"] == b["note"]:
        return str(a["note"])
    notes = zip(models, (a["note"], b["note"]), strict=True)
    return " ".join(f"{model}: {note}" for model, note in notes if note)
