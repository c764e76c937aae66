"""What planes would leave open if they were fitted to any number of samples.

A plane classifies the samples that it was fitted to too well, and others worse than the best plane
would. In the sensitivity d' of signal detection (the z of hits plus the z of correct rejections,
Green and Swets 1966) both errors are equal to first order in D/n where the latents are Gaussian, as
the optimism of a fit and its excess error are (Efron 1986); so the best plane lies between, in the
geometric mean. Planes of K folds have n (K - 1) / K samples, and so K / (K - 1) of the excess.
A plane that errs nowhere on its own samples has no sensitivity to speak of; then the best plane is
taken to be more sensitive than held-out ones by a factor that holds wherever planes are like that.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.separability.entropy import conditional_entropy
from metrics.separability.folds import FOLDS

# Of the way from the fitted to the held-out sensitivity, on a logarithmic scale.
_WAY = (FOLDS - 1) / (2 * FOLDS - 1)
_NO_SENSITIVITY = 0.05  # what is below says nothing, and has no logarithm to speak of
_SAME = 1e-6  # bits

# The best plane's sensitivity, of that of held-out planes where fitted ones have no sample on the
# wrong side: 1.25 to 1.43 in simulations with 8 and 16 samples for each dimension, whatever the
# attribute, as with more samples only attributes are divided so that hardly need a fit.
_BETTER = 1.37

# How far the limit may be from where it is estimated, besides what another draw of the samples
# shows: shares of the gap between both entropies (benchmarks/separability/coverage.py). Another fit
# moves the estimate: a gap adds up what each of D dimensions gives, as chi-squared does, so that
# its deviation is a share that falls with the root of D. Higher orders of D/n put the estimate off.
# With few samples on the wrong side the factor above is in doubt: a share of the way to the fitted
# entropy, and one of the gap upwards.
_FIT, _DOUBT, _DOUBT_BELOW, _DOUBT_ABOVE = 1.2, 0.04, 0.6, 0.4
_FEW_WRONG, _FEW_WRONG_ABOVE = 4, 16  # samples, for which these doubts are half

# What is in doubt has causes of its own in each attribute, and some in common: with this
# correlation the doubts of attributes add up.
_COMMON = 0.1


class Limits(NamedTuple):
    """Where the limits of conditional entropies are.

    Attributes:
        weight: How far the limit lies from the fitted to the held-out entropy [M], 0 to 1.
        fit_error: Standard error that the fit has besides the samples, in bits [M].
        below: How far the limit may be below besides chance, in bits [M].
        above: How far it may be above, in bits [M].
    """

    weight: NDArray[np.float64]
    fit_error: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]


def limits(
    fitted: NDArray[np.int64], held_out: NDArray[np.int64], dimensions: int | NDArray[np.int64]
) -> Limits:
    """Say where the conditional entropy of the best plane is.

    Args:
        fitted: Joint counts [M,output,class] of samples by the plane that was fitted to them.
        held_out: Of the same samples by planes fitted to others.
        dimensions: Of the latents, one number or [M].
    """
    weight = _weight(fitted, held_out)
    gap = np.abs(conditional_entropy(held_out) - conditional_entropy(fitted))
    wrong = fitted[:, 1, 0] + fitted[:, 0, 1]
    unseen = _FEW_WRONG / (_FEW_WRONG + wrong)
    below = gap * (_DOUBT + unseen * _DOUBT_BELOW * np.maximum(weight - _DOUBT, 0))
    above = gap * (_DOUBT + _FEW_WRONG_ABOVE / (_FEW_WRONG_ABOVE + wrong) * _DOUBT_ABOVE)
    return Limits(weight, gap * _FIT / np.sqrt(dimensions), below, above)


def together(doubts: NDArray[np.float64]) -> float:
    """Return how far a sum of entropies may be off where each may be by its doubt [M]."""
    alike, apart = float(doubts.sum()) ** 2, float((doubts**2).sum())
    return math.sqrt(_COMMON * alike + (1 - _COMMON) * apart)


def _weight(fitted: NDArray[np.int64], held_out: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = fitted.sum(axis=1) / np.maximum(fitted.sum(axis=(1, 2)), 1)[:, None]  # of the classes
    wrong, wrong_held_out = _wrong(fitted), _wrong(held_out)
    z, z_held_out = _z(wrong), _z(wrong_held_out)
    d = np.maximum(z.sum(axis=1), _NO_SENSITIVITY)
    d_held_out = np.maximum(z_held_out.sum(axis=1), _NO_SENSITIVITY)
    unseen = 1 / (1 + fitted[:, 1, 0] + fitted[:, 0, 1])
    best = (d ** (1 - _WAY) * d_held_out**_WAY) ** (1 - unseen) * (_BETTER * d_held_out) ** unseen
    # Noise in a plane's direction costs each class in proportion to its own z.
    part = np.clip((z + z_held_out) / (d + d_held_out)[:, None], 0, 1)
    part /= np.maximum(part.sum(axis=1, keepdims=True), _NO_SENSITIVITY)
    wrong_best = _tail(z_held_out + (best - d_held_out)[:, None] * part)
    low, high = _entropy(shares, wrong) * (1 - unseen), _entropy(shares, wrong_held_out)
    there = np.where(np.abs(high - low) > _SAME, high - low, 1)
    found = (_entropy(shares, wrong_best) - low) / there
    known = (high - low > _SAME) & (d > d_held_out)
    return np.where(known, np.clip(found, 0, 1), _WAY)


def _wrong(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each class [M,2] on the wrong side, never 0 or 1 (Hautus 1995)."""
    wrong = np.stack([tables[:, 1, 0], tables[:, 0, 1]], axis=1)
    return np.asarray((wrong + 0.5) / (tables.sum(axis=1) + 1))


def _entropy(shares: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the conditional entropy [M] of classes with these shares on the wrong side."""
    right = shares * (1 - wrong)
    lost = shares * wrong
    rows = [[right[:, 0], lost[:, 1]], [lost[:, 0], right[:, 1]]]  # [output,class,M]
    return conditional_entropy(np.moveaxis(np.asarray(rows), 2, 0))


def _z(wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    return np.asarray(-ndtri(wrong))


def _tail(z: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtr

    return np.asarray(ndtr(-z))
