"""The random numbers of a projection."""

from typing import Protocol

import torch
from torch import Tensor

from latentlab.numerics import Stream, keyed_generator


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
