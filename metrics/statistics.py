"""Uncertainty: bootstrap intervals, intervals of shares, and intervals of differences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from latentlab import NumericalError
from latentlab.numerics import Stream

CONFIDENCE = 0.95
RESAMPLES = 1000

_VALUES_AT_ONCE = 2**23  # resampled values held in memory
_STRAIGHT = 1e-6  # skewness of a mean, below which there is none to take away


@dataclass(frozen=True)
class Uncertainty:
    """Standard error of a number, and the ends of its 95 % interval."""

    standard_error: float
    ci_low: float
    ci_high: float

    def columns(self) -> dict[str, float]:
        """Return the columns of a row in a MetricResult."""
        return asdict(self)


UNKNOWN = Uncertainty(math.nan, math.nan, math.nan)


def finite_values(values: ArrayLike, what: str, none: str) -> NDArray[np.float64]:
    """Return distances [N] in float64.

    Args:
        values: The distances.
        what: What a message calls one of them.
        none: The message where there is none.

    Raises:
        NumericalError: If one is not finite, or there is none.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    found = np.asarray(values, dtype=np.float64).reshape(-1)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise NumericalError(f"{what} {bad[0]} is {found[bad[0]]}")
    if len(found) == 0:
        raise NumericalError(none)
    return found


def bootstrap(
    samples: Sequence[NDArray[Any]],
    statistic: Callable[..., NDArray[Any]],
    seed: int,
    paired: bool = False,
) -> Uncertainty:
    """Resample samples with replacement: standard error and percentile interval (Efron 1979).

    Args:
        samples: One array per sample; ``paired`` resamples them together.
        statistic: Takes as many arrays and ``axis``, as scipy.stats.bootstrap's.
        seed: Of the resampling.
        paired: Whether rows of the arrays belong together.
    """
    from scipy import stats

    if min(map(len, samples)) < 2:
        return UNKNOWN
    result = stats.bootstrap(
        tuple(samples),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(_VALUES_AT_ONCE // sum(map(len, samples)), 1),
        vectorized=True,
        paired=paired,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng([seed, Stream.BOOTSTRAP]),
    )
    interval = result.confidence_interval
    return Uncertainty(float(result.standard_error), float(interval.low), float(interval.high))


def mean_uncertainty(values: NDArray[np.float64], least: float = -math.inf) -> Uncertainty:
    """Return the uncertainty of the mean of a few values [N].

    Student's interval, after the transformation that takes the skewness of the mean away (Hall
    1992, "On the removal of skewness by transformation", section 3): of ten values it holds the
    true mean about as often as it says, where percentiles of a bootstrap are too narrow.

    Args:
        values: The values.
        least: The least that their mean can be.
    """
    from scipy.special import stdtrit

    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return UNKNOWN
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    if error == 0:
        return Uncertainty(0.0, mean, mean)
    skewness = float(np.mean((values - mean) ** 3)) / (error * math.sqrt(n)) ** 3
    reach = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    low, high = (mean - error * _unskewed(sign * reach, skewness, n) for sign in (1, -1))
    return Uncertainty(error, max(low, min(least, mean)), high)


def _unskewed(t: float, skewness: float, n: int) -> float:
    """Return the studentised mean that Hall's transformation takes to t."""
    slope = skewness / math.sqrt(n)
    if abs(slope) < _STRAIGHT:
        return t
    return 3 / slope * (math.cbrt(1 + slope * (t - slope / 6)) - 1)


def share_uncertainty(hits: int, total: int) -> Uncertainty:
    """Return the uncertainty of hits/total: Wilson's interval, which has a width at 0 hits."""
    share = hits / total
    return Uncertainty(math.sqrt(share * (1 - share) / total), *share_interval(share, total))


def share_interval(share: float, total: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of so many, which need be no whole number."""
    from scipy.special import ndtri

    squared = float(ndtri((1 + CONFIDENCE) / 2)) ** 2 / total
    middle = (share + squared / 2) / (1 + squared)
    half = math.sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference(
    a: tuple[float, float, float], b: tuple[float, float, float], correlation: float = 0.0
) -> tuple[float, float, float]:
    """Return a - b of two (value, ci_low, ci_high), with its interval.

    The interval is recovered from those of both (MOVER, Zou and Donner 2008; for shares, Newcombe
    1998, method 10), so that it follows their asymmetry. ``correlation`` is that of their errors
    (Zou 2007); without, they are independent.
    """
    (x, x_low, x_high), (y, y_low, y_high) = a, b
    low = x - y - _joined(x - x_low, y_high - y, correlation)
    high = x - y + _joined(x_high - x, y - y_low, correlation)
    return x - y, low, high


def _joined(a: float, b: float, correlation: float) -> float:
    """Return the reach of a difference, from the reaches of both."""
    return math.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0))


def bootstrap_rows(
    sums: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    seed: int,
) -> list[Uncertainty]:
    """Resample samples [N,...], and return the uncertainty of each number of a statistic.

    ``statistic`` takes means over samples [...], or a stack of them, and returns numbers [...,K]:
    what can be computed from sums needs no sample twice.
    """
    if len(sums) < 2:
        return [UNKNOWN] * statistic(sums.mean(axis=0)).shape[-1]
    n, rng = len(sums), np.random.default_rng([seed, Stream.BOOTSTRAP])
    flat, replicates = sums.reshape(n, -1), []
    at_once = max(_VALUES_AT_ONCE // n, 1)
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=count) / n  # [count,N]
        replicates.append(statistic((weights @ flat).reshape(count, *sums.shape[1:])))
    values = np.concatenate(replicates)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    columns = zip(values.std(axis=0, ddof=1), *np.quantile(values, tails, axis=0), strict=True)
    return [Uncertainty(*map(float, column)) for column in columns]
