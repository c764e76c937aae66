"""Linear separability (section 4.2, Karras et al. 2019): how well planes divide latents.

Images are generated and classified by attribute. For each attribute the most confident half is
kept, and a linear SVM is fitted to their latents, to tell the class from z or w. What the SVM
leaves open is the conditional entropy H(Y|X) of class Y given its output X. The score is
2^(sum of the entropies in bits), the paper's exp(sum in nats); 1 is the best. z is taken as
drawn, w untruncated from the last layer, and images have random noise.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import DataError, Generator, LatentError, NumericalError
from latentlab.checks import check
from latentlab.images import SEEN_ON, alpha_facts
from latentlab.numerics import full_precision
from metrics.result import MetricResult
from metrics.sampling import Finished, Progress, check_counts, has_w
from metrics.separability.attributes import label_logits
from metrics.separability.cautions import cautions
from metrics.separability.classifiers import Classifier, classify_samples, draw_latents
from metrics.separability.planes import fit_planes
from metrics.separability.summary import faults, summarise

SPACES = ("z", "w")
METRIC, PROTOCOL, FROM_LABELS = "separability", "ls", "ls_labels"

Latents = Tensor | NDArray[Any]


@full_precision()
@torch.no_grad()
def linear_separability(  # noqa: PLR0913 - one for each setting
    g: Generator,
    classifiers: Sequence[Classifier],
    num_samples: int = 200_000,
    num_keep: int | None = None,
    spaces: Sequence[str] = SPACES,
    seed: int = 0,
    *,
    names: Sequence[str] | None = None,
    outputs: str = "classes",
    dual: bool = False,
    batch: int | None = None,
    finished: Finished | None = None,
    progress: Progress | None = None,
    fit_progress: Progress | None = None,
) -> MetricResult:
    """Measure linear separability.

    Images are classified as they are made and dropped: logits alone are kept.

    Args:
        g: The generator; labels of a conditional one are drawn at random.
        classifiers: Modules or functions from images [N,3,R,R] in [-1,1] to logits [N,K].
        num_samples: Number of images; 200,000 is the published one.
        num_keep: How many of them count for an attribute, the most confident; default: half.
        spaces: "z", "w", or both.
        seed: Of latents, labels, noise and resampling.
        names: Of the classifiers.
        outputs: What several outputs of one classifier are, see ``attribute_logits``.
        dual: Solve the SVM's dual problem, as published, see ``svm.separate``.
        batch: Images at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run with the same settings, see ``in_batches``.
        progress: Called with the samples classified and in all.
        fit_progress: Called after them with the SVMs fitted and in all.

    Returns:
        One row per space with the score, and how many ``attributes`` of two classes it is made
        from; ``samples`` has a row for each attribute and space:
        entropy in bits with its interval, accuracy, ``balance`` (share of positives), whether the
        SVM converged, how many samples were kept, and ``status``, "ok" or "one class". Attributes
        of one class count as perfect, as published; ``cautions`` name them.

    Raises:
        LatentError: If ``spaces`` has "w" and the generator has none, or a classifier takes larger
            images.
        SettingsError: If a setting is out of range, or a classifier's output is not [N,K].
        NumericalError: If a logit is not finite.
    """
    check_counts(num_samples=num_samples, seed=seed, batch=batch)
    keep = _checked_keep(num_keep, num_samples)
    check_spaces(spaces, g)
    found = classify_samples(
        g, classifiers, num_samples, seed,
        names=names, outputs=outputs, batch=batch, finished=finished, progress=progress,
    )  # fmt: skip
    latents = {space: partial(draw_latents, g, space, num_samples, seed) for space in spaces}
    planes = fit_planes(
        latents, found.logits, keep,
        dual=dual, seed=seed, finished=finished, progress=fit_progress,
    )  # fmt: skip
    dimensions = {space: int(getattr(g, f"{space}_dim")) for space in spaces}
    rows, table, draws = summarise(planes, found.names, dimensions, seed)
    settings = {
        "protocol": PROTOCOL, "n": num_samples, "seed": seed, "num_keep": keep,
        "classifiers": found.classifiers, "outputs": outputs, "dual": dual,
        "resolution": g.resolution, **faults(table),
        "dimensions": dimensions, **alpha_facts(g.channels, SEEN_ON),
    }  # fmt: skip
    doubts, seconds = cautions(table, dimensions, rows, dual=dual), found.seconds + planes.seconds
    return MetricResult(METRIC, rows, settings, table, seconds, doubts, draws)


def separability_from_logits(
    latents: Latents,
    logits: Latents,
    num_keep: int | None = None,
    *,
    names: Sequence[str] | None = None,
    dual: bool = False,
    seed: int = 0,
) -> tuple[float, pd.DataFrame]:
    """Measure the separability of latents by hand, from the logits of their images.

    Args:
        latents: z or w of the samples [N,D].
        logits: Of each attribute [K,N]; a positive one is class 0.
        num_keep: How many samples count for an attribute, the most confident; default: half.
        names: Of the attributes; default: their numbers.
        dual: Solve the SVM's dual problem, as published, see ``svm.separate``.
        seed: Of the resampling, and of the dual solver.

    Returns:
        The score, and one row per attribute as in ``linear_separability``.

    Raises:
        LatentError: If the shapes do not fit, or latents are not finite.
        NumericalError: If a logit is not finite.
    """
    x, y = _checked_latents(latents), _array(logits)
    if y.ndim != 2 or y.shape[1] != len(x) or len(y) == 0:
        raise LatentError(f"`logits` must have shape [K, {len(x)}], but got {list(y.shape)}")
    if not np.isfinite(y).all():
        raise NumericalError("`logits` hold NaN or infinity; leave those samples out")
    keep = _checked_keep(num_keep, len(x))
    planes = fit_planes({"": lambda: x}, y, keep, dual=dual, seed=seed)
    called = [str(i) for i in range(len(y))] if names is None else [str(name) for name in names]
    check(len(called) == len(y), "names", f"{len(y)}, one per attribute", len(called))
    rows, table, _ = summarise(planes, called, {"": x.shape[1]}, seed)
    return float(rows["value"].iloc[0]), table.drop(columns="space")


def separability_from_labels(
    latents: Latents,
    labels: pd.DataFrame,
    num_keep: int | None = None,
    *,
    space: str = "w",
    dual: bool = False,
    seed: int = 0,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> MetricResult:
    """Measure the separability of latents by labels that someone has, without any classifier.

    Args:
        latents: Of the samples [N,D].
        labels: One row per sample and one column per attribute, see ``label_logits``; samples
            with an empty cell are left out of that attribute.
        num_keep: How many count for an attribute, the most confident; default: all, as labels of
            two kinds have no confidence.
        space: What the rows call the latents.
        dual: Solve the SVM's dual problem, as published, see ``svm.separate``.
        seed: Of the resampling, and of the dual solver.
        finished: Of an earlier run with the same settings.
        progress: Called with the SVMs fitted and in all.

    Returns:
        As ``linear_separability``; ``samples`` has the number of ``unknown`` labels as well.

    Raises:
        LatentError: If the latents are not finite or not [N,D].
        DataError: If the labels are not as described, or are of another number of samples.
    """
    x, y = _checked_latents(latents), label_logits(labels)
    if y.shape[1] != len(x):
        raise DataError(f"{y.shape[1]} rows of labels for {len(x)} latents")
    keep = len(x) if num_keep is None else _checked_keep(num_keep, len(x))
    planes = fit_planes(
        {space: lambda: x}, y, keep, dual=dual, seed=seed, finished=finished, progress=progress
    )
    dimensions, names = {space: x.shape[1]}, [str(name) for name in labels.columns]
    rows, table, draws = summarise(planes, names, dimensions, seed)
    settings = {
        "protocol": FROM_LABELS, "n": len(x), "seed": seed, "num_keep": num_keep, "dual": dual,
        "dimensions": dimensions, **faults(table),
    }  # fmt: skip
    table = table.assign(unknown=np.isnan(y).sum(axis=1))
    doubts = cautions(table, dimensions, rows, dual=dual)
    return MetricResult(METRIC, rows, settings, table, planes.seconds, doubts, draws)


def _checked_latents(latents: Latents) -> NDArray[Any]:
    x = _array(latents)
    if x.ndim != 2 or 0 in x.shape:
        raise LatentError(f"`latents` must have shape [N, D], but got {list(x.shape)}")
    if not np.isfinite(x).all():
        raise LatentError("`latents` hold NaN or infinity; leave those samples out")
    return x


def _array(values: Latents) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values)


def _checked_keep(num_keep: int | None, num_samples: int) -> int:
    """Return how many samples to keep; half of them by default."""
    keep = max(num_samples // 2, 1) if num_keep is None else num_keep
    check_counts(num_keep=keep)
    check(keep <= num_samples, "num_keep", f"at most {num_samples} samples", keep)
    return keep


def check_spaces(spaces: Sequence[str], g: Generator) -> None:
    """Raise an error unless latents of the generator can be divided in these spaces."""
    known = isinstance(spaces, tuple | list) and set(spaces) <= set(SPACES)
    fits = known and len(spaces) > 0 and len(set(spaces)) == len(spaces)
    check(fits, "spaces", f"some of {', '.join(SPACES)}", spaces)
    if "w" in spaces and not has_w(g):
        raise LatentError("this generator has no W", advice=["measure in Z: `spaces` z"])
