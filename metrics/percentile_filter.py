"""The mean without the lowest and the highest percent: its value, its bias, what it is worth.

The published filter keeps the percentiles themselves, so that of n distances it leaves out fewer
than one percent at either end: one of 200 where two would be. With a long tail its mean is then too
high on average, by 3 to 20 % at 200. The value stays as published; its interval is that of the mean
without exactly one percent, which counts a part of the last distance and has next to no such bias.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentlab.numerics import Stream
from metrics.statistics import CONFIDENCE, RESAMPLES, UNKNOWN, Uncertainty, finite_values

Values = NDArray[np.float64]

PERCENTILES = (1, 99)  # distances outside of these are left out of the mean, as published

_SHARE = PERCENTILES[0] / 100  # left out at either end, were they all there are
_AT_ONCE = 50  # resamples of which weights are drawn together; decides what is drawn


class Resampled(NamedTuple):
    """What both means would be of other distances.

    Attributes:
        published: The published mean of each resample [R].
        exact: That without exactly one percent at either end, likewise.
    """

    published: Values
    exact: Values


def filtered_mean(distances: ArrayLike) -> float:
    """Return the mean of the distances [N] between their 1st and 99th percentile, both included.

    As published, the percentiles are values that occur: the next lower and the next higher one.

    Raises:
        NumericalError: If a distance is not finite, or there is none.
    """
    found = _finite(distances)
    return float(found[_within(found)].mean())


def kept(distances: ArrayLike) -> NDArray[np.bool_]:
    """Return which of the distances [N] ``filtered_mean`` averages."""
    return _within(_finite(distances))


def left_out(count: int) -> int:
    """Return how many of so many distances, if they differ, the filter leaves out at each end."""
    return math.floor((count - 1) * _SHARE)


def exact_mean(distances: ArrayLike) -> float:
    """Return the mean of the distances [N] without exactly one percent at either end.

    The distance at which a percent ends counts in part, so that of 150 one and a half are left out.

    Raises:
        NumericalError: If a distance is not finite, or there is none.
    """
    found = np.sort(_finite(distances))
    return float(_trimmed(np.ones([1, len(found)]), found, (_SHARE,)).item())


def bias(distances: ArrayLike) -> float:
    """Estimate how much too high the published mean is, as a share of the exact one."""
    exact = exact_mean(distances)
    return filtered_mean(distances) / exact - 1 if exact else 0.0


def resample(distances: ArrayLike, seed: int) -> Resampled:
    """Weight the distances [N] at random, many times (the Bayesian bootstrap, Rubin 1981).

    A distance's weights depend on the seed and its number alone: those of two models that were
    measured with one seed vary together as far as their numbered distances do, also where one has
    more of them.
    """
    found = _finite(distances)
    n, order = len(found), np.argsort(found, kind="stable")
    middle = found[order[n // 2]]
    ordered = found[order] - middle  # so that equal distances have no spread at all
    shares = left_out(n) / n, _SHARE
    means = [
        _trimmed(np.ascontiguousarray(_weights(n, seed, part)[order].T), ordered, shares)
        for part in range(RESAMPLES // _AT_ONCE)
    ]
    published, exact = np.concatenate(means, axis=1) + middle
    return Resampled(published, exact)


def uncertainty(value: float, resampled: Resampled) -> Uncertainty:
    """Return the standard error of a published mean, and the interval of its limit.

    The limit is the mean between the percentiles of all distances that there could be. The interval
    holds the value as well, which differs from the exact mean by its bias.
    """
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(resampled.exact, tails)
    error = float((resampled.published - resampled.published[0]).std(ddof=1))
    return Uncertainty(error, min(float(low), value), max(float(high), value))


def spread(distances: ArrayLike, seed: int) -> Uncertainty:
    """Return the uncertainty of ``filtered_mean``; that of one distance is not known."""
    found = _finite(distances)
    if len(found) < 2:
        return UNKNOWN
    return uncertainty(filtered_mean(found), resample(found, seed))


def _finite(distances: ArrayLike) -> Values:
    return finite_values(distances, "path length: distance", "path length: there are no distances")


def _within(distances: Values) -> NDArray[np.bool_]:
    low, high = (
        np.percentile(distances, percent, method=method)  # type: ignore[call-overload]
        for percent, method in zip(PERCENTILES, ("lower", "higher"), strict=True)
    )
    return np.asarray((distances >= low) & (distances <= high))


def _weights(count: int, seed: int, part: int) -> Values:
    """Draw weights of mean 1 of some resamples [N,R]; those of fewer are the first rows."""
    rng = np.random.default_rng([seed, Stream.BOOTSTRAP, part])
    return rng.standard_exponential([count, _AT_ONCE])


def _trimmed(weights: Values, ordered: Values, shares: tuple[float, ...]) -> Values:
    """Return the weighted means of rising values [N] without a share of the weight at each end.

    The running sum of value times weight over the running sum of weight is a polygon; between two
    weights it rises by what lies between them.

    Args:
        weights: Of the values, for several means at once [R,N].
        ordered: The values.
        shares: What is left out at each end.

    Returns:
        The means of each share [S,R].
    """
    start = np.zeros([len(weights), 1])
    at = np.concatenate([start, np.cumsum(weights, axis=1)], axis=1)
    sums = np.concatenate([start, np.cumsum(weights * ordered, axis=1)], axis=1)
    ends = np.array([end for share in shares for end in (share, 1 - share)])
    found = [np.interp(ends * x[-1], x, y) for x, y in zip(at, sums, strict=True)]
    between = np.diff(ends.reshape(-1, 2), axis=1)[:, 0] * at[:, -1:]
    return np.asarray(np.diff(np.reshape(found, [-1, len(shares), 2]), axis=2)[..., 0] / between).T
