"""The planes of linear separability as directions: their normals, towards the attribute.

Moving w along the normal of the plane that divides an attribute changes that attribute, as Shen
et al. 2020 (InterFaceGAN) show with planes of their own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab import DataError
from latentlab.editing.directions import Directions
from latentlab.editing.w_moments import WMoments
from metrics.sampling import Arrays, Finished, Progress
from metrics.separability.attributes import most_confident, targets
from metrics.separability.planes import each_plane, plane_numbers
from metrics.separability.svm import separate

METHOD = "svm"
NO_PLANE = "only one class is among the samples kept"


def boundary_directions(
    w: NDArray[Any],
    logits: NDArray[Any],
    names: Sequence[str],
    moments: WMoments,
    num_keep: int | None = None,
    *,
    layers: Sequence[int] | None = None,
    sha256: str = "",
    seed: int = 0,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> Directions:
    """Fit a plane in W for each attribute, and return the normals of all that there are.

    The origin of each lies on its plane: positions are distances from it, above 0 on the side of
    the attribute. Facts: ``accuracy`` of the plane on the samples it was fitted to, their number
    ``kept``, the share ``balance`` of those with the attribute, and ``converged``, 1 or 0. Those
    without a plane are ``missing``.

    Args:
        w: Latents [N,w_dim].
        logits: Of each attribute [A,N]; a positive one is the attribute, NaN not known.
        names: Of the attributes.
        moments: Of the generator's w, for the unit of strengths.
        num_keep: How many samples count for an attribute, the most confident; default: half.
        layers: To move where nobody names others.
        sha256: Of the generator's file.
        seed: That of the samples.
        finished: Of an earlier run with the same settings, see ``in_batches``.
        progress: Called with the planes fitted and in all.

    Raises:
        DataError: If no attribute has both classes among its samples.
    """
    keep = max(len(w) // 2, 1) if num_keep is None else num_keep

    def compute(attribute: int) -> Arrays:
        kept = most_confident(logits[attribute], keep)
        return _plane(w[kept], targets(logits[attribute][kept]))

    found = each_plane(compute, plane_numbers(len(w), len(logits)), finished, progress)
    there = np.flatnonzero(np.linalg.norm(found["normal"], axis=1) > 0).tolist()
    if len(there) == 0:
        raise DataError(
            "no attribute has samples with it and without it among those kept: no plane divides "
            "them; take more samples"
        )
    vectors = torch.from_numpy(found["normal"][there]).float()
    facts = ("accuracy", "kept", "balance", "converged")
    # A plane's offset is of the exact normal, from which the rounded one differs by 1e-8.
    return Directions(
        tuple(names[i] for i in there),
        vectors,
        moments.deviations(vectors),
        torch.from_numpy(found["origin"][there]).double(),
        METHOD,
        None if layers is None else tuple(layers),
        sha256,
        {name: tuple(found[name][there].astype(float).tolist()) for name in facts},
        {"samples": len(w), "num_keep": keep, "seed": seed, "unit_samples": moments.samples},
        {name: NO_PLANE for i, name in enumerate(names) if i not in there},
    )


def _plane(w: NDArray[Any], classes: NDArray[np.int8]) -> Arrays:
    """Return a plane's normal [1,D] towards class 0, the attribute; zero where there is none."""
    fitted = separate(w, classes)
    normal = np.zeros(w.shape[1]) if fitted.normal is None else -fitted.normal
    length = max(float(np.linalg.norm(normal)), np.finfo(float).tiny)
    numbers = {
        "origin": fitted.offset / length, "accuracy": (fitted.outputs == classes).mean(),
        "kept": len(classes), "balance": (classes == 0).mean(), "converged": fitted.converged,
    }  # fmt: skip
    return {"normal": normal[None] / length, **{k: np.array([v]) for k, v in numbers.items()}}
