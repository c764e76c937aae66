"""Which of several models is better on what: differences with their intervals.

Nothing is assumed of the outcome: as published, StyleGAN2 has shorter paths than StyleGAN1 and a
worse separability in W.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from metrics.result import UNCERTAINTY, MetricResult
from metrics.statistics import difference

NEITHER = "neither"  # where the interval of a difference holds zero

COLUMNS = (
    "metric", "protocol", "quantity", "model_a", "value_a", "model_b", "value_b",
    "difference", "ci_low", "ci_high", "significant", "better",
)  # fmt: skip


def compare(results: Mapping[str, Iterable[MetricResult]]) -> pd.DataFrame:
    """Compare models, pair by pair, on every quantity where less or more is better.

    Two models are compared on quantities that both have, measured by the same protocol. The
    difference is significant where its 95 % interval leaves out zero; of twenty such intervals,
    one is expected to do so by chance.

    Args:
        results: What was measured of each model, by its name.

    Returns:
        One row per quantity and pair, with COLUMNS: ``difference`` is b - a, ``better`` the name of
        the better model, or "neither". A difference whose interval is not known is missing both.
    """
    values = {
        model: dict(pair for result in mine for pair in quantities(result))
        for model, mine in results.items()
    }
    known = list(dict.fromkeys(key for mine in values.values() for key in mine))
    rows = [
        _row(key, a, values[a][key], b, values[b][key])
        for key in known
        for a, b in combinations(values, 2)
        if key in values[a] and key in values[b]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def quantities(result: MetricResult) -> Iterator[tuple[tuple[str, ...], pd.Series]]:
    """Yield (metric, protocol, quantity) and the row of each number that models compare by."""
    if "better" not in result.rows.columns:
        return
    labels = [
        name for name in result.rows.columns
        if name not in ("better", *UNCERTAINTY)
        and not pd.api.types.is_numeric_dtype(result.rows[name])
    ]  # fmt: skip
    for _, row in result.rows[result.rows["better"].notna()].iterrows():
        quantity = " ".join(str(row[name]) for name in labels if pd.notna(row[name]))
        protocol = str(result.settings.get("protocol", result.metric))
        yield (result.metric, protocol, quantity), row


def _row(
    key: tuple[str, ...], a: Hashable, row_a: pd.Series, b: Hashable, row_b: pd.Series
) -> dict[str, Any]:
    ends = [[float(row.get(name, float("nan"))) for name in ("value", *UNCERTAINTY[1:])]
            for row in (row_b, row_a)]  # fmt: skip
    change, low, high = difference(*map(tuple, ends))  # type: ignore[arg-type]
    significant = bool(low > 0 or high < 0)  # never where an interval is not known
    b_wins = (change < 0) == (row_b["better"] == "lower")
    return {
        **dict(zip(("metric", "protocol", "quantity"), key, strict=True)),
        "model_a": a, "value_a": row_a["value"], "model_b": b, "value_b": row_b["value"],
        "difference": change, "ci_low": low, "ci_high": high, "significant": significant,
        "better": (b if b_wins else a) if significant else NEITHER,
    }  # fmt: skip
