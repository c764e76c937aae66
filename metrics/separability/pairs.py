"""Differences of scores whose samples come from the same random numbers.

Latents of the same number are the same in both models, so that what chance does to one score it
does to the other in part. Draws with one seed take the same samples again in both, and so their
differences show what is left.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.result import MetricResult
from metrics.separability.common import counted
from metrics.separability.summary import TAILS, cross_fitted_in, score, score_in, split
from metrics.statistics import Uncertainty

_NUMBERED = "ls"  # the protocol whose samples have numbers; labels of someone have none
_THE_SAME = ("protocol", "n", "seed")


def uncertainty_of(a: MetricResult, b: MetricResult, quantity: str) -> Uncertainty | None:
    """Say what the score of b minus that of a is worth; None where they have no samples in common.

    Args:
        a: A result of linear separability, over its attributes or those of all models.
        b: Another one.
        quantity: Which score.
    """
    alike = all(a.settings.get(name) == b.settings.get(name) for name in _THE_SAME)
    if not alike or a.settings.get("protocol") != _NUMBERED:
        return None
    drawn, other = _draws(a, quantity), _draws(b, quantity)
    if drawn is None or other is None or len(drawn) != len(other):
        return None
    row, other_row = _row(a, quantity), _row(b, quantity)
    change, draws = float(other_row["value"] - row["value"]), other - drawn
    low, high = np.quantile(draws, TAILS)
    # What is in doubt besides chance, of each: the rest of its interval.
    below, above = _doubt(row, drawn)
    other_below, other_above = _doubt(other_row, other)
    return Uncertainty(
        float(draws.std(ddof=1)),
        change - math.hypot(max(change - low, 0), other_below, above),
        change + math.hypot(max(high - change, 0), other_above, below),
    )


def _row(result: MetricResult, quantity: str) -> "pd.Series[float]":
    return result.rows[result.rows["quantity"] == quantity].iloc[0]


def _draws(result: MetricResult, quantity: str) -> NDArray[np.float64] | None:
    """Return the score in all draws [R]; None where they are not known."""
    if not result.replicates.size or "space" not in result.samples:
        return None
    parts = split(result.replicates, len(result.samples))
    counts = counted(result).to_numpy()
    for space in result.samples["space"].unique():
        mine = counts & (result.samples["space"] == space).to_numpy()
        for name, draws in zip((score_in(space), cross_fitted_in(space)), parts, strict=True):
            if name == quantity and draws.shape[1] == len(mine) and mine.any():
                return np.asarray(score(draws.loc[:, mine]))
    return None


def _doubt(row: "pd.Series[float]", draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return what the ends of an interval have beyond those of the draws, as squares add."""
    value, (low, high) = float(row["value"]), np.quantile(draws, TAILS)
    below = (value - row["ci_low"]) ** 2 - max(value - low, 0) ** 2
    above = (row["ci_high"] - value) ** 2 - max(high - value, 0) ** 2
    return math.sqrt(max(below, 0)), math.sqrt(max(above, 0))
