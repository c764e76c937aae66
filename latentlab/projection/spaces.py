"""The spaces that a projection searches: W, W+ and Z."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from latentlab.latents import w_statistics
from latentlab.networks.generator import Generator
from latentlab.networks.ops import normalize_2nd_moment
from latentlab.projection.settings import ProjectorSettings


class Space(ABC):
    """What Adam moves [N,rows,D], and how it becomes latents.

    Attributes:
        deviation: Root of the squared distance from the mean, averaged over the generator's own
            latents: a scalar, the unit of the noise that is added.
        mean: The mean w [w_dim]; None where the generator has no W.
    """

    deviation: Tensor
    mean: Tensor | None

    @abstractmethod
    def ws(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return latents [N,num_ws,w_dim] of x [N,rows,D] and, in Z, labels [N,c_dim]."""

    @abstractmethod
    def mapped(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return z [N,z_dim] in this space [N,D]."""

    @abstractmethod
    def settle(self, x: Tensor) -> None:
        """Bring x back to where latents are, in place, after a step."""


class StyleSpace(Space):
    """W, one w for all layers, or W+, one for each."""

    mean: Tensor

    def __init__(self, g: Generator, settings: ProjectorSettings, c: Tensor | None) -> None:
        self._g, self._anchor = g, settings.anchor
        self.mean, self.deviation = w_statistics(g, settings.w_samples, c)

    def ws(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Spread one w over the layers; an anchor puts the mean w where the picture is placed."""
        ws = x.expand(-1, self._g.num_ws, -1)
        return self._g.anchored(ws) if self._anchor else ws

    def mapped(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Map z to w."""
        ws: Tensor = self._g.mapping(z, labels)
        return ws[:, 0]

    def settle(self, x: Tensor) -> None:
        """Leave w where it is."""


class NormalSpace(Space):
    """Z, on the sphere of radius sqrt(z_dim) where standard normal latents are."""

    def __init__(self, g: Generator, settings: ProjectorSettings, c: Tensor | None) -> None:
        self._g = g
        self.mean = w_statistics(g, settings.w_samples, c)[0] if g.has_w else None
        self.deviation = torch.tensor(math.sqrt(g.z_dim), device=g.device)

    def ws(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map z and labels to latents, without truncation."""
        return self._g.latents(x[:, 0], labels)

    def mapped(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Bring z onto the sphere."""
        return normalize_2nd_moment(z)

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """Bring z back onto the sphere: the networks normalise it, so its length means nothing."""
        x.copy_(normalize_2nd_moment(x.flatten(0, 1)).view_as(x))


def space_of(g: Generator, settings: ProjectorSettings, c: Tensor | None) -> Space:
    """Return the space that the settings name.

    Raises:
        LatentError: If it is W and the generator has none.
    """
    kind = NormalSpace if settings.space == "z" else StyleSpace
    return kind(g, settings, c)
