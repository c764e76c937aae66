"""Attribution: whether projection tells real images from generated ones.

Section 5, Karras et al. 2020: images that a generator made can be projected back into its latent
space almost exactly, others less so. The smaller the overlap of both groups' distances, the better
an image can be attributed to its generator.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from latentlab import Generator, ImageError, NumericalError, ProjectorSettings
from latentlab.checks import check, check_choice
from latentlab.images import COMPARED_ON, alpha_facts, check_channels, shrink, to_uint8
from latentlab.numerics import Stream, full_precision
from latentlab.perceptual import MAX_RESOLUTION
from latentlab.projection.projector import project
from latentlab.projection.targets import Distance
from metrics import sampling
from metrics.result import Caution, MetricResult
from metrics.roc import area, area_uncertainty, best_threshold
from metrics.scheme import DISTANCE, HIGHER, SHARE
from metrics.statistics import bootstrap, finite_values, mean_uncertainty, share_uncertainty

GENERATED, REAL = "generated", "real"

_FEW = 20  # pictures of a group, below which we warn
_BATCH = 8  # images projected at once where that gains


@full_precision()
def attribution(  # noqa: PLR0913 - one for each setting
    g: Generator,
    images: Tensor | Sequence[Tensor],
    distance: Distance,
    num_generated: int | None = None,
    *,
    space: str = "w",
    steps: int = 1000,
    seed: int = 0,
    truncation_psi: float = 1.0,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Project generated and real images, and measure how well their distances tell them apart.

    Generated images have random latents, labels and noise maps, as published; they are not
    rounded to 8 bits.

    Args:
        g: The generator.
        images: Real images [N,C,R,R] in [-1,1], or a sequence of [C,R,R].
        distance: From ``perceptual_distance``, or any callable on two image batches.
        num_generated: Generated images; None takes as many as there are real ones.
        space: "w" or "w+", see ``project``.
        steps: Iterations of a projection.
        seed: Of latents, labels, noise, projections and resampling.
        truncation_psi: Of the generated images; 1 as published.
        batch: Images projected at once; None takes 8. On the CPU they go one by one whatever it
            is, so that an image's result does not depend on its neighbours.
        finished: Images of an earlier run, see ``in_batches``.
        progress: Called with the images done and in all.

    Returns:
        Rows as of ``attribution_of``. ``samples`` has one row for each image: group, number,
        status ("ok", or "diverged" and left out), distance and start_distance (of the mean image).

    Raises:
        ImageError: If a real image does not fit the generator, or there is none.
        SettingsError: If a setting is out of range.
        NumericalError: If all images of a group diverge.
    """
    settings = AttributionSettings(space, steps, seed, truncation_psi=truncation_psi)
    found = project_groups(g, images, distance, num_generated, settings, batch=batch,
                           finished=finished, progress=progress)  # fmt: skip
    return found.result()


@dataclass(frozen=True)
class AttributionSettings(ProjectorSettings):
    """How images are generated and projected.

    ``truncation_psi`` is of the generated images, 1 as published; ``seed`` decides latents, labels
    and noise as well.
    """

    truncation_psi: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.space, "space", ("w", "w+"))
        finite = math.isfinite(self.truncation_psi)
        check(finite, "truncation_psi", "a finite number", self.truncation_psi)


@dataclass(frozen=True)
class Projections:
    """Generated and real images projected, the generated ones first.

    Attributes:
        samples: One row for each image, see ``attribution``.
        targets: The images in 8 bits, at most 256 pixels [N,C,r,r].
        projected: What they were projected to, likewise.
        settings: What decides the numbers.
        seconds: How long it took.
    """

    samples: pd.DataFrame
    targets: NDArray[np.uint8]
    projected: NDArray[np.uint8]
    settings: dict[str, Any]
    seconds: float

    def result(self) -> MetricResult:
        """Compare the distances of both groups."""
        groups = groups_of(self.samples)
        found = attribution_of(groups[GENERATED], groups[REAL], self.settings["seed"])
        diverged = int((self.samples["status"] != "ok").sum())
        settings = {**found.settings, **self.settings, "diverged": diverged}
        return replace(found, settings=settings, samples=self.samples, seconds=self.seconds,
                       cautions=cautions(settings))  # fmt: skip


def cautions(settings: Mapping[str, Any]) -> tuple[Caution, ...]:
    """Say what there is to doubt about distances that were compared with these settings."""
    fewest = min(settings["num_generated"], settings["num_real"])
    rates = ("true_positive_rate", "false_positive_rate")
    found = [Caution("The threshold was chosen on the pictures that its rates are counted on: on "
                     "new ones both will be somewhat worse.", rates)]  # fmt: skip
    if fewest < _FEW:
        found.append(Caution(f"Few pictures: {fewest} in the smaller group; use {_FEW} or more."))
    if lost := settings.get("diverged", 0):
        found.append(Caution(f"{lost} of the projections diverged and are left out."))
    return tuple(found)


def groups_of(samples: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the distances of generated and of real images, without those that diverged."""
    good = samples[samples["status"] == "ok"]
    return {name: good["distance"][good["group"] == name].to_numpy() for name in (GENERATED, REAL)}


@full_precision()
def project_groups(
    g: Generator,
    images: Tensor | Sequence[Tensor],
    distance: Distance,
    num_generated: int | None = None,
    settings: AttributionSettings = AttributionSettings(),
    *,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> Projections:
    """Project generated and real images; other arguments and errors as of ``attribution``."""
    count = len(images) if num_generated is None else num_generated
    _check_images(g, images)
    sampling.check_counts(num_generated=count, batch=batch)
    at_once = 1 if sampling.device_of(g).type == "cpu" else batch or _BATCH

    def target(i: int) -> Tensor:
        if i < count:
            return generated_image(g, i, settings.seed, settings.truncation_psi)
        return images[i - count].to(sampling.device_of(g))

    def compute(samples: range) -> sampling.Arrays:
        return _projected(g, torch.stack([target(i) for i in samples]), distance, settings)

    arrays = sampling.in_batches(compute, range(count + len(images)), at_once, finished, progress)
    bad = np.isnan(arrays["distance"])
    samples = pd.DataFrame({
        "group": [GENERATED] * count + [REAL] * len(images),
        "number": [*range(count), *range(len(images))],
        "status": np.where(bad, "diverged", "ok"),
        "distance": arrays["distance"], "start_distance": arrays["start_distance"],
    })  # fmt: skip
    facts = {
        "distance": getattr(distance, "name", type(distance).__name__),
        **asdict(settings), "batch": at_once, **alpha_facts(g.channels, COMPARED_ON),
    }  # fmt: skip
    seconds = float(arrays["seconds"].sum())
    return Projections(samples, arrays["target"], arrays["projected"], facts, seconds)


@torch.no_grad()
def generated_image(
    g: Generator, number: int, seed: int = 0, truncation_psi: float = 1.0
) -> Tensor:
    """Render the numbered generated image [C,R,R] that ``attribution`` projects."""
    z, c = sampling.draw_samples(g, [number], seed, Stream.ATTRIBUTION)
    noise = sampling.draw_noise_maps(g, [number], seed, Stream.ATTRIBUTION)
    return sampling.render(g, g.mapping(z, c, truncation_psi=truncation_psi), noise=noise)[0]


def attribution_of(generated: ArrayLike, real: ArrayLike, seed: int = 0) -> MetricResult:
    """Measure how well given distances tell real images from generated ones.

    Args:
        generated: Distances [N] of generated images to their projections.
        real: Distances [M] of real images to theirs.
        seed: Of the resampling, by which the medians get their uncertainty.

    Returns:
        Rows with ``quantity`` and ``value``: auc, the share of pairs in which the real image is
        the farther one (ties count half); mean and median of both groups; the threshold with the
        largest difference of both rates (Youden 1950), an image at or above it being taken for
        real; and its true_positive_rate (real images above) and false_positive_rate.

    Raises:
        NumericalError: If a distance is not finite, or a group is empty.
    """
    groups = {
        name: finite_values(
            values,
            f"attribution: {name} distance",
            f"attribution: no {name} image was projected; nothing to compare",
        )
        for name, values in ((GENERATED, generated), (REAL, real))
    }
    pair = groups[GENERATED], groups[REAL]
    counts = {f"num_{name}": len(values) for name, values in groups.items()}
    total = sum(counts.values())
    rows = [{"quantity": "auc", "unit": SHARE, "value": float(area(*pair)), "n": total,
             "better_when": HIGHER, **area_uncertainty(*pair).columns()}]  # fmt: skip
    for name, values in groups.items():
        spreads = {"mean": mean_uncertainty(values, 0.0),
                   "median": bootstrap([values], np.median, seed)}  # fmt: skip
        for statistic, spread in spreads.items():
            value = float(getattr(np, statistic)(values))
            rows.append({"quantity": f"{name}_{statistic}", "unit": DISTANCE, "n": len(values),
                         "value": value, **spread.columns()})  # fmt: skip
    threshold = best_threshold(*pair)
    rows.append({"quantity": "threshold", "unit": DISTANCE, "n": total, "value": threshold})
    for name, group in (("true_positive_rate", REAL), ("false_positive_rate", GENERATED)):
        values = groups[group]
        above = int((values >= threshold).sum())
        spread = share_uncertainty(above, len(values))
        rows.append({"quantity": name, "unit": SHARE, "n": len(values),
                     "value": above / len(values), **spread.columns()})  # fmt: skip
    settings = {"n": total, "seed": seed, **counts}
    columns = {"group": np.repeat([*groups], [*map(len, pair)]), "distance": np.concatenate(pair)}
    samples = pd.DataFrame(columns)
    found = cautions(settings)
    return MetricResult("attribution", pd.DataFrame(rows), settings, samples, cautions=found)


def _projected(
    g: Generator, targets: Tensor, distance: Distance, settings: ProjectorSettings
) -> sampling.Arrays:
    """Project targets [N,C,R,R]; one that diverges gets NaN and itself."""
    try:
        found = project(g, targets, distance, settings=settings, batch=len(targets))
    except NumericalError:
        if len(targets) > 1:  # only the one that diverged is to be lost
            parts = [_projected(g, one, distance, settings) for one in targets.split(1)]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        nothing, shown = np.full(1, np.nan), _bytes(targets)
        return {"distance": nothing, "start_distance": nothing,
                "target": shown, "projected": np.zeros_like(shown)}  # fmt: skip
    return {
        "distance": found.distance.cpu().double().numpy(),
        "start_distance": found.start_distance.cpu().double().numpy(),
        "target": _bytes(targets), "projected": _bytes(found.images),
    }  # fmt: skip


def _bytes(images: Tensor) -> NDArray[np.uint8]:
    return to_uint8(shrink(images.detach(), MAX_RESOLUTION)).cpu().numpy()


def _check_images(g: Generator, images: Tensor | Sequence[Tensor]) -> None:
    check_channels(g.channels)
    wanted = [g.channels, g.resolution, g.resolution]
    if len(images) == 0:
        raise ImageError("`images` holds no real image; give at least one")
    for i in range(len(images)):
        image = images[i]
        if list(image.shape) != wanted or not image.is_floating_point():
            raise ImageError(
                f"`images`: image {i} must be floats in [-1,1] of shape {wanted}, but is "
                f"{image.dtype} of {list(image.shape)}"
            )
        if not bool(torch.isfinite(image).all()):
            raise ImageError(f"`images`: image {i} holds NaN or infinity; mend or leave it out")
