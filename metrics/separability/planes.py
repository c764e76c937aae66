"""The planes of all attributes in all spaces, and what they leave open."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.sampling import Arrays, Finished, Progress, in_batches, shifted
from metrics.scheme import LOWER, TWO_TO_BITS
from metrics.separability.attributes import most_confident, targets
from metrics.separability.entropy import (
    LEFT_OUT,
    conditional_entropy,
    entropy,
    joint_tables,
    resampled_entropies,
)
from metrics.statistics import CONFIDENCE, Uncertainty

OK, ONE_CLASS = "ok", "one class"  # an attribute's status

# Planes are kept beside batches of samples, whose numbers are below; those of more samples are
# other planes.
_NUMBER_BITS = 32
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
PENALTY, TOLERANCE, ITERATIONS = 1.0, 1e-4, 1000


@dataclass(frozen=True)
class Planes:
    """On which side of a plane samples are, for each attribute of each space in turn.

    Attributes:
        spaces: Their names.
        cells: 2 * output + class of N samples [spaces*attributes,N], LEFT_OUT if not kept.
        converged: Whether the solver did [spaces*attributes].
        iterations: Of the solver [spaces*attributes].
        seconds: All of it.
    """

    spaces: list[str]
    cells: NDArray[np.int8]
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int64]
    seconds: float


def plane_numbers(samples: int, planes: int) -> range:
    """Return the numbers under which planes of that many samples are kept."""
    first = samples << _NUMBER_BITS
    return range(first, first + planes)


def each_plane(
    compute: Callable[[int], Arrays],
    numbers: range,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> Arrays:
    """Compute planes 0, 1, 2, ..., kept under ``numbers``; see ``in_batches``."""
    counted = shifted(progress, -numbers.start, len(numbers))
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

    Args:
        latents: By space, what gives its latents [N,D]; called once, one space after the other,
            so that no two are in memory.
        logits: Of each attribute [A,N]; NaN where a class is not known.
        num_keep: Samples that count for an attribute.
        dual: See ``planes.separate``.
        seed: Of the dual solver.
        finished: Of an earlier run, see ``in_batches``; planes have numbers of their own there.
        progress: Called with the planes fitted and in all.
    """
    (attributes, n), spaces = logits.shape, list(latents)
    opened: dict[str, NDArray[Any]] = {}

    def compute(plane: int) -> Arrays:
        space, attribute = divmod(plane, attributes)
        if spaces[space] not in opened:
            opened.clear()
            opened[spaces[space]] = latents[spaces[space]]()
        kept = most_confident(logits[attribute], num_keep)
        classes = targets(logits[attribute][kept])
        fitted = separate(opened[spaces[space]][kept], classes, dual=dual, seed=seed)
        cells = np.full([1, n], LEFT_OUT, dtype=np.int8)
        cells[0, kept] = 2 * fitted.outputs + classes
        return {"cells": cells, "converged": np.array([fitted.converged]),
                "iterations": np.array([fitted.iterations])}  # fmt: skip

    found = each_plane(compute, plane_numbers(n, len(spaces) * attributes), finished, progress)
    seconds = float(found.pop("seconds").sum())
    return Planes(spaces, found["cells"], found["converged"], found["iterations"], seconds)


def summarise(
    planes: Planes, names: Sequence[str], seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return one row per space with its score, and a row for each attribute and space.

    The intervals draw samples again, all attributes together, and keep the planes. The entropies
    of all draws come third: RESAMPLES rows, and a column for each row of the second table.

    Args:
        planes: From ``fit_planes``.
        names: Of the attributes.
        seed: Of the resampling.
    """
    tables, draws = joint_tables(planes.cells), resampled_entropies(planes.cells, seed)
    labels = [(name, space) for space in planes.spaces for name in names]
    attributes = pd.DataFrame([
        {
            "attribute": name, "space": space, **_attribute(tables[i], draws[:, i]),
            "converged": bool(planes.converged[i]), "iterations": int(planes.iterations[i]),
        }
        for i, (name, space) in enumerate(labels)
    ])  # fmt: skip
    replicates = pd.DataFrame(draws, columns=[str(i) for i in range(draws.shape[1])])
    return scores(attributes, replicates), attributes, replicates


def scores(attributes: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each space with the score of its attributes.

    Args:
        attributes: As ``summarise`` gives them, of all attributes or of some.
        replicates: Their entropies in all draws, a column for each row. Where it is empty, the
            interval is the widest that those of the attributes allow.
    """
    spaces = attributes["space"].to_numpy()
    return pd.DataFrame([
        _score(attributes[spaces == space],
               replicates.loc[:, spaces == space] if replicates.size else replicates)
        for space in dict.fromkeys(spaces)
    ])  # fmt: skip


def faults(attributes: pd.DataFrame) -> dict[str, int]:
    """Count attributes, those of one class, and SVMs that did not converge."""
    names = attributes[attributes["space"] == attributes["space"].iloc[0]]
    return {
        "attributes": len(names),
        "one_class": int((names["status"] == ONE_CLASS).sum()),
        "not_converged": int((~attributes["converged"]).sum()),
    }


def score(entropies: Any) -> Any:
    """Return the score, 2^(sum over attributes) of entropies [...,A] in bits."""
    with np.errstate(over="ignore"):  # MetricResult refuses infinity
        return np.exp2(np.asarray(entropies).sum(axis=-1))


def _attribute(table: NDArray[np.int64], draws: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a joint table [output,class] says; class 0 is the positive one."""
    kept, classes = table.sum(), table.sum(axis=0) / table.sum()
    one_class = classes.max() == 1
    low, high = (math.nan, math.nan) if one_class else np.quantile(draws, _TAILS)
    return {
        "status": ONE_CLASS if one_class else OK,
        "entropy": float(conditional_entropy(table)), "ci_low": float(low), "ci_high": float(high),
        "class_entropy": float(entropy(classes)), "accuracy": float(np.trace(table) / kept),
        "balance": float(classes[0]), "kept": int(kept),
    }  # fmt: skip


def _score(attributes: pd.DataFrame, replicates: pd.DataFrame) -> dict[str, Any]:
    space, known = str(attributes["space"].iloc[0]), attributes["status"] == OK
    spread: Any = [math.nan] * 3
    if known.any() and replicates.size:
        found = score(replicates)
        spread = found.std(ddof=1), *np.quantile(found, _TAILS)
    elif known.any():
        spread = math.nan, *(score(attributes[end].fillna(0)) for end in ("ci_low", "ci_high"))
    return {
        "quantity": score_in(space), "unit": TWO_TO_BITS, "better_when": LOWER,
        "value": float(score(attributes["entropy"])),
        **Uncertainty(*map(float, spread)).columns(),
        "space": space, "attributes": int(known.sum()),
    }  # fmt: skip


def score_in(space: str) -> str:
    """Return what the score in a space is called: "separability in W"."""
    return f"separability in {space.upper()}"


@dataclass(frozen=True)
class Separation:
    """What a machine says of the samples that it was fitted to.

    Attributes:
        outputs: Class 0 or 1 of each sample [N].
        converged: Whether the solver reached its tolerance.
        iterations: Of the solver; 0 where there was nothing to fit.
        normal: Of the hyperplane, towards class 1 [D], of any length; None where there is none.
        offset: Class 1 is where the product with the normal is above minus this.
    """

    outputs: NDArray[np.int8]
    converged: bool
    iterations: int
    normal: NDArray[np.float64] | None = None
    offset: float = 0.0


def separate(
    latents: NDArray[Any], targets: NDArray[np.integer], *, dual: bool = False, seed: int = 0
) -> Separation:
    """Fit a hyperplane between two classes, and classify the same samples with it.

    A single class needs no plane: every sample is taken to be on its right side, as published.

    Args:
        latents: The samples [N,D].
        targets: Class 0 or 1 of each [N].
        dual: Solve the dual problem, as published: it depends on the seed, and large or unscaled
            problems do not converge. The primal solver has one answer.
        seed: Of the dual solver.
    """
    if targets.min() == targets.max():
        return Separation(targets.astype(np.int8), True, 0)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=PENALTY, tol=TOLERANCE, max_iter=ITERATIONS, dual=dual, random_state=seed % 2**32
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        machine.fit(latents, targets)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    outputs, iterations = machine.predict(latents).astype(np.int8), int(machine.n_iter_)
    normal, offset = np.asarray(machine.coef_[0], dtype=np.float64), float(machine.intercept_[0])
    return Separation(outputs, converged, iterations, normal, offset)
