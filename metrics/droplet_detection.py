"""Droplets in feature maps given by hand (section 2, Karras et al. 2020).

A droplet is a small round spot that stands far out of many feature maps at one place. Each channel
is compared with itself alone, so that scaling or shifting a channel changes nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import LatentError, NumericalError
from latentlab.checks import check

THRESHOLD = 5.0  # robust standard deviations
SHARE = 0.4  # of channels that must deviate; a leaky ReLU makes a spot five times weaker in half

TYPES = {
    "sample": int, "resolution": int, "row": float, "column": float, "strength": float,
    "area_share": float,
}  # fmt: skip

_Mask = NDArray[np.bool_]
_Heat = NDArray[np.float32]
_Place = tuple[int, int]

_BODY = 0.9  # share of a map that makes its scale: strokes and edges take more than the rest
_SIGMAS = 1.645  # within which a Gaussian has that share
_CONSTANT = 1e-5  # deviation relative to the largest value, at which rounding is all there is
_MOST = 1000.0  # strength of a spot on a flat map, which has no scale of its own
_ABOVE = 2.0  # times the hottest place outside of all spots
_FIRST = 0.6  # of the threshold: a spot of the largest area has this much in its own scale
_EDGE = 0.5  # share of its peak that every pixel of a spot has
_LARGEST = 0.1  # share of the map that a spot takes at most
_EXTENT = 0.45  # share of its bounding box that a spot fills at least; a disc fills 0.79
_REACH = 2.5  # radii of a spot within which a Gaussian falls below 1 % of its peak
_REST = 0.35  # share of the map that must remain to compare spots with
_SPOTS = 8  # in one map at most: where there are more, they are its pattern
_NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True)
class Spot:
    """A droplet in one map: centre as fractions of height and width, area as a share of the map.

    ``strength`` is what 40 % of the channels exceed at the peak, in robust standard deviations.
    """

    row: float
    column: float
    strength: float
    area_share: float


def detect(maps: Tensor, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Find the droplets in feature maps.

    Args:
        maps: Feature maps [N,C,H,W] of one layer.
        threshold: Robust standard deviations that 40 % of the channels must deviate by.

    Returns:
        One row per droplet: ``sample`` (from 0), ``resolution`` (H), ``row`` and ``column`` of the
        centre as fractions of height and width, ``strength`` (the robust standard deviations that
        40 % of the channels exceed at the peak, at most 1000) and ``area_share`` (of the map,
        where the heat is half of the peak's or more).

    Raises:
        LatentError: If ``maps`` is not [N,C,H,W].
        NumericalError: If a map holds NaN or infinity.
        SettingsError: If ``threshold`` is not positive.
    """
    rows = [
        (sample, maps.shape[2], spot.row, spot.column, spot.strength, spot.area_share)
        for sample, spots in enumerate(find_spots(maps, threshold))
        for spot in spots
    ]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def find_spots(maps: Tensor, threshold: float = THRESHOLD) -> list[list[Spot]]:
    """Find the droplets in feature maps [N,C,H,W]: one list per sample. See ``detect``."""
    check_threshold(threshold)
    _check(maps)
    return [_spots(_Deviations.of(sample), threshold) for sample in maps.detach()]


def heat_maps(maps: Tensor) -> Tensor:
    """Return how far each place is out of its channels' range, [N,H,W], from maps [N,C,H,W].

    The heat is what 40 % of the channels exceed there: the distance from the channel's median in
    robust standard deviations, of which the 90 % quantile of distances is 1.645. It raises what
    ``detect`` does of maps.
    """
    _check(maps)
    return torch.stack([_Deviations.of(sample).heat() for sample in maps.detach()])


def check_threshold(threshold: float) -> None:
    """Raise SettingsError unless the threshold is a positive number."""
    check(0 < threshold < math.inf, "threshold", "a positive number", threshold)


def _check(maps: Tensor) -> None:
    if maps.ndim != 4 or 0 in maps.shape:
        raise LatentError(f"`maps` must have shape [N, C, H, W], but got {list(maps.shape)}")
    if not bool(torch.isfinite(maps).all()):
        raise NumericalError("feature maps hold NaN or infinity")


@dataclass(frozen=True)
class _Deviations:
    """Distances [C,H,W] of one sample's maps from their medians, and which [C] are not constant."""

    away: Tensor
    alive: Tensor

    @classmethod
    def of(cls, maps: Tensor) -> "_Deviations":
        """Measure the maps [C,H,W] of one sample."""
        flat = maps.float().flatten(1)
        upper, lower = (sign * (sign * flat).median(dim=1, keepdim=True).values for sign in (-1, 1))
        away = (flat - (upper + lower) / 2).abs_()  # torch's median is the lower of two
        alive = away.amax(dim=1) > _CONSTANT * flat.abs().amax(dim=1)
        return cls(away.view(maps.shape), alive)

    def heat(self, body: _Mask | None = None) -> Tensor:
        """Return the heat [H,W]; the scale comes from the places of a mask [H,W], or from all."""
        away = self.away.flatten(1)
        mask = None if body is None else torch.from_numpy(body).flatten().to(away.device)
        inside = away if mask is None else away[:, mask]
        rank = math.ceil(_BODY * inside.shape[1])
        scale = inside.kthvalue(rank, dim=1).values / _SIGMAS
        scale = torch.maximum(scale, away.amax(dim=1) / _MOST)
        heat = away * torch.where(self.alive, 1 / scale, 0)[:, None]
        return heat.topk(self._voters(), dim=0).values[-1].view(self.away.shape[1:])

    def _voters(self) -> int:
        """Return how many channels must deviate: of all a tenth, and two, lest one be enough."""
        alive, channels = int(self.alive.sum()), len(self.alive)
        return max(math.ceil(SHARE * alive), math.ceil(0.1 * channels), min(2, channels))


def _spots(maps: _Deviations, threshold: float) -> list[Spot]:
    """Return the compact spots of one sample that stand out of all the rest, strongest first.

    The scale is taken anew around them. It is the largest set of spots whose weakest is well above
    everything else: natural maps have hills of every height, without such a gap.
    """
    heat = maps.heat().cpu().numpy()
    rest = np.ones(heat.shape, dtype=bool)
    masks: list[tuple[_Place, _Mask]] = []
    found: list[Spot] = []
    for place, mask in _candidates(heat, _FIRST * threshold):
        rest &= ~_surroundings(mask)
        if rest.mean() < _REST or len(masks) == _SPOTS:
            break
        masks.append((place, mask))
        clean = maps.heat(rest).cpu().numpy()
        if min(clean[top] for top, _ in masks) > max(threshold, _ABOVE * clean[rest].max()):
            found = [_measured(clean, spot, float(clean[top])) for top, spot in masks]
    return sorted(found, key=lambda spot: -spot.strength)


def _candidates(heat: _Heat, level: float) -> Iterator[tuple[_Place, _Mask]]:
    """Yield peak and mask [H,W] of the compact spots above a level of heat, hottest first."""
    left = heat.copy()
    while (peak := float(left.max())) > level:
        row, column = divmod(int(left.argmax()), left.shape[1])
        spot = _around(left, (row, column), _EDGE * peak)
        if _is_compact(spot):
            yield (row, column), spot
        left[spot | _around(left, (row, column), level)] = 0  # with what surrounds it


def _around(heat: _Heat, place: _Place, level: float) -> _Mask:
    """Return what has a level of heat and hangs together with a place, as a mask [H,W]."""
    from scipy import ndimage

    parts, _ = ndimage.label(heat >= level, structure=_NEIGHBOURS)
    return np.asarray(parts == parts[place])


def _is_compact(mask: _Mask) -> bool:
    """Whether a part of a map is small and roundish."""
    height, width = (int(np.ptp(np.nonzero(mask)[axis])) + 1 for axis in (0, 1))
    return bool(
        mask.mean() <= _LARGEST
        and max(height, width) <= 2 * min(height, width) + 1
        and mask.sum() >= _EXTENT * height * width
    )


def _surroundings(mask: _Mask) -> _Mask:
    """Return the disc around a spot in which it may change the scale, as a mask [H,W]."""
    rows, columns = np.nonzero(mask)
    down, right = np.ogrid[: mask.shape[0], : mask.shape[1]]
    squared = (down - rows.mean()) ** 2 + (right - columns.mean()) ** 2
    return np.asarray(squared <= _REACH**2 * mask.sum() / math.pi) | mask


def _measured(heat: _Heat, mask: _Mask, strength: float) -> Spot:
    rows, columns = np.nonzero(mask)
    row, column = (np.average(x + 0.5, weights=heat[mask]) for x in (rows, columns))
    height, width = mask.shape
    return Spot(float(row / height), float(column / width), strength, float(mask.mean()))
