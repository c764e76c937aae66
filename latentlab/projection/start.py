"""Where a projection starts: the mean w, the closest of many samples, or given latents."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.checks import check_shape
from latentlab.errors import LatentError, SettingsError
from latentlab.latents import draw_z, labels_in_turn
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, full_precision
from latentlab.projection.noise import Draws, SeededDraws
from latentlab.projection.result import MEAN_W
from latentlab.projection.settings import ProjectorSettings
from latentlab.projection.spaces import space_of
from latentlab.projection.targets import Distance, Features, TargetFeatures, features_of
from latentlab.projection.whitening import Whitening

_CANDIDATES_AT_ONCE = 8


@dataclass(frozen=True)
class ProjectionStart:
    """Latents to go on from, such as a saved projection's.

    Attributes:
        ws: Latents [N,num_ws,w_dim], one for each image; in space "w" all rows of an image are
            equal.
        noise: Noise maps, one [N,1,h,w] for each noise layer; None starts from white noise.
    """

    ws: Tensor
    noise: Sequence[Tensor] | None = None

    def checked(
        self, g: Generator, count: int, space: str, prefix: str = "start."
    ) -> "ProjectionStart":
        """Return it on the generator's device, in its dtype; errors name it with the prefix.

        Raises:
            LatentError: If it does not fit the generator, the images or the space.
        """
        check_shape(self.ws, [count, g.num_ws, g.w_dim], f"{prefix}ws")
        shapes = g.synthesis.noise_shapes
        noise = self.noise
        if noise is not None and len(noise) != len(shapes):
            raise LatentError(f"`{prefix}noise` must be {len(shapes)} maps, but got {len(noise)}")
        for i, (level, shape) in enumerate(zip(noise or [], shapes, strict=noise is not None)):
            check_shape(level, [count, *shape[1:]], f"{prefix}noise[{i}]")
        for name, values in (("ws", [self.ws]), ("noise", noise or [])):
            if not all(bool(torch.isfinite(value).all()) for value in values):
                raise LatentError(f"`{prefix}{name}` holds NaN or infinity")
        if space == "w" and not torch.equal(self.ws, self.ws[:, :1].expand_as(self.ws)):
            raise LatentError(
                f"`{prefix}ws` has rows that differ: that is W+", advice=["use `space` w+"]
            )
        return ProjectionStart(
            self.ws.detach().to(g.w_mean),
            noise and [level.detach().to(g.w_mean) for level in noise],
        )

    def rows(self, which: slice) -> "ProjectionStart":
        """Return those of some images."""
        return ProjectionStart(self.ws[which], self.noise and [x[which] for x in self.noise])


class StartSearch:
    """The statistics of a space, and latents to start from, for any number of projections.

    Candidates are the mean w and ``settings.start_samples`` mapped z, or in Z as many z and at
    least one, keyed by (seed, stream,
    index) and rendered with the starting noise, always in the same batches: which of them an
    image starts from depends on that image alone. They are rendered once, and their features kept
    up to ``memory`` bytes; those beyond are computed again for every call, as are all with masks.

    Attributes:
        space: What is searched.
        noise: The maps [1,1,h,w] that every image starts from.
        whitening: Of w, where the settings weigh its norm.
    """

    def __init__(
        self,
        g: Generator,
        distance: Distance,
        settings: ProjectorSettings,
        c: Tensor | None = None,
        draws: Draws | None = None,
        memory: int = 2**29,
    ) -> None:
        """Map the samples; nothing is rendered before it is needed.

        Args:
            g: The generator.
            distance: What the projections compare by.
            settings: Of the projections.
            c: Label [1,c_dim] of a conditional generator; None takes every class equally.
            draws: Source of the starting noise; None takes the seed of the settings.
            memory: Bytes of features to keep.
        """
        self._g, self._distance, self._settings, self._c = g, distance, settings, c
        self._memory = memory
        self._kept: dict[int, Features] = {}
        draws = draws or SeededDraws(settings.seed)
        self.space = space_of(g, settings, c)
        weight = next(g.parameters())
        self.noise = [level.to(weight) for level in _starting_noise(g, draws)]
        # The number of the first candidate: in Z there is no mean to start from.
        self._first = 0 if settings.space == "z" else MEAN_W
        with full_precision():
            self.whitening = Whitening(g, settings.w_samples, c) if settings.p_norm_weight else None
            self._candidates = self._all_candidates(weight)

    @property
    def mean(self) -> Tensor | None:
        """The mean w [w_dim], as ``w_statistics`` gives it; None where the generator has no W."""
        return self.space.mean

    @property
    def deviation(self) -> Tensor:
        """Of the latents in the space that is searched, a scalar, as ``w_statistics`` has it."""
        return self.space.deviation

    def check(
        self, g: Generator, distance: Distance, settings: ProjectorSettings, c: Tensor | None
    ) -> None:
        """Raise SettingsError unless this search was made for such a projection."""
        labelled = c is None or (self._c is not None and torch.equal(c.cpu(), self._c.cpu()))
        if g is not self._g or distance is not self._distance or not labelled:
            raise SettingsError("`search` was made for another generator, distance or label")
        for name in ("seed", "w_samples", "start_samples", "anchor"):  # they decide the candidates
            here, there = getattr(settings, name), getattr(self._settings, name)
            if here != there:
                raise SettingsError(
                    f"`search` was made with `{name}` {there}, but the projection has {here}"
                )
        if (settings.space == "z") != (self._settings.space == "z"):
            raise SettingsError("`search` was made for another `space`")
        if settings.p_norm_weight and self.whitening is None:
            raise SettingsError("`search` was made without `p_norm_weight`")

    def latents(self, index: Tensor) -> Tensor:
        """Return the sampled latents [N,D] of these numbers [N], or the mean w for ``MEAN_W``."""
        return self._candidates[index - self._first]

    def labels(self, index: Tensor) -> Tensor | None:
        """Return the labels [N,c_dim] that belong to latents of these numbers [N]."""
        return labels_in_turn(self._g, index.tolist(), self._c)

    @torch.no_grad()
    def closest_index(self, wanted: TargetFeatures) -> Tensor:
        """Return for each target the number of the closest sample, or ``MEAN_W`` [N].

        The mean wins a tie; a candidate whose distance is not finite is passed over.
        """
        count = len(wanted.targets)
        if len(self._candidates) == 1:
            return torch.full([count], self._first, device=self._candidates.device)
        batches = enumerate(self._candidates.split(_CANDIDATES_AT_ONCE))
        with full_precision():
            distances = torch.cat([self._distances(wanted, i, ws) for i, ws in batches], dim=1)
        return distances.nan_to_num(nan=torch.inf).argmin(dim=1) + self._first

    def _distances(self, wanted: TargetFeatures, number: int, latents: Tensor) -> Tensor:
        """Return the distances [N,K] of one batch of candidates to each target."""
        targets = range(len(wanted.targets))
        if wanted.masks is None:
            features = self._features(number, latents)
            return torch.stack([wanted.features_to_one(i, features) for i in targets])
        images = self._render(number, latents)
        return torch.stack([wanted.to_one(i, images) for i in targets])

    def _features(self, number: int, latents: Tensor) -> Features:
        if number not in self._kept:
            features = features_of(self._distance, self._render(number, latents))
            stages = [stage for view in features for stage in view]
            size = sum(stage.numel() * stage.element_size() for stage in stages)
            if size > self._memory:
                return features
            self._memory -= size
            self._kept[number] = features
        return self._kept[number]

    def _render(self, number: int, latents: Tensor) -> Tensor:
        first = number * _CANDIDATES_AT_ONCE + self._first
        labels = self.labels(torch.arange(first, first + len(latents)))
        ws = self.space.ws(latents[:, None], labels)
        images: Tensor = self._g.synthesis(ws, noise=self.noise)
        return images

    @torch.no_grad()
    def _all_candidates(self, weight: Tensor) -> Tensor:
        """Return the latents [K,D] that a projection may start from."""
        g, count = self._g, self._settings.start_samples
        parts = [] if self._first != MEAN_W or self.space.mean is None else [self.space.mean[None]]
        count = count if parts else max(count, 1)
        for start in range(0, count, _CANDIDATES_AT_ONCE):
            indices = range(start, min(start + _CANDIDATES_AT_ONCE, count))
            z = draw_z(indices, g.z_dim, self._settings.seed, Stream.PROJECTION_START)
            labels = labels_in_turn(g, indices, self._c)
            parts.append(self.space.mapped(z.to(weight), labels))
        return torch.cat(parts)


def _starting_noise(g: Generator, draws: Draws) -> list[Tensor]:
    """Return white noise; the network's own maps where they are of another kind."""
    if not getattr(g.synthesis, "normal_noise", True):
        return [layer.noise_const[None, None] for layer in g.synthesis.noise_layers]
    return [draws.noise(i, shape) for i, shape in enumerate(g.synthesis.noise_shapes)]
