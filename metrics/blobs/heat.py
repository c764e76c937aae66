"""How far each place of feature maps is out of its channels' range: the heat.

Each channel is compared with itself alone, so that scaling or shifting a channel changes nothing.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from metrics.blobs.shapes import Mask, Shape

SHARE = 0.4  # of channels that must deviate; a leaky ReLU makes a spot five times weaker in half

_BODY = 0.9  # share of a map that makes its scale: strokes and edges take more than the rest
_SIGMAS = 1.645  # within which a Gaussian has that share
_CONSTANT = 1e-5  # deviation relative to the largest value, at which rounding is all there is
_STRONGEST = 1000.0  # strength of a spot on a flat map, which has no scale of its own
_RING_BODY, _RING_SIGMAS = 0.65, 0.9346  # of a ring around a spot: a line may be beside it
_MEDIAN = 0.6745  # standard deviations, the median distance of a Gaussian
_LEAST_RING = 4  # pixels
_NEAR = 1.5  # radii of a spot, and a pixel, in which a channel's own extreme is looked for
_OWN = 0.95  # share of that extreme which a channel must have at the peak
_RIPPLE = 3.0  # standard deviations of the noise between neighbouring pixels that it may lack


@dataclass(frozen=True)
class Scaled:
    """Heat [H,W], and the robust standard deviation [C] of each channel that it was made with."""

    heat: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Deviations:
    """One sample's maps [C,H,W], distances [C,H,W] from their medians, which [C] are no constants.

    The heat is what 40 % of the channels exceed.
    """

    maps: Tensor
    away: Tensor
    alive: Tensor

    @classmethod
    def of(cls, maps: Tensor) -> "Deviations":
        """Measure the maps [C,H,W] of one sample."""
        maps = maps.float()
        flat = maps.flatten(1)
        upper, lower = (sign * (sign * flat).median(dim=1, keepdim=True).values for sign in (-1, 1))
        away = (flat - (upper + lower) / 2).abs_()  # torch's median is the lower of two
        alive = away.amax(dim=1) > _CONSTANT * flat.abs().amax(dim=1)
        return cls(maps, away.view(maps.shape), alive)

    def scaled(self, body: Mask | None = None) -> Scaled:
        """Return the heat; the scale comes from the places of a mask [H,W], or from all."""
        away = self.away.flatten(1)
        inside = away if body is None else away[:, _places(body, away)]
        rank = math.ceil(_BODY * inside.shape[1])
        scale = inside.kthvalue(rank, dim=1).values / _SIGMAS
        scale = torch.maximum(scale, away.amax(dim=1) / _STRONGEST)
        heat = away * torch.where(self.alive, 1 / scale, 0)[:, None]
        return Scaled(self._voted(heat).view(self.away.shape[1:]), scale)

    def contrast(self, spot: Shape, elsewhere: Mask, scale: Tensor) -> float:
        """Return how far a spot is out of its surroundings in 40 % of the channels.

        In standard deviations, each channel's of the ring around the spot or of the whole map
        (``scale`` [C]), whichever is larger. A channel that has a stronger extreme beside the peak
        does not count: hills lie at another place in each channel, a droplet at one in all.

        Args:
            spot: The spot.
            elsewhere: Places [H,W] that belong to no spot.
            scale: Robust standard deviation of each channel [C].
        """
        flat = self.maps.flatten(1)
        ring = flat[:, _places(spot.ring() & elsewhere, flat)]
        if ring.shape[1] < _LEAST_RING:
            ring = flat[:, _places(elsewhere, flat)]
        middle = ring.median(dim=1, keepdim=True).values
        rank = math.ceil(_RING_BODY * ring.shape[1])
        spread = (ring - middle).abs().kthvalue(rank, dim=1).values / _RING_SIGMAS
        near = (flat[:, _places(spot.near(_NEAR), flat)] - middle).abs().amax(dim=1)
        row, column = spot.peak
        here = (self.maps[:, row, column] - middle[:, 0]).abs()
        counts = self.alive & (here >= _OWN * near - _RIPPLE * self.ripple)
        votes = torch.where(counts, here / torch.maximum(spread, scale), 0)
        return float(self._voted(votes[:, None]))

    @cached_property
    def ripple(self) -> Tensor:
        """The standard deviation [C] of what differs from pixel to pixel, as noise does."""
        if self.maps.shape[2] < 2:
            return torch.zeros(len(self.maps))
        steps = (self.maps[:, :, 1:] - self.maps[:, :, :-1]).abs_().flatten(1)
        return steps.median(dim=1).values / (_MEDIAN * math.sqrt(2))

    def _voted(self, rows: Tensor) -> Tensor:
        """Return what 40 % of the channels [C,K] exceed, [K]."""
        return rows.topk(self._voters(), dim=0).values[-1]

    def _voters(self) -> int:
        """Return how many channels must deviate: of all a tenth, and three, lest chance be enough.

        Of three it is two, and of two both.
        """
        alive, channels = int(self.alive.sum()), len(self.alive)
        fewest = max(min(2, channels), min(3, channels - 1))
        return max(math.ceil(SHARE * alive), math.ceil(0.1 * channels), fewest)


def _places(mask: Mask, like: Tensor) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask)).to(like.device)
