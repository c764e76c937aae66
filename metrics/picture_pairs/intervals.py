"""Intervals of means over pictures, and of the mean difference of two methods.

Measures of pictures have a long tail: a few pictures are far worse than most. The percentile
bootstrap then misses the mean far too often when pictures are few, and mostly from below. The
studentised bootstrap (Efron 1979; Hall 1992, "The Bootstrap and Edgeworth Expansion", section 1.3)
resamples how many standard errors a mean is off, and so follows the tail. Of few pictures it is a
little too narrow; so neither end is nearer than that of Student's interval.

Differences of two methods on the same pictures have tails on both sides, and are near symmetric
where the methods are alike. There Student's interval of the mean difference seldom leaves out zero
by chance, however heavy the tails, and the bootstrap alone does more often. benchmarks/
inversion_intervals.py prints what both cover.
"""

import math

import numpy as np
from numpy.typing import NDArray

from latentlab.numerics import Stream
from metrics.statistics import CONFIDENCE, Uncertainty

FEWEST = 6  # pictures: of fewer, all on one side of zero is nothing rare

_MOST, _LEAST = 5000, 1000  # resamples, of few pictures and of many
_DRAWS = 10**7  # in all, that the number of resamples follows
_AT_ONCE = 2**22  # drawn values held in memory
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
_UNKNOWN = Uncertainty(math.nan, math.nan, math.nan)


def mean_uncertainty(values: NDArray[np.float64], seed: int) -> Uncertainty:
    """Return standard error and 95 % studentised bootstrap interval of the mean of values [N].

    Neither end is nearer to the mean than that of Student's interval. They are NaN for fewer than 6
    values, as no interval of so few is worth its name.
    """
    n = len(values)
    if n < FEWEST:
        return _UNKNOWN
    mean, error = float(values.mean()), _standard_error(values)
    rng = np.random.default_rng([seed, Stream.BOOTSTRAP])
    resamples, at_once = min(max(_DRAWS // n, _LEAST), _MOST), max(_AT_ONCE // n, 1)
    ratios = []
    for start in range(0, resamples, at_once):
        drawn = values[rng.integers(n, size=(min(at_once, resamples - start), n))]
        errors = drawn.std(axis=1, ddof=1) / math.sqrt(n)
        spread = errors > 1e-9 * error  # some resamples of few are one value, over and over
        ratios.append((drawn.mean(axis=1)[spread] - mean) / errors[spread])
    found = np.concatenate(ratios)
    if len(found) == 0:
        return Uncertainty(error, mean, mean)
    low, high = np.quantile(found, _TAILS)
    least = difference_uncertainty(values)
    ends = mean - float(high) * error, mean - float(low) * error
    return Uncertainty(error, min(ends[0], least.ci_low), max(ends[1], least.ci_high))


def difference_uncertainty(differences: NDArray[np.float64]) -> Uncertainty:
    """Return standard error and Student's 95 % interval of the mean of differences [N].

    They are NaN for fewer than 6 values.
    """
    from scipy import stats

    n = len(differences)
    if n < FEWEST:
        return _UNKNOWN
    mean, error = float(differences.mean()), _standard_error(differences)
    reach = float(stats.t.ppf(_TAILS[1], n - 1)) * error
    return Uncertainty(error, mean - reach, mean + reach)


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))
