"""Pivotal tuning: a generator's weights are moved so that it renders given latents better.

Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images". Latents and noise
stay; the synthesis weights change, and a locality term holds the images of other latents.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import torch
from torch import Tensor

from latentlab.checks import check_number, check_whole
from latentlab.images import averaged, views
from latentlab.latents import draw_z, labels_in_turn, w_statistics
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, full_precision
from latentlab.projection.start import ProjectionStart
from latentlab.projection.targets import Distance, TargetFeatures, check_losses, check_targets
from latentlab.projection.tuning_file import Tuning, difference

Progress = Callable[[int, Tensor], None]  # step just done, distances [N] before it


@dataclass(frozen=True)
class TuningSettings:
    """Constants of the tuning; steps, rates and weights default to the paper's.

    The paper's locality term looks at an absolute distance from the pivot; here it is counted in
    deviations of w, so that it means the same for every generator.
    """

    steps: int = 350
    learning_rate: float = 3e-4  # of Adam
    l2_weight: float = 1.0  # of the mean squared difference, beside the perceptual distance
    locality_weight: float = 0.1  # of the same loss between old and new images near the pivot
    locality_reach: float = 1.0  # how far from the pivot, in deviations of w
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self.steps, "steps", 1)
        check_whole(self.seed, "seed")
        for name in ("learning_rate", "l2_weight", "locality_weight", "locality_reach"):
            check_number(getattr(self, name), name, 0)


def tune(
    g: Generator,
    ws: Tensor,
    noise: Sequence[Tensor] | None,
    images: Tensor,
    distance: Distance,
    base_sha256: str,
    *,
    settings: TuningSettings | None = None,
    batch: int = 1,
    c: Tensor | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Find a change of the synthesis weights with which ``ws`` render ``images`` better.

    Adam minimises, over the weights alone, the mean over images of ``distance + l2_weight *
    mean squared difference``, plus ``locality_weight`` times the same between the images that the
    old and the new weights give for a sampled w, moved to ``locality_reach`` from the pivot.

    Args:
        g: The generator; it is left as it was.
        ws: Pivots [N,num_ws,w_dim], as a projection gives them.
        noise: Their noise maps, one [N,1,h,w] for each layer; None takes the generator's own.
        images: Targets [N,C,R,R] in [-1,1].
        distance: From ``perceptual_distance``, or any callable on two image batches.
        base_sha256: Of the checkpoint that the generator came from; kept with the result.
        settings: The constants.
        batch: Images rendered at once; the gradient is that of all in every step.
        c: Label [1,c_dim] of the sampled w; None takes every class equally.
        progress: Called after every step with its number and the distances before it.

    Raises:
        LatentError: If the latents do not fit the generator or the images.
        NumericalError: If the loss becomes NaN or infinite.
    """
    settings = settings or TuningSettings()
    check_whole(batch, "batch", 1)
    images = check_targets(g, images, c)
    pivots = ProjectionStart(ws, noise).checked(g, len(images), "w+", prefix="")
    tuned = copy.deepcopy(g).requires_grad_(False)
    with full_precision(), torch.enable_grad():
        weights = list(tuned.synthesis.requires_grad_(True).parameters())
        adam = torch.optim.Adam(weights, lr=settings.learning_rate, betas=(0.9, 0.999))
        locality = _Locality(g, pivots.ws, distance, settings, c)
        parts = [slice(first, first + batch) for first in range(0, len(images), batch)]
        pairs = [(pivots.rows(part), TargetFeatures(distance, images[part])) for part in parts]
        for step in range(settings.steps):
            adam.zero_grad(set_to_none=True)
            distances = _add_gradient(tuned, pairs, settings.l2_weight, step)
            locality.add_gradient(tuned, step)
            adam.step()
            if progress is not None:
                progress(step, distances)
    return difference(g, tuned, base_sha256, asdict(settings))


def _add_gradient(
    tuned: Generator,
    pairs: Sequence[tuple[ProjectionStart, TargetFeatures]],
    l2_weight: float,
    step: int,
) -> Tensor:
    """Add the gradient of the mean loss over all pivots; returns their distances [N]."""
    distances: list[Tensor] = []
    count = sum(len(pivot.ws) for pivot, _ in pairs)
    for pivot, wanted in pairs:
        rendered = tuned.synthesis(pivot.ws, noise=pivot.noise)
        found = wanted(rendered)
        loss = found + l2_weight * _squares(rendered, wanted.targets)
        check_losses(loss, f"tuning step {step}", sum(map(len, distances)))
        (loss.sum() / count).backward()
        distances.append(found.detach())
    return torch.cat(distances)


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean squared differences [N] of what is seen of two image batches."""
    pairs = zip(views(first), views(second), strict=True)
    return averaged([(one - other).square().mean(dim=[1, 2, 3]) for one, other in pairs])


@dataclass(frozen=True)
class _Locality:
    """Holds what latents near the pivots render."""

    g: Generator
    pivots: Tensor
    distance: Distance
    settings: TuningSettings
    c: Tensor | None

    @cached_property
    def _reach(self) -> float:
        return self.settings.locality_reach * w_statistics(self.g, 10_000, self.c)[1].item()

    def add_gradient(self, tuned: Generator, step: int) -> None:
        """Add the locality term's gradient at a w that the step decides, near one pivot."""
        settings = self.settings
        if not settings.locality_weight:
            return
        g, pivot = self.g, self.pivots[step % len(self.pivots)]
        with torch.no_grad():
            z = draw_z([step], g.z_dim, settings.seed, Stream.TUNING).to(pivot)
            towards = g.mapping(z, labels_in_turn(g, [step], self.c)) - pivot
            share = self._reach / towards.norm(dim=2, keepdim=True).clamp(min=1e-8)
            ws = pivot + towards * share
            before = g.synthesis(ws)
        now = tuned.synthesis(ws)
        loss = TargetFeatures(self.distance, before)(now)
        loss = loss + settings.l2_weight * _squares(now, before)
        (settings.locality_weight * loss.sum()).backward()
