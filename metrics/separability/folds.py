"""Samples classified by planes that were fitted to other samples: cross-validation in folds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.numerics import Stream
from metrics.separability.svm import separate

# Each sample is classified by a plane of two thirds of the others. With five folds the plain score
# is nearer to the limit, but corrected ones are equally near, and cost twice as much.
FOLDS = 3


def folds_of(classes: NDArray[np.integer], seed: int = 0) -> NDArray[np.int64]:
    """Return the fold [N] of each sample: at random, with equal shares of each class.

    Args:
        classes: Class 0 or 1 of each sample [N].
        seed: Of the order.
    """
    order = np.random.default_rng([seed, Stream.SEPARABILITY_FOLDS]).permutation(len(classes))
    folds = np.empty(len(classes), dtype=np.int64)
    by_class = np.concatenate([order[classes[order] == value] for value in (0, 1)])
    folds[by_class] = np.arange(len(classes)) % FOLDS
    return folds


def held_out_outputs(
    latents: NDArray[Any], classes: NDArray[np.integer], *, dual: bool = False, seed: int = 0
) -> tuple[NDArray[np.int8], bool]:
    """Classify each fold by a plane fitted to the other folds, one plane after the other.

    Args:
        latents: The samples [N,D].
        classes: Class 0 or 1 of each [N].
        dual: See ``svm.separate``.
        seed: Of the folds, and of the dual solver.

    Returns:
        Class 0 or 1 of each sample [N], and whether the solver converged in all folds.
    """
    outputs, converged = np.array(classes, dtype=np.int8), True
    if outputs.size == 0 or outputs.min() == outputs.max():
        return outputs, converged
    folds = folds_of(classes, seed)
    for fold in range(FOLDS):
        held_out = folds == fold
        if not held_out.any() or held_out.all():  # fewer samples than folds
            continue
        fitted = separate(latents[~held_out], classes[~held_out], dual=dual, seed=seed)
        outputs[held_out] = fitted.classify(latents[held_out])
        converged = converged and fitted.converged
    return outputs, converged
