"""The planes of all attributes in all spaces, and on which side of them samples are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.sampling import Arrays, Finished, Progress, in_batches, shifted
from metrics.separability.attributes import most_confident, targets
from metrics.separability.entropy import LEFT_OUT
from metrics.separability.folds import held_out_outputs
from metrics.separability.scales import Scales, scales_of, whitened_tables
from metrics.separability.svm import separate

OK, ONE_CLASS = "ok", "one class"  # an attribute's status

# Planes are kept beside batches of samples, whose numbers are below; those of more samples are
# other planes. What planes of other folds say has numbers of its own above them: not those of
# versions that did not look at whitened latents.
_NUMBER_BITS = 32
_HELD_OUT = 2**31 + 2**30


@dataclass(frozen=True)
class Planes:
    """On which side of a plane samples are, for each attribute of each space in turn.

    Attributes:
        spaces: Their names.
        cells: 2 * output + class of N samples [spaces*attributes,N], LEFT_OUT if not kept.
        held_out: The same where the output is that of a plane fitted to other samples.
        converged: Whether the solver did [spaces*attributes].
        folds_converged: Whether it did for the planes fitted to other samples.
        iterations: Of the solver [spaces*attributes].
        scales: Ratio of the largest deviation of the space's latents to the smallest, along
            principal axes [spaces*attributes].
        whitened: Joint counts in whitened latents, of fitted planes and of held-out ones
            [spaces*attributes,2,output,class]; see ``whitened_tables``.
        seconds: All of it.
    """

    spaces: list[str]
    cells: NDArray[np.int8]
    held_out: NDArray[np.int8]
    converged: NDArray[np.bool_]
    folds_converged: NDArray[np.bool_]
    iterations: NDArray[np.int64]
    scales: NDArray[np.float64]
    whitened: NDArray[np.int64]
    seconds: float


def plane_numbers(samples: int, planes: int, *, held_out: bool = False) -> range:
    """Return the numbers under which planes of that many samples are kept.

    Args:
        samples: All that there are.
        planes: How many planes.
        held_out: Whether they are those of other folds, of which all of an attribute are one.
    """
    first = (samples << _NUMBER_BITS) + held_out * _HELD_OUT
    return range(first, first + planes)


def each_plane(
    compute: Callable[[int], Arrays],
    numbers: range,
    finished: Finished | None = None,
    progress: Progress | None = None,
    before: int = 0,
    total: int | None = None,
) -> Arrays:
    """Compute planes 0, 1, 2, ..., kept under ``numbers``; see ``in_batches``.

    ``progress`` is called with those ``before`` as well, of a ``total`` (these alone, by default).
    """
    whole = before + len(numbers) if total is None else total
    counted = shifted(progress, before - numbers.start, whole)
    return in_batches(lambda one: compute(one[0] - numbers.start), numbers, 1, finished, counted)


def fit_planes(
    latents: Mapping[str, Callable[[], NDArray[Any]]],
    logits: NDArray[Any],
    num_keep: int,
    *,
    dual: bool = False,
    seed: int = 0,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> Planes:
    """Fit a plane for each attribute in each space, to its most confident samples.

    Then fit planes to the folds of those samples, and classify each fold by a plane of the others;
    where scales are very unequal, in whitened latents as well.

    Args:
        latents: By space, what gives its latents [N,D]; called for one space after the other, so
            that no two are in memory.
        logits: Of each attribute [A,N]; NaN where a class is not known.
        num_keep: Samples that count for an attribute.
        dual: See ``svm.separate``.
        seed: Of the folds, and of the dual solver.
        finished: Of an earlier run, see ``in_batches``; planes have numbers of their own there.
        progress: Called with the planes fitted and in all; those of the folds of an attribute count
            as one.
    """
    (attributes, n), spaces = logits.shape, list(latents)
    opened: dict[str, NDArray[Any]] = {}
    measured: dict[str, Scales] = {}
    planes = len(spaces) * attributes

    def samples(plane: int) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int8]]:
        space, attribute = divmod(plane, attributes)
        if spaces[space] not in opened:
            opened.clear()
            opened[spaces[space]] = latents[spaces[space]]()
        kept = most_confident(logits[attribute], num_keep)
        return kept, opened[spaces[space]][kept], targets(logits[attribute][kept])

    def fit(plane: int) -> Arrays:
        kept, x, classes = samples(plane)
        fitted = separate(x, classes, dual=dual, seed=seed)
        cells = np.full([1, n], LEFT_OUT, dtype=np.int8)
        cells[0, kept] = 2 * fitted.outputs + classes
        return {"cells": cells, "converged": np.array([fitted.converged]),
                "iterations": np.array([fitted.iterations])}  # fmt: skip

    def hold_out(plane: int) -> Arrays:
        kept, x, classes = samples(plane)
        outputs = np.zeros(n, dtype=np.int8)
        outputs[kept], converged = held_out_outputs(x, classes, dual=dual, seed=seed)
        space = spaces[plane // attributes]
        if space not in measured:
            measured[space] = scales_of(opened[space])
        own = measured[space]
        whitened = whitened_tables(x, classes, own, dual=dual, seed=seed)
        # As bits: with one byte for each sample, the published size would not be kept on disk.
        return {"outputs": np.packbits(outputs)[None], "folds_converged": np.array([converged]),
                "scales": np.array([own.ratio]), "whitened": whitened[None]}  # fmt: skip

    found = each_plane(fit, plane_numbers(n, planes), finished, progress, total=2 * planes)
    numbers = plane_numbers(n, planes, held_out=True)
    other = each_plane(hold_out, numbers, finished, progress, planes, 2 * planes)
    seconds = float(found.pop("seconds").sum() + other.pop("seconds").sum())
    cells = found["cells"]
    outputs = np.unpackbits(other["outputs"], axis=1, count=n).astype(np.int8)
    held_out = np.where(cells == LEFT_OUT, cells, 2 * outputs + cells % 2)
    return Planes(spaces, cells, held_out, found["converged"], other["folds_converged"],
                  found["iterations"], other["scales"], other["whitened"], seconds)  # fmt: skip
