"""Droplets in feature maps given by hand (section 2, Karras et al. 2020).

A droplet is a small round spot that stands far out of many feature maps at one place. Each channel
is compared with itself alone, so that scaling or shifting a channel changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from latentlab import LatentError, NumericalError
from latentlab.checks import check
from metrics.blobs.heat import Deviations
from metrics.blobs.shapes import Heat, Mask, Shape, compact_spots, extended, is_grid

THRESHOLD = 5.0  # robust standard deviations
RULE = 2  # of these: numbers of another rule do not compare; 1 asked for a gap above all else

TYPES = {
    "sample": int, "resolution": int, "row": float, "column": float, "strength": float,
    "area_share": float, "at_border": bool,
}  # fmt: skip

_FIRST = 0.6  # of the threshold: a spot of the largest area has this much in its own scale
_REST = 0.35  # share of the map that must remain to compare spots with
_CONTRAST = 1.2  # of the threshold, that a spot has against its surroundings
_ABOVE = 2.0  # times what the map may reach by chance
_ARMS = 2  # of a line that a spot is beside; where lines cross there are four
_MANY = 32  # spots in one map: where there are more, they are its pattern


@dataclass(frozen=True)
class Spot:
    """A droplet in one map: centre as fractions of height and width, area as a share of the map.

    ``strength`` is what 40 % of the channels exceed at the peak, in robust standard deviations.
    """

    row: float
    column: float
    strength: float
    area_share: float
    at_border: bool = False


@dataclass(frozen=True)
class Examined:
    """What was found in one sample's maps.

    Attributes:
        spots: The droplets, strongest first.
        refused: Number of compact spots that were refused for the rest of the map alone.
    """

    spots: list[Spot] = field(default_factory=list)
    refused: int = 0


def detect(maps: Tensor, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Find the droplets in feature maps.

    Args:
        maps: Feature maps [N,C,H,W] of one layer.
        threshold: Robust standard deviations that 40 % of the channels must deviate by.

    Returns:
        One row per droplet: ``sample`` (from 0), ``resolution`` (H), ``row`` and ``column`` of the
        centre as fractions of height and width, ``strength`` (the robust standard deviations that
        40 % of the channels exceed at the peak, at most 1000) and ``area_share`` (of the map,
        where the heat is half of the peak's or more) and ``at_border`` (whether the spot lies on
        the map's edge, where zero padding makes such spots; they are in no share of pictures).

    Raises:
        LatentError: If ``maps`` is not [N,C,H,W].
        NumericalError: If a map holds NaN or infinity.
        SettingsError: If ``threshold`` is not positive.
    """
    rows = [
        (sample, maps.shape[2], *astuple(spot))
        for sample, spots in enumerate(find_spots(maps, threshold))
        for spot in spots
    ]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def find_spots(maps: Tensor, threshold: float = THRESHOLD) -> list[list[Spot]]:
    """Find the droplets in feature maps [N,C,H,W]: one list per sample. See ``detect``."""
    return [each.spots for each in examine(maps, threshold)]


def examine(maps: Tensor, threshold: float = THRESHOLD) -> list[Examined]:
    """Find the droplets in feature maps [N,C,H,W], and count what was refused, of each sample."""
    check_threshold(threshold)
    _check(maps)
    return [_examined(Deviations.of(sample), threshold) for sample in maps.detach()]


def heat_maps(maps: Tensor) -> Tensor:
    """Return how far each place is out of its channels' range, [N,H,W], from maps [N,C,H,W].

    The heat is what 40 % of the channels exceed there: the distance from the channel's median in
    robust standard deviations, of which the 90 % quantile of distances is 1.645. It raises what
    ``detect`` does of maps.
    """
    _check(maps)
    return torch.stack([Deviations.of(sample).scaled().heat for sample in maps.detach()])


def check_threshold(threshold: float) -> None:
    """Raise SettingsError unless the threshold is a positive number."""
    check(0 < threshold < math.inf, "threshold", "a positive number", threshold)


def _check(maps: Tensor) -> None:
    if maps.ndim != 4 or 0 in maps.shape:
        raise LatentError(f"`maps` must have shape [N, C, H, W], but got {list(maps.shape)}")
    if not bool(torch.isfinite(maps.float()).all()):  # as they are looked at
        raise NumericalError("feature maps hold NaN or infinity")


def _examined(maps: Deviations, threshold: float) -> Examined:
    """Return the compact spots of one sample that stand out of the map and of what is around them.

    The scale is taken anew without them, for large spots raise the quantile that measures them.
    """
    heat = maps.scaled().heat.cpu().numpy()
    body = _without(list(compact_spots(heat, _FIRST * threshold)), heat)
    if body.all():
        return Examined()
    clean = maps.scaled(body)
    heat = clean.heat.cpu().numpy()
    spots = list(compact_spots(heat, threshold))
    elsewhere = np.ones(heat.shape, dtype=bool)
    for spot in spots:
        elsewhere &= ~spot.mask
    least = _CONTRAST * threshold
    clear = [
        each for each in spots
        if maps.contrast(each, elsewhere, clean.scale) > least
        and each.arms(heat, _FIRST * threshold, elsewhere) <= _ARMS
    ]  # fmt: skip
    level = _by_chance(heat, spots, _FIRST * threshold)
    outstanding = [each for each in clear if heat[each.peak] > level]
    if len(outstanding) > _MANY or is_grid([each.peak for each in outstanding]):
        outstanding = []
    found = sorted((_measured(heat, each) for each in outstanding), key=lambda spot: -spot.strength)
    return Examined(found, len(clear) - len(found))


def _without(spots: Sequence[Shape], heat: Heat) -> Mask:
    """Return the places [H,W] outside of spots, of as many as leave enough of the map."""
    rest = np.ones(heat.shape, dtype=bool)
    for spot in spots:
        less = rest & ~spot.surroundings()
        if less.mean() < _REST:
            break
        rest = less
    return rest


def _by_chance(heat: Heat, spots: Sequence[Shape], line: float) -> float:
    """Return the heat up to which a spot may be what the rest of the map has by chance.

    The upper tail is continued as an exponential one from the 90 % and 99 % quantiles: noise that
    all channels share has single pixels of every height. Lines and areas hotter than ``line`` are
    left out, and spots, but for those that turn out to belong to the noise.
    """
    body, level = ~extended(heat, line), 0.0
    for _ in range(2):
        inside = heat[body & _without([each for each in spots if heat[each.peak] > level], heat)]
        if inside.size == 0:
            break
        lower, upper = np.quantile(inside, [0.9, 0.99])
        per_factor = (upper - lower) / math.log(10)
        level = _ABOVE * float(upper + per_factor * max(0.0, math.log(0.01 * heat.size)))
    return level


def _measured(heat: Heat, spot: Shape) -> Spot:
    rows, columns = np.nonzero(spot.mask)
    weights = heat[spot.mask]
    row, column = (np.average(x + 0.5, weights=weights) for x in (rows, columns))
    height, width = spot.mask.shape
    return Spot(float(row / height), float(column / width), float(heat[spot.peak]),
                float(spot.mask.mean()), spot.is_at_border(heat))  # fmt: skip
