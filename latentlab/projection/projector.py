"""Projection of images into W, W+ and Z (appendix D, Karras et al. 2020).

Adam moves latents and noise maps so that the rendered image comes close to the target under a
perceptual distance, while a regulariser keeps the noise maps from carrying the picture.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from latentlab.checks import check_choice, check_whole
from latentlab.devices import fitting
from latentlab.errors import SettingsError
from latentlab.networks.generator import Generator
from latentlab.networks.placement import placing_rows
from latentlab.numerics import full_precision
from latentlab.projection.limited_memory import LimitedMemory
from latentlab.projection.noise import Draws, SeededDraws
from latentlab.projection.result import Projection, joined
from latentlab.projection.search import Observer, OnDivergence, Optimisation, Setup
from latentlab.projection.settings import LIMITED_MEMORY, STARTS, ProjectorSettings
from latentlab.projection.start import ProjectionStart, StartSearch
from latentlab.projection.targets import (
    Distance,
    TargetFeatures,
    check_masks,
    check_targets,
)
from latentlab.projection.terms import Identity, check_identity

_MOST_AT_ONCE = 8  # where there is memory: on a GPU
# What an image of a step needs: 3.3 GB at 1024x1024, VGG16's part of it included (docs/costs.md).
_BYTES_PER_PIXEL, _BYTES_EACH = 3000, 2**28

Progress = Callable[[int, Tensor], None]  # step just done, distances [N] before it


def project(  # noqa: PLR0913  # the library's face is settled
    g: Generator,
    images: Tensor,
    distance: Distance,
    space: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    *,
    settings: ProjectorSettings | None = None,
    batch: int | None = None,
    c: Tensor | None = None,
    draws: Draws | None = None,
    progress: Progress | None = None,
    search: StartSearch | None = None,
    start: ProjectionStart | None = None,
    masks: Tensor | None = None,
    identity: Identity | None = None,
    observer: Observer | None = None,
    on_divergence: OnDivergence = "raise",
) -> Projection:
    """Find latents and noise whose images come close to the given ones.

    Each image has its own w, noise maps and Adam moments, and all get the same random numbers: an
    image's result depends on its neighbours only through floating-point rounding in a batch, and
    with ``batch`` 1 not at all.

    Args:
        g: The generator.
        images: Targets [N,C,R,R] in [-1,1].
        distance: From ``perceptual_distance``, or any callable on two image batches.
        space: "w" (one w for all layers; the default), "w+" (one for each layer), or "z", where
            also generators without W can be searched.
        steps: Iterations; 1000 by default. 0 renders ``start`` and compares it.
        seed: Of the starting noise maps and of the noise on w; 0 by default.
        settings: All constants at once, instead of ``space``, ``steps`` and ``seed``.
        batch: Images optimised at once. None takes 1 on the CPU, where larger generators gain
            nothing from more, and elsewhere 8, or fewer that fill half of the GPU's memory.
        c: Label [1,c_dim] for the statistics of w in a conditional generator.
        draws: Random numbers given by hand.
        progress: Called after every step with its number and the distances before it [batch].
        search: Statistics of w, and sampled w to start from, made once for many calls; it must
            have been made with the same generator, distance, label and settings.
        start: Latents to go on from, instead of the mean w or a sampled one, such as an encoder's.
            No noise is added to w then.
        masks: What counts of each image [N,1,R,R] in [0,1]. Where a mask is 0, the target's pixels
            replace those of the rendered image before the two are compared.
        identity: What ``settings.identity_weight`` weighs: a ``FaceIdentity``, or anything with
            ``embeddings(images [N,C,R,R]) -> [N,D]`` of length 1.
        observer: Called at every step with its number and the images rendered at it [batch,C,R,R].
        on_divergence: "raise" ends with an error where a loss becomes NaN or infinite; "keep"
            keeps the best latents of that image until then, marks it, and goes on with the others.
            An image that is no closer than its start at the end gets its best latents as well.

    Raises:
        SettingsError: If a setting is out of range or given beside ``settings``, or the distance
            does not give one number for each image.
        ImageError: If the images or masks do not fit the generator, hold NaN, or a mask is empty.
        LatentError: If ``start`` does not fit, or the settings have an anchor and the generator
            draws at a fixed place.
        NumericalError: If a loss becomes NaN or infinite; names the step and image.
    """
    settings = _settings(settings, {"space": space, "steps": steps, "seed": seed})
    check_choice(on_divergence, "on_divergence", get_args(OnDivergence))
    batch = default_batch(g) if batch is None else batch
    check_whole(batch, "batch", 1)
    images = check_targets(g, images, c)
    if settings.anchor:
        placing_rows(g.synthesis)
    if masks is not None:
        masks = check_masks(masks, images)
    check_identity(settings, identity)
    if start is not None:
        if settings.space == "z":
            raise SettingsError("`start` is in W", advice=["use `space` w or w+"])
        if settings.start_samples not in (0, STARTS[settings.algorithm]):
            raise SettingsError("give either `start` or `start_samples`: both say where to start")
        start = start.checked(g, len(images), settings.space)
    elif settings.steps == 0:
        raise SettingsError("`steps` 0 leaves a start as it is", advice=["give `start`"])
    draws = draws or SeededDraws(settings.seed)
    if search is None:
        search = StartSearch(g, distance, settings, c, draws)
    else:
        search.check(g, distance, settings, c)
    setup = Setup(g, settings, search, draws, on_divergence, observer, identity)
    parts = []
    kind = Optimisation
    if settings.algorithm == LIMITED_MEMORY:
        kind, batch = LimitedMemory, 1
    with full_precision(), torch.enable_grad():
        for first in range(0, len(images), batch):
            rows = slice(first, first + batch)
            wanted = TargetFeatures(distance, images[rows], None if masks is None else masks[rows])
            work = kind(setup, wanted, None if start is None else start.rows(rows))
            parts.append(_run(work, settings.steps, progress))
    return joined(parts)


def _settings(settings: ProjectorSettings | None, loose: Mapping[str, Any]) -> ProjectorSettings:
    """Return the settings, or make them of what is given loose."""
    given = {name: value for name, value in loose.items() if value is not None}
    if settings is None:
        return ProjectorSettings(**given)
    if given:
        names = ", ".join(f"`{name}`" for name in given)
        raise SettingsError(f"{names} cannot be given beside `settings`; put all into `settings`")
    return settings


def _run(work: Optimisation, steps: int, progress: Progress | None) -> Projection:
    for step in range(steps):
        distances = work.run_step(step)
        if progress is not None:
            progress(step, distances)
        if work.finished:
            break
    return work.result()


def default_batch(g: Generator) -> int:
    """Return how many images ``project`` optimises at once where nobody says."""
    if g.device.type == "cpu":
        return 1
    return fitting(g.device, _BYTES_EACH + _BYTES_PER_PIXEL * g.resolution**2, _MOST_AT_ONCE)
