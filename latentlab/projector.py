"""Projection of images into W and W+ (appendix D, Karras et al. 2020).

Adam moves w and the noise maps so that the rendered image comes close to the target under a
perceptual distance, while a regulariser keeps the noise maps from carrying the picture.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from latentlab.errors import ImageError, LatentError, NumericalError, SettingsError
from latentlab.latents import w_statistics
from latentlab.networks.generator import Generator
from latentlab.noise import noise_penalty, normalise_noise
from latentlab.numerics import Stream, full_precision, keyed_generator
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import Projection, ProjectorSettings, history_frame, joined

Distance = Callable[[Tensor, Tensor], Tensor]
Progress = Callable[[int, Tensor], None]  # step just done, distances [N] before it


class Draws(Protocol):
    """Source of the random numbers of a projection; the same for every image."""

    def noise(self, layer: int, shape: tuple[int, ...]) -> Tensor:
        """Return the starting noise map of a layer."""
        ...

    def w(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the standard normal noise added to w at a step."""
        ...


class SeededDraws:
    """Draws from (seed, layer) and (seed, step), on the CPU, so that devices agree.

    Images get equal numbers: a projection depends on its image, not on its neighbours.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def noise(self, layer: int, shape: tuple[int, ...]) -> Tensor:
        """Return the starting noise map of a layer."""
        return torch.randn(
            shape, generator=keyed_generator("cpu", self._seed, Stream.PROJECTION_NOISE, layer)
        )

    def w(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the standard normal noise added to w at a step."""
        return torch.randn(
            shape, generator=keyed_generator("cpu", self._seed, Stream.PROJECTION_W, step)
        )


def project(
    g: Generator,
    images: Tensor,
    distance: Distance,
    space: str = "w",
    steps: int = 1000,
    seed: int = 0,
    *,
    settings: ProjectorSettings | None = None,
    batch: int | None = None,
    c: Tensor | None = None,
    draws: Draws | None = None,
    progress: Progress | None = None,
) -> Projection:
    """Find latents and noise whose images come close to the given ones.

    Each image has its own w, noise maps and Adam moments, and all get the same random numbers: an
    image's result depends on its neighbours through floating-point rounding in a batch alone, and
    with ``batch`` 1 not at all.

    Args:
        g: The generator.
        images: Targets [N,C,R,R] in [-1,1].
        distance: From ``perceptual_distance``, or any callable on two image batches.
        space: "w" (one w for all layers) or "w+" (one a layer).
        steps: Iterations.
        seed: Of the starting noise maps and of the noise on w.
        settings: All constants at once, in place of ``space``, ``steps`` and ``seed``.
        batch: Images optimised at once. None takes 1 on the CPU, where larger generators gain
            nothing from more, and 8 elsewhere.
        c: Label [1,c_dim] for the statistics of w in a conditional generator.
        draws: Random numbers given by hand.
        progress: Called after every step with its number and the distances before it [batch].

    Raises:
        SettingsError: If a setting is out of range, or the distance gives no number an image.
        ImageError: If the images do not fit the generator or hold NaN.
        NumericalError: If the optimisation leaves the finite numbers; names the step and image.
    """
    settings = settings or ProjectorSettings(space=space, steps=steps, seed=seed)
    if c is not None and g.c_dim == 0:
        raise LatentError("`c` was given, but this generator has no labels; leave it out")
    batch = default_batch(g) if batch is None else batch
    if batch < 1:
        raise SettingsError(f"`batch` must be a positive integer, but got {batch}")
    images = _checked_images(g, images)
    statistics = w_statistics(g, settings.w_samples, c)
    draws = draws or SeededDraws(settings.seed)
    parts = []
    with full_precision(), torch.enable_grad():
        for targets in images.split(batch):
            search = _Search(g, targets, distance, settings, statistics, draws)
            for step in range(settings.steps):
                distances = search.run_step(step)
                if progress is not None:
                    progress(step, distances)
            parts.append(search.result())
    return joined(parts)


def default_batch(g: Generator) -> int:
    """Images that ``project`` optimises at once where nobody says how many."""
    return 1 if g.device.type == "cpu" else 8


class _Search:
    """The state of an optimisation: w, noise maps, Adam, and the losses so far."""

    def __init__(
        self,
        g: Generator,
        targets: Tensor,
        distance: Distance,
        settings: ProjectorSettings,
        statistics: tuple[Tensor, Tensor],  # mean and deviation of w
        draws: Draws,
    ) -> None:
        self._g, self._settings, self._draws = g, settings, draws
        self._compare = _comparison(distance, targets)
        mean, self._deviation = statistics
        rows = g.num_ws if settings.space == "w+" else 1
        self._w = mean.expand(len(targets), rows, -1).clone().requires_grad_(True)
        maps = [draws.noise(i, shape) for i, shape in enumerate(g.synthesis.noise_shapes)]
        self._noise = [
            level.to(mean).repeat(len(targets), 1, 1, 1).requires_grad_(True) for level in maps
        ]
        self._adam = torch.optim.Adam([self._w, *self._noise], betas=(0.9, 0.999))
        self._trace: list[Tensor] = []
        with torch.no_grad():
            self._start = self._compare(g.synthesis(self._w.expand(-1, g.num_ws, -1)))

    def run_step(self, step: int) -> Tensor:
        """Move w and noise once; returns the distances [N] before the move."""
        g, settings, w, noise = self._g, self._settings, self._w, self._noise
        spread = self._deviation * settings.w_noise_at(step)
        jitter = self._draws.w(step, (1, *w.shape[1:])).to(w) * spread
        rendered = g.synthesis((w + jitter).expand(-1, g.num_ws, -1), noise=noise)
        distances = self._compare(rendered)
        penalty = noise_penalty(noise) if noise else torch.zeros_like(distances)
        loss = distances + settings.noise_weight * penalty
        _check_losses(loss, step)
        self._adam.param_groups[0]["lr"] = settings.learning_rate_at(step)
        self._adam.zero_grad(set_to_none=True)
        loss.sum().backward(inputs=[w, *noise])
        self._adam.step()
        normalise_noise(noise)
        self._trace.append(torch.stack([distances, penalty, loss]).detach().cpu())
        return distances.detach()

    def result(self) -> Projection:
        """Render the final latents with the final noise and compare once more."""
        ws = self._w.detach().expand(-1, self._g.num_ws, -1).contiguous()
        noise = [level.detach() for level in self._noise]
        images = render(self._g, ws, noise)
        with torch.no_grad():
            distance = self._compare(images)
        _check_losses(distance, self._settings.steps)
        history = history_frame(torch.stack(self._trace), self._settings)
        return Projection(ws, noise, images, distance, self._start, history, self._settings)


@torch.no_grad()
def render(g: Generator, ws: Tensor, noise: Sequence[Tensor]) -> Tensor:
    """Render latents [N,num_ws,w_dim] with noise maps [N,1,h,w], one image at a time.

    Image by image, so that a saved latent gives its saved image again to the last bit.
    """
    one_by_one = [
        g.synthesis(ws[i : i + 1], noise=[level[i : i + 1] for level in noise])
        for i in range(len(ws))
    ]
    return torch.cat(one_by_one)


def _checked_images(g: Generator, images: Tensor) -> Tensor:
    wanted = [g.channels, g.resolution, g.resolution]
    if images.ndim != 4 or list(images.shape[1:]) != wanted or len(images) == 0:
        shape = ", ".join(str(size) for size in ["N", *wanted])
        raise ImageError(f"`images` must have shape [{shape}], but got {list(images.shape)}")
    if not images.is_floating_point():
        raise ImageError(f"`images` must be floats in [-1,1], but got {images.dtype}")
    for i, image in enumerate(images):
        if not bool(torch.isfinite(image).all()):
            raise ImageError(f"`images`: image {i} holds NaN or infinity; mend or leave it out")
    return images.detach().to(g.device, g.w_mean.dtype)


def _comparison(distance: Distance, targets: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the distance to fixed targets, whose features are computed once."""
    if not isinstance(distance, PerceptualDistance):
        return lambda images: _one_each(distance(targets, images), len(targets))
    with torch.no_grad():
        wanted = distance.features(targets)
    return lambda images: distance.compare(distance.features(images), wanted)


def _one_each(distances: Tensor, count: int) -> Tensor:
    """Bring a foreign distance's result to [N], as lpips gives [N,1,1,1]."""
    if distances.numel() != count:
        raise SettingsError(
            f"`distance` must give a number an image, but gave {list(distances.shape)} for {count}"
        )
    return distances.reshape(count)


def _check_losses(loss: Tensor, step: int) -> None:
    bad = (~torch.isfinite(loss)).nonzero().flatten().tolist()
    if bad:
        raise NumericalError(
            f"projection step {step}: the loss of image {bad[0]} is {loss[bad[0]].item()}; "
            "lower the learning rate"
        )
