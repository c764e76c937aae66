"""How unequal the scales of latents are, and whether that keeps planes from dividing them.

The penalty of the SVM is on the plane's coefficients, which are large where latents vary little. So
with few samples it keeps planes from such directions, whatever they say of the class. In whitened
latents all directions vary alike, and the penalty weighs on none of them in particular.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.separability.entropy import joint_tables
from metrics.separability.folds import held_out_outputs
from metrics.separability.svm import separate

# Deviations along principal axes from which solvers and penalties matter
# (benchmarks/separability/solvers.py: at 10 no difference is seen, at 30 one of 1 to 2 %).
UNEQUAL = 20.0
_LOOKED_AT = 20_000  # latents
_NOTHING = 1e-6  # of the largest deviation: such axes are of rounding alone


class Scales(NamedTuple):
    """The principal axes of latents.

    Attributes:
        ratio: Of the largest deviation along an axis to the smallest.
        mean: Of the latents [D].
        axes: Whitened latents are (latents - mean) @ axes, [D,D].
    """

    ratio: float
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]


def scales_of(latents: NDArray[Any]) -> Scales:
    """Measure the scales of latents [N,D] along their principal axes."""
    x = np.asarray(latents[:_LOOKED_AT], dtype=np.float64)
    mean = x.mean(axis=0)
    variances, axes = np.linalg.eigh((x - mean).T @ (x - mean) / max(len(x) - 1, 1))
    deviations = np.sqrt(np.maximum(variances, 0))
    least = max(deviations[-1] * _NOTHING, np.finfo(np.float64).tiny)
    deviations = np.maximum(deviations, least)
    known = len(x) > x.shape[1]  # fewer samples than axes leave some without any deviation
    return Scales(float(deviations[-1] / deviations[0]) if known else 1.0, mean, axes / deviations)


def whitened_tables(
    latents: NDArray[Any],
    classes: NDArray[np.integer],
    scales: Scales,
    *,
    dual: bool = False,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Divide whitened latents: joint counts [2,output,class] of fitted planes and held-out ones.

    Args:
        latents: The samples [N,D].
        classes: Class 0 or 1 of each [N].
        scales: Of the latents; where they do not differ by the factor ``UNEQUAL``, counts are 0.
        dual: See ``svm.separate``.
        seed: Of the folds, and of the dual solver.
    """
    if scales.ratio < UNEQUAL:
        return np.zeros([2, 2, 2], dtype=np.int64)
    kind = np.result_type(latents, np.float32)  # in float64 the published size takes twice as much
    white = (latents - scales.mean.astype(kind)) @ scales.axes.astype(kind)
    fitted = separate(white, classes, dual=dual, seed=seed).outputs
    held_out, _ = held_out_outputs(white, classes, dual=dual, seed=seed)
    return joint_tables(np.stack([2 * fitted + classes, 2 * held_out + classes]))
