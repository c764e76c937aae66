"""Standard deviations over a number of draws, and what their mean is worth."""

import math

import numpy as np
from numpy.typing import NDArray

from metrics.statistics import Uncertainty, mean_uncertainty


class Spread:
    """Welford's running mean and sum of squared deviations, image by image, in float64.

    Image by image, so that neither batches nor rounding change the map.
    """

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, np.zeros(()), np.zeros(())

    def add(self, images: NDArray[np.float64]) -> None:
        """Take images [N,C,R,R] in."""
        for image in images:
            self._count += 1
            step = image - self._mean
            self._mean = self._mean + step / self._count
            self._squares = self._squares + step * (image - self._mean)

    def deviation(self) -> NDArray[np.float64]:
        """Return the standard deviation [C,R,R] from the unbiased variance."""
        return np.asarray(np.sqrt(self._squares / (self._count - 1)))


def drawn_share(draws: int) -> float:
    """Return what share of a deviation so many draws give on average, were they Gaussian.

    The root of an unbiased variance is biased (c4 of statistical quality control): 0.7979 of two
    draws, 0.9975 of 100.
    """
    return math.sqrt(2 / (draws - 1)) * math.exp(
        math.lgamma(draws / 2) - math.lgamma((draws - 1) / 2)
    )


def uncertainty(values: NDArray[np.float64], draws: int) -> Uncertainty:
    """Return the uncertainty of the mean deviation of latents [N], each of so many draws.

    The interval is that of the mean over all latents and infinitely many draws, where pixels follow
    the noise linearly; it holds the value as well.
    """
    found, value, share = mean_uncertainty(values, 0.0), float(values.mean()), drawn_share(draws)
    low, high = found.ci_low / share, found.ci_high / share
    return Uncertainty(found.standard_error, min(low, value), max(high, value))
