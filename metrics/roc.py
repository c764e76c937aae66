"""How well a number tells two groups apart: the ROC curve, its area, the best threshold.

What is larger than a threshold, or equal to it, is taken for a positive.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.statistics import Uncertainty, difference, share_interval

Values = NDArray[np.float64]

# The ratio of the variance of places in the other group to that of hits and misses, were nothing
# known: Hanley and McNeil's (1982) largest. By simulation, see docs/attribution.md.
_EXPECTED, _WEIGHT = 0.5, 2.0


def area(negatives: Values, positives: Values, axis: int = -1) -> Values:
    """Return the area under the ROC curve, from the rank sum (Mann and Whitney 1947).

    It is the share of pairs in which the positive is the larger one; ties count half.
    """
    from scipy.stats import rankdata

    n, m = negatives.shape[axis], positives.shape[axis]
    ranks = rankdata(np.concatenate([negatives, positives], axis=axis), axis=axis)
    of_positives = np.take(ranks, range(n, n + m), axis=axis).sum(axis=axis)
    return np.asarray((of_positives - m * (m + 1) / 2) / (n * m))


def area_uncertainty(negatives: Values, positives: Values) -> Uncertainty:
    """Return the uncertainty of the area under the ROC curve.

    The standard error is that of DeLong et al. 1988. The interval is Wilson's, of a share of so
    many as are as uncertain: it has a width where the groups do not overlap at all, stays between 0
    and 1, and follows what each group adds to the variance where their sizes or spreads differ.
    """
    found = _placed(negatives, positives)
    return Uncertainty(found.error(), *share_interval(found.area, found.effective()))


def area_difference(
    first: tuple[Values, Values],
    second: tuple[Values, Values],
    *,
    paired_negatives: bool = False,
    paired_positives: bool = False,
) -> tuple[float, Uncertainty]:
    """Return the second area minus the first, and what it is worth.

    Args:
        first: Negatives and positives. NaN stands where a value is missing.
        second: Those of the other area.
        paired_negatives: Whether the negatives are of the same things in the same order.
        paired_positives: Likewise.

    Returns:
        The difference, and its uncertainty: the standard error of DeLong et al. 1988, and the
        interval that follows from those of both areas and the correlation of their errors.
    """
    a, b = _placed(*first), _placed(*second)
    shared = 0.0
    if paired_negatives:
        shared += _covariance(a.negatives, b.negatives)
    if paired_positives:
        shared += _covariance(a.positives, b.positives)
    scale = math.sqrt(a.variance() * b.variance())
    correlation = min(max(shared / scale, -1.0), 1.0) if scale else 0.0
    after, before = ((one.area, *share_interval(one.area, one.effective())) for one in (b, a))
    value, low, high = difference(after, before, correlation)
    error = math.sqrt(max(a.error() ** 2 + b.error() ** 2 - 2 * shared, 0.0))
    return value, Uncertainty(error, low, high)


@dataclass(frozen=True)
class _Placed:
    """Where the values of each group stand among those of the other.

    Attributes:
        negatives: The share of positives that each is below [N]; NaN where it is missing.
        positives: The share of negatives that each is above [M], likewise. Ties count half.
    """

    negatives: Values
    positives: Values

    @property
    def area(self) -> float:
        """The area under the ROC curve."""
        return float(np.nanmean(self.positives))

    def error(self) -> float:
        """Return the standard error (DeLong et al. 1988); that of one value is not known."""
        if min(map(_count, self._groups())) < 2:
            return math.nan
        parts = (np.nanvar(each, ddof=1) / _count(each) for each in self._groups())
        return math.sqrt(sum(map(float, parts)))

    def variance(self) -> float:
        """Return the variance that the interval is made with."""
        return self.area * (1 - self.area) / self.effective()

    def effective(self) -> float:
        """Return how many hits and misses would leave as much doubt about their share.

        How much less the placements of a group vary than hits and misses is told by those values
        alone that overlap with the other group. It is averaged with a half, which counts as two
        such values: where few overlap or none, little is known of it.
        """
        whole, parts = self.area * (1 - self.area), 0.0
        for places in self._groups():
            n, overlapping = _count(places), min((places < 1).sum(), (places > 0).sum())
            ratio = np.nanvar(places, ddof=1) / whole if whole and n > 1 else 1.0
            known = ratio * overlapping + _EXPECTED * _WEIGHT
            parts += known / (overlapping + _WEIGHT) / n
        return float(1 / parts)

    def _groups(self) -> tuple[Values, Values]:
        return self.negatives, self.positives


def _placed(negatives: Values, positives: Values) -> _Placed:
    """Rank both groups together, and each on its own."""
    from scipy.stats import rankdata

    known = [np.isfinite(each) for each in (negatives, positives)]
    low, high = negatives[known[0]], positives[known[1]]
    ranks = np.split(rankdata(np.concatenate([low, high])), [len(low)])
    found = [np.full(len(each), math.nan) for each in known]
    found[0][known[0]] = 1 - (ranks[0] - rankdata(low)) / len(high)
    found[1][known[1]] = (ranks[1] - rankdata(high)) / len(low)
    return _Placed(*found)


def _covariance(a: Values, b: Values) -> float:
    """Return the covariance of two means whose values [N] belong together where both are known."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        return 0.0
    together = float(np.cov(a[both], b[both])[0, 1])
    return together * int(both.sum()) / (_count(a) * _count(b))


def _count(values: Values) -> int:
    return int(np.isfinite(values).sum())


def curve(negatives: Values, positives: Values) -> pd.DataFrame:
    """Return the points of the ROC curve: threshold, false_positive_rate, true_positive_rate.

    The first threshold is infinite.
    """
    from sklearn.metrics import roc_curve

    labels = np.repeat([0, 1], [len(negatives), len(positives)])
    values = np.concatenate([negatives, positives])
    false, true, thresholds = roc_curve(labels, values, drop_intermediate=False)
    return pd.DataFrame(
        {"threshold": thresholds, "false_positive_rate": false, "true_positive_rate": true}
    )


def best_threshold(negatives: Values, positives: Values) -> float:
    """Return the threshold with the largest true minus false positive rate (Youden 1950).

    It stands halfway between the values that it separates.
    """
    points = curve(negatives, positives).iloc[1:]  # without the infinite one
    gain = points["true_positive_rate"] - points["false_positive_rate"]
    best, last = int(gain.argmax()), len(points) - 1
    threshold, below = map(float, points["threshold"].iloc[[best, min(best + 1, last)]])
    middle = below + (threshold - below) / 2
    return middle if middle > below else threshold
