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

_WEIGHTS_AT_ONCE = 2**23  # resampled weights held in memory


def entropy(probabilities: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    """Return the entropy in bits of probabilities along an axis; 0 log 0 is 0."""
    p = np.asarray(probabilities, dtype=np.float64)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(-(p * logs).sum(axis=axis))


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
    from scipy import sparse

    (tables, n), (table, sample) = cells.shape, np.nonzero(cells != LEFT_OUT)
    row = table * CELLS + cells[table, sample]
    ones = np.ones(len(row), dtype=np.float32)  # counts stay whole up to 2^24
    counted = sparse.csr_array((ones, (row, sample)), shape=(tables * CELLS, n))
    rng = np.random.default_rng([seed, Stream.BOOTSTRAP])
    at_once, parts = max(_WEIGHTS_AT_ONCE // n, 1), []
    for start in range(0, RESAMPLES, at_once):
        draws = [rng.integers(n, size=n) for _ in range(min(at_once, RESAMPLES - start))]
        weights = np.stack([np.bincount(d, minlength=n) for d in draws], axis=1)  # [N,R]
        counts = counted @ weights.astype(np.float32)  # [M*4,R]
        parts.append(conditional_entropy(counts.T.reshape(len(draws), tables, 2, 2)))
    return np.concatenate(parts)
