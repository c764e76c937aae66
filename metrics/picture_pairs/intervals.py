"""Intervals of means over pictures, of few as of many.

The percentile bootstrap (Efron 1979) is too narrow where pictures are few: its tails are those of a
normal distribution, and its deviation that of n, not of n - 1. Both are made good by wider tails
(the expanded percentile interval of Hesterberg 2015, "What Teachers Should Know About the
Bootstrap", section 5.3): in place of 2.5 % those of which the normal quantile is
sqrt(n / (n - 1)) times Student's with n - 1 degrees of freedom.
"""

import math

import numpy as np
from numpy.typing import NDArray

from latentlab.numerics import Stream
from metrics.statistics import CONFIDENCE, Uncertainty

FEWEST = 6  # pictures: of fewer, all on one side of zero is nothing rare

_MOST, _LEAST = 10_000, 1000  # resamples, of few pictures and of many
_DRAWS = 10**7  # in all, that the number of resamples follows
_AT_ONCE = 2**22  # drawn values held in memory
_UNKNOWN = Uncertainty(math.nan, math.nan, math.nan)


def mean_uncertainty(values: NDArray[np.float64], seed: int) -> Uncertainty:
    """Return standard error and 95 % interval of the mean of values [N].

    They are NaN for fewer than 6 values, as no interval of so few is worth its name.
    """
    from scipy import stats

    n = len(values)
    if n < FEWEST:
        return _UNKNOWN
    rng = np.random.default_rng([seed, Stream.BOOTSTRAP])
    resamples = min(max(_DRAWS // n, _LEAST), _MOST)
    at_once = max(_AT_ONCE // n, 1)
    means = np.concatenate([
        values[rng.integers(n, size=(min(at_once, resamples - start), n))].mean(axis=1)
        for start in range(0, resamples, at_once)
    ])  # fmt: skip
    wider = math.sqrt(n / (n - 1)) * stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    tail = stats.norm.cdf(-wider)
    low, high = np.quantile(means, [tail, 1 - tail])
    error = values.std(ddof=1) / math.sqrt(n)
    return Uncertainty(float(error), float(low), float(high))
