"""Whether pictures are attributed better to one model than to another."""

import math

import numpy as np
from numpy.typing import NDArray

from metrics.result import MetricResult
from metrics.roc import area_difference
from metrics.source_attribution import GENERATED, REAL
from metrics.statistics import Uncertainty


def auc_difference(
    first: MetricResult, second: MetricResult, same_real: bool = True
) -> tuple[float, Uncertainty]:
    """Return the second model's area under the ROC curve minus the first's, and what it is worth.

    Args:
        first: A result of ``attribution``.
        second: Another, of the same distance, space and number of steps.
        same_real: Whether both projected the same real pictures in the same order, perhaps one of
            them fewer. Their distances then vary together, and the difference is known better.

    Returns:
        The difference, and its uncertainty, see ``metrics.roc.area_difference``. Generated pictures
        are paired by their number where the seeds are equal, as both were made from the same z.
    """
    return _difference(first, second, _alike(first, second, "seed"), same_real)


def uncertainty_of(first: MetricResult, second: MetricResult, _: str) -> Uncertainty:
    """Return the uncertainty of the difference of two areas, by what both say of their pictures.

    What does not name its pictures, such as distances given by hand, is paired with nothing: their
    order may be by size, and then any two would seem to vary together.
    """
    sizes = [each.settings.get("resolution") for each in (first, second)]  # folders name none
    same_real = _alike(first, second, "pictures") and sizes[0] == sizes[1]
    projected = all("steps" in each.settings for each in (first, second))
    same_generated = projected and _alike(first, second, "seed")
    return _difference(first, second, same_generated, same_real)[1]


def _alike(first: MetricResult, second: MetricResult, name: str) -> bool:
    """Whether both results have a setting, and the same."""
    mine = first.settings.get(name)
    return mine is not None and bool(mine == second.settings.get(name))


def _difference(
    first: MetricResult, second: MetricResult, same_generated: bool, same_real: bool
) -> tuple[float, Uncertainty]:
    groups = [[_padded(each, other, name) for name in (GENERATED, REAL)]
              for each, other in ((first, second), (second, first))]  # fmt: skip
    return area_difference(
        (groups[0][0], groups[0][1]),
        (groups[1][0], groups[1][1]),
        paired_negatives=same_generated,
        paired_positives=same_real,
    )


def _padded(result: MetricResult, other: MetricResult, group: str) -> NDArray[np.float64]:
    """Return the distances of a group, and NaN where a projection diverged or only the other is."""
    mine = _distances(result, group)
    return np.pad(mine, (0, max(len(_distances(other, group)) - len(mine), 0)),
                  constant_values=math.nan)  # fmt: skip


def _distances(result: MetricResult, group: str) -> NDArray[np.float64]:
    rows = result.samples[result.samples["group"] == group]
    return rows["distance"].to_numpy(np.float64)
