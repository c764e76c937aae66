"""Projection of images into W and W+ (appendix D, Karras et al. 2020).

Adam moves w and the noise maps so that the rendered image comes close to the target under a
perceptual distance, while a regulariser keeps the noise maps from carrying the picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import ImageError, NumericalError, SettingsError
from latentlab.networks.generator import Generator
from latentlab.numerics import check_shape, keyed_generator
from latentlab.perceptual import PerceptualDistance

if TYPE_CHECKING:
    import pandas as pd

SPACES = ("w", "w+")
W_SAMPLES_SEED = 123  # of the published projector's w statistics

_STREAM_NOISE, _STREAM_W = 40, 41
_SMALLEST_NOISE = 8  # the regulariser's pyramid ends here
_W_BATCH = 1000

Distance = Callable[[Tensor, Tensor], Tensor]
Progress = Callable[[int, Tensor], None]  # step just done, distances [N] before it


@dataclass(frozen=True)
class ProjectorSettings:
    """Constants of the optimisation; defaults as published (appendix D, Karras et al. 2020)."""

    space: str = "w"
    steps: int = 1000
    seed: int = 0
    w_samples: int = 10_000  # z drawn for the mean and deviation of w
    learning_rate: float = 0.1
    ramp_up: float = 0.05  # share of the steps in which the learning rate rises
    ramp_down: float = 0.25  # share of the steps in which it falls
    w_noise: float = 0.05  # noise added to w, in deviations of w
    w_noise_ramp: float = 0.75  # share of the steps until it has vanished
    noise_weight: float = 1e5  # of the noise regulariser

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SettingsError(
                f"`space` must be one of {', '.join(SPACES)}, but got {self.space!r}"
            )
        for name in ("steps", "w_samples"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise SettingsError(f"`{name}` must be a positive integer, but got {value!r}")
        for name in ("learning_rate", "w_noise_ramp"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SettingsError(f"`{name}` must be a positive number, but got {value!r}")
        for name in ("ramp_up", "ramp_down", "w_noise", "noise_weight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(
                    f"`{name}` must be zero or a positive number, but got {value!r}"
                )

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step: linear rise, then flat, then a cosine fall."""
        t = step / self.steps
        fall = min(1.0, (1.0 - t) / self.ramp_down) if self.ramp_down else 1.0
        rise = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        return self.learning_rate * (0.5 - 0.5 * math.cos(math.pi * fall)) * rise

    def w_noise_at(self, step: int) -> float:
        """Standard deviation of the noise on w at a step, in deviations of w."""
        return self.w_noise * max(0.0, 1.0 - step / self.steps / self.w_noise_ramp) ** 2


@dataclass(frozen=True)
class Projection:
    """What projecting N images gives.

    Attributes:
        ws: Latents [N,num_ws,w_dim]; in space "w" all rows of an image are equal.
        noise: Optimised noise maps, one [N,1,h,w] a noise layer.
        images: The images rendered from them, [N,C,R,R].
        distance: Perceptual distance of each rendered image to its target [N].
        start_distance: The same for the image of the mean w, where the optimisation starts [N].
        history: One row an image and step: distance, noise penalty, loss, learning rate.
        settings: The constants used.
    """

    ws: Tensor
    noise: list[Tensor]
    images: Tensor
    distance: Tensor
    start_distance: Tensor
    history: "pd.DataFrame"
    settings: ProjectorSettings


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
            shape, generator=keyed_generator("cpu", self._seed, _STREAM_NOISE, layer)
        )

    def w(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the standard normal noise added to w at a step."""
        return torch.randn(shape, generator=keyed_generator("cpu", self._seed, _STREAM_W, step))


def w_statistics(
    g: Generator, samples: int = 10_000, c: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean w [w_dim] and the deviation of w, a scalar, over untruncated samples.

    The deviation is the root of the squared deviations summed over dimensions and averaged over
    samples, as in the published projector: it is not divided by w_dim.

    Args:
        g: The generator.
        samples: Number of z, drawn from RandomState(123).
        c: Label [1,c_dim] of a conditional generator; None uses every class equally.
    """
    z = torch.from_numpy(np.random.RandomState(W_SAMPLES_SEED).randn(samples, g.z_dim))
    with torch.no_grad():
        parts = []
        for start in range(0, samples, _W_BATCH):
            rows = z[start : start + _W_BATCH].to(g.device, g.w_mean.dtype)
            labels = _labels(g, c, start, len(rows))
            parts.append(g.mapping(rows, labels)[:, 0].double())
        w = torch.cat(parts)
        mean = w.mean(dim=0)
        deviation = (w - mean).square().sum(dim=1).mean().sqrt()
    return mean.to(g.w_mean.dtype), deviation.to(g.w_mean.dtype)


def noise_penalty(noise: Sequence[Tensor]) -> Tensor:
    """Squared correlation of noise maps with themselves moved by one pixel (Eq. 5, same source).

    Summed over maps and over a pyramid of 2x2 means down to 8x8, both directions.

    Args:
        noise: Maps [N,1,h,w], one a layer.

    Returns:
        Penalties [N].
    """
    total = noise[0].new_zeros(len(noise[0]))
    for level in noise:
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean(dim=[1, 2, 3]).square()
            if level.shape[2] <= _SMALLEST_NOISE:
                break
            level = F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def normalise_noise(noise: Sequence[Tensor]) -> None:
    """Bring every map [N,1,h,w] to zero mean and unit mean square, in place, image by image."""
    for level in noise:
        level -= level.mean(dim=[1, 2, 3], keepdim=True)
        level *= level.square().mean(dim=[1, 2, 3], keepdim=True).rsqrt()


def project(
    g: Generator,
    images: Tensor,
    distance: Distance,
    space: str = "w",
    steps: int = 1000,
    seed: int = 0,
    *,
    settings: ProjectorSettings | None = None,
    c: Tensor | None = None,
    draws: Draws | None = None,
    progress: Progress | None = None,
) -> Projection:
    """Find latents and noise whose images come close to the given ones.

    The images are optimised at once, each with its own w, noise and Adam moments, and all with
    the same random numbers, so that an image's result depends on its neighbours through floating
    point rounding alone.

    Args:
        g: The generator.
        images: Targets [N,C,R,R] in [-1,1].
        distance: From ``perceptual_distance``, or any callable on two image batches.
        space: "w" (one w for all layers) or "w+" (one a layer).
        steps: Iterations.
        seed: Of the starting noise maps and of the noise on w.
        settings: All constants at once; overrides ``space``, ``steps`` and ``seed``.
        c: Label [1,c_dim] for the statistics of w in a conditional generator.
        draws: Random numbers given by hand.
        progress: Called after every step with its number and the distances [N].

    Raises:
        SettingsError: If a setting is out of range.
        ImageError: If the images do not fit the generator or hold NaN.
        NumericalError: If the optimisation leaves the finite numbers; names the step and image.
    """
    settings = settings or ProjectorSettings(space=space, steps=steps, seed=seed)
    draws = draws or SeededDraws(settings.seed)
    images = _checked_images(g, images)
    compare = _comparison(distance, images)
    n, rows = len(images), g.num_ws if settings.space == "w+" else 1
    mean, deviation = w_statistics(g, settings.w_samples, c)
    w = mean.expand(n, rows, -1).clone().requires_grad_(True)
    noise = _starting_noise(g, n, draws)
    adam = torch.optim.Adam([w, *noise], lr=settings.learning_rate, betas=(0.9, 0.999))
    rates, trace = [], []
    with torch.no_grad():
        start_distance = compare(g.synthesis(w.expand(-1, g.num_ws, -1)))
    for step in range(settings.steps):
        jitter = draws.w(step, (1, rows, g.w_dim)).to(w) * (deviation * settings.w_noise_at(step))
        rendered = g.synthesis((w + jitter).expand(-1, g.num_ws, -1), noise=noise)
        distances = compare(rendered)
        penalty = noise_penalty(noise) if noise else torch.zeros_like(distances)
        loss = distances + settings.noise_weight * penalty
        _check_losses(loss, step)
        adam.param_groups[0]["lr"] = rates_now = settings.learning_rate_at(step)
        adam.zero_grad(set_to_none=True)
        loss.sum().backward(inputs=[w, *noise])
        adam.step()
        normalise_noise(noise)
        rates.append(rates_now)
        trace.append(torch.stack([distances, penalty, loss]).detach().cpu())
        if progress is not None:
            progress(step, distances.detach())
    ws = w.detach().expand(-1, g.num_ws, -1).contiguous()
    final_noise = [level.detach() for level in noise]
    with torch.no_grad():
        rendered = render(g, ws, final_noise)
        final = compare(rendered)
    _check_losses(final, settings.steps)
    history = _history(torch.stack(trace), rates)
    return Projection(ws, final_noise, rendered, final, start_distance, history, settings)


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
        return lambda images: distance(targets, images)
    with torch.no_grad():
        wanted = distance.features(targets)
    return lambda images: distance.compare(distance.features(images), wanted)


def _starting_noise(g: Generator, n: int, draws: Draws) -> list[Tensor]:
    maps = [draws.noise(i, shape).to(g.w_mean) for i, shape in enumerate(g.synthesis.noise_shapes)]
    return [level.repeat(n, 1, 1, 1).requires_grad_(True) for level in maps]


def _labels(g: Generator, c: Tensor | None, start: int, count: int) -> Tensor | None:
    if g.c_dim == 0:
        return None
    if c is not None:
        check_shape(c, [1, g.c_dim], "c")
        return c.to(g.device).expand(count, -1)
    classes = torch.arange(start, start + count, device=g.device) % g.c_dim
    return F.one_hot(classes, g.c_dim).to(g.w_mean.dtype)


def _check_losses(loss: Tensor, step: int) -> None:
    bad = (~torch.isfinite(loss)).nonzero().flatten().tolist()
    if bad:
        raise NumericalError(
            f"projection step {step}: the loss of image {bad[0]} is {loss[bad[0]].item()}; "
            "lower the learning rate"
        )


def _history(trace: Tensor, rates: list[float]) -> "pd.DataFrame":
    """Tabulate losses [steps,3,N]: one row a step and image."""
    import pandas as pd

    steps, _, n = trace.shape
    columns = trace.permute(1, 0, 2).reshape(3, -1).double().numpy()
    return pd.DataFrame(
        {
            "step": np.repeat(np.arange(steps), n),
            "image": np.tile(np.arange(n), steps),
            "distance": columns[0],
            "noise_penalty": columns[1],
            "loss": columns[2],
            "learning_rate": np.repeat(rates, n),
        }
    )
