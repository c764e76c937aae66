"""Noise maps as the projector treats them: regularised and renormalised.

Appendix D, Karras et al. 2020. Maps are [N,1,h,w], one for each noise layer.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.numerics import Stream, keyed_generator

_NO_NOISE = 1e-12  # the mean square of a map that is rounding errors around one value
SMALLEST = 8  # the regulariser's pyramid ends at this side


def noise_penalty(noise: Sequence[Tensor]) -> Tensor:
    """Squared correlation of noise maps with themselves moved by one pixel.

    Summed over maps, both directions, and a pyramid of 2x2 means down to 8x8; white noise
    has none, a picture hidden in the noise has a lot.

    Returns:
        Penalties [N], one for each image.
    """
    total = noise[0].new_zeros(len(noise[0]))
    for full in noise:
        level = full
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean(dim=[1, 2, 3]).square()
            if level.shape[2] <= SMALLEST:
                break
            level = F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def normalise_noise(noise: Sequence[Tensor]) -> None:
    """Bring every map to zero mean and unit mean square, in place, image by image.

    One of equal values, as a saved start may have, becomes 0.
    """
    for level in noise:
        level.sub_(level.mean(dim=[1, 2, 3], keepdim=True))
        square = level.square().mean(dim=[1, 2, 3], keepdim=True)
        level.mul_(square.clamp_min(_NO_NOISE).rsqrt())


class Draws(Protocol):
    """Source of the random numbers of a projection; the same for every image."""

    def noise(self, layer: int, shape: tuple[int, ...]) -> Tensor:
        """Return the starting noise map of a layer."""

    def w(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the standard normal noise added to w at a step."""


class SeededDraws:
    """Draws from (seed, layer) and (seed, step), on the CPU, so that devices agree.

    Images get equal numbers: a projection depends on its image, not on its neighbours.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def noise(self, layer: int, shape: tuple[int, ...]) -> Tensor:
        """Return the starting noise map of a layer."""
        rng = keyed_generator("cpu", self._seed, Stream.PROJECTION_NOISE, layer)
        return torch.randn(shape, generator=rng)

    def w(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the standard normal noise added to w at a step."""
        rng = keyed_generator("cpu", self._seed, Stream.PROJECTION_W, step)
        return torch.randn(shape, generator=rng)
