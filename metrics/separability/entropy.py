"""Conditional entropy of an attribute, from joint tables of an SVM's output and its class.

H(Y|X) = H(Y) - I(X;Y) in bits, X the side of the plane and Y the class (section 4.2, Karras et
al. 2019).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.numerics import Stream
from metrics.statistics import RESAMPLES

CELLS = 4  # of a joint table: 2 * output + class
LEFT_OUT = -1  # the cell of a sample that a table does not count

_WEIGHTS_AT_ONCE = 2**21  # resampled weights held in memory


def entropy(probabilities: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    """Return the entropy in bits of probabilities along an axis; 0 log 0 is 0."""
    p = np.asarray(probabilities, dtype=np.float64)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(0 - (p * logs).sum(axis=axis))  # 0, and not -0, of one class


def conditional_entropy(tables: NDArray[Any]) -> NDArray[np.float64]:
    """Return the entropy in bits of the class given the output.

    Args:
        tables: Joint counts or probabilities [...,output,class] of each attribute.
    """
    joint = np.asarray(tables, dtype=np.float64)
    joint = joint / np.maximum(joint.sum(axis=(-2, -1), keepdims=True), np.finfo(np.float64).tiny)
    of_output, of_class = entropy(joint.sum(axis=-1)), entropy(joint.sum(axis=-2))
    both = entropy(joint.reshape(*joint.shape[:-2], -1))
    information = of_class + of_output - both
    return np.asarray(np.maximum(of_class - information, 0))


def joint_tables(cells: NDArray[np.int8]) -> NDArray[np.int64]:
    """Count joint tables [M,output,class] from the cells [M,N] that samples fall into."""
    counts = np.stack([(cells == cell).sum(axis=1) for cell in range(CELLS)], axis=1)
    return counts.reshape(-1, 2, 2)


def resampled_entropies(cells: NDArray[np.int8], seed: int) -> NDArray[np.float64]:
    """Draw the samples again with replacement: conditional entropies [RESAMPLES,M].

    A sample that is drawn twice counts twice in every table, so that what attributes have in
    common stays. Planes are not fitted again.

    Args:
        cells: Cell of each of N samples in each of M tables [M,N], LEFT_OUT where not counted.
        seed: Of the resampling.
    """
    (tables, n), rng = cells.shape, np.random.default_rng([seed, Stream.BOOTSTRAP])
    width = max(_WEIGHTS_AT_ONCE // RESAMPLES, 1)
    parts = np.split(cells, range(width, n, width), axis=1)
    # How many of n draws fall into each part, and then where in it: n draws from all.
    shares = np.array([part.shape[1] for part in parts]) / n
    drawn = rng.multinomial(n, shares, size=RESAMPLES)  # [R,parts]
    counts = np.zeros([RESAMPLES, tables * CELLS])
    for part, falls in zip(parts, drawn.T, strict=True):
        size = part.shape[1]
        places = np.repeat(np.arange(RESAMPLES) * size, falls)
        places += rng.integers(size, size=len(places))
        weights = np.bincount(places, minlength=RESAMPLES * size).astype(np.float32)
        is_in = part[:, None] == np.arange(CELLS, dtype=np.int8)[:, None]  # [M,4,size]
        hits = is_in.reshape(-1, size).astype(np.float32)
        counts += weights.reshape(RESAMPLES, size) @ hits.T
    return conditional_entropy(counts.reshape(RESAMPLES, tables, 2, 2))
