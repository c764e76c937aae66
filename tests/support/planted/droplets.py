"""Generators of random weights, and droplets planted into them by their weights.

Each plant leaves the network's code and its hooks alone: a picture is made as from any checkpoint,
and the spot goes through noise, bias, activation, normalisation and style as everything else.

- StyleGAN1: a layer adds its stored noise map times a strength of each channel's own. The map gets
  the spots, and the strengths are set so that the chosen channels have the strength asked for; the
  other channels add no noise.
- StyleGAN2: one strength is shared by all channels. So the first layer of a resolution carries the
  spots, faintly, in a channel of its own, whose weights are zero, and the second layer's weights
  bring that channel's middle tap into the chosen channels.

The strength is measured on the map: at the peak, the distance from the channel's median in standard
deviations of the channel without the spots and the line. It is brought to what is asked for in the
median of a few pictures. Signs are drawn at random. A step or a line can be planted beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator
from latentlab.networks.layers import StyledConv
from latentlab.numerics import Stream
from metrics import droplets, sampling
from metrics.droplet_rates import inside
from metrics.feature_maps import watched

LINE = 21.0  # standard deviations of a planted line
STEP = 1.8  # of a step, which are 3.4 of what is on either side of it
CONTEXTS = ("plain", "step", "line", "border")

_CALIBRATED_ON = 8  # pictures
_ROUNDS = 4
_CARRIER = 0  # channel of the first layer that carries the spots
_FAINT = 0.5  # standard deviations of the carrying layer, at a spot's peak
_RIPPLE = 0.1  # noise that stays beside a spot of one deviation
_TRIES = 200  # to place all spots
_BORDER = 2  # pixels between the edge and the peak of a spot beside it


class NoRoomError(ValueError):
    """So many spots do not fit into the map."""


@dataclass(frozen=True)
class Plant:
    """What was planted.

    Attributes:
        layer: Name of the layer whose maps have the spots.
        resolution: Of these maps.
        places: Row and column of each peak in pixels [spots,2].
        chosen: Which channels have the spots [C].
    """

    layer: str
    resolution: int
    places: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    context: str = "plain"


def places_for(
    resolution: int, count: int, context: str, rng: np.random.Generator, apart: float
) -> NDArray[np.int64]:
    """Draw the peaks of spots [count,2], so far from each other, from the edge, and from a line.

    Beside the border all peaks are two pixels inside of the map; else three, or two at 16x16.

    Raises:
        NoRoomError: If they do not fit.
    """
    inside = min(3, resolution // 8)
    rows, columns = np.indices([resolution, resolution]).reshape(2, -1)
    from_edge = np.minimum(np.minimum(rows, columns), resolution - 1 - np.maximum(rows, columns))
    fits = from_edge == _BORDER if context == "border" else from_edge >= inside
    if context in ("line", "step"):
        fits &= np.abs(columns - _side(resolution)) >= max(4, apart)
    free = np.stack([rows, columns], axis=1)[fits]
    for _ in range(_TRIES):
        found: list[NDArray[np.int64]] = []
        left = rng.permutation(free)
        while len(left) and len(found) < count:
            found.append(left[0])
            left = left[np.hypot(*(left - left[0]).T) >= apart]
        if len(found) == count:
            return np.array(found)
    raise NoRoomError(f"no room for {count} spots at {resolution}x{resolution}, {apart} apart")


def _side(resolution: int) -> int:
    """Return the column where a line or a step is."""
    return resolution // 3


def pattern(
    resolution: int, places: NDArray[np.int64], sigma: float, strength: float, context: str
) -> Tensor:
    """Return what is planted, in units of a spot's peak [r,r]; a sigma of 0 is a single pixel."""
    down, right = np.mgrid[:resolution, :resolution]
    found = np.zeros([resolution, resolution])
    for row, column in places:
        squared = (down - row) ** 2.0 + (right - column) ** 2
        spot = np.exp(-squared / 2 / sigma**2) if sigma else squared == 0
        found = np.maximum(found, spot)
    side = _side(resolution)
    if context == "line":  # on top of nothing: no spot is near
        found += LINE / strength * (right == side)
    if context == "step":
        found += STEP / strength * (right < side)
    return torch.from_numpy(found).float()


def plant(
    g: Generator,
    resolution: int,
    count: int,
    strength: float,
    share: float,
    rng: np.random.Generator,
    *,
    sigma: float = 0.0,
    context: str = "plain",
    apart: float | None = None,
) -> Plant:
    """Plant spots into the last layer of a resolution.

    Args:
        g: A generator of StyleGAN1 or StyleGAN2 with noise; its weights are changed.
        resolution: Of the layer.
        count: Number of spots.
        strength: Standard deviations of each chosen channel, see above.
        share: Of the channels that have them.
        rng: Source of places, channels and signs.
        sigma: Of a spot in pixels; 0: a single one.
        context: "plain", "step" or "line" (a column or a side of the map that is raised in the
            same channels), or "border".
        apart: Least distance of two spots in pixels.
    """
    least = max(3.0, 6 * sigma) if apart is None else apart
    places = places_for(resolution, count, context, rng, least)
    block = g.synthesis.get_submodule(f"b{resolution}")
    is_first = hasattr(block, "layer1")
    layer = block.layer1 if is_first else block.conv1
    channels = len(layer.bias)
    chosen = rng.permutation(channels) < np.ceil(share * channels)
    signs = torch.from_numpy(rng.choice([-1.0, 1.0], channels) * chosen).float()
    shape = pattern(resolution, places, sigma, strength, context)
    noise = torch.from_numpy(rng.standard_normal(shape.shape)).float()
    made = Plant(
        f"b{resolution}.{'layer1' if is_first else 'conv1'}", resolution, places, chosen, context
    )
    if is_first:
        layer.noise_const.copy_(shape + _RIPPLE / strength * noise)
        gains = layer.noise_strength
    else:
        gains = _carried(g, block.conv0, layer, shape)
    gains.copy_(signs)
    for _ in range(_ROUNDS):
        measured = np.median(strengths(g, made, range(_CALIBRATED_ON)), axis=(0, 2))
        factor = np.where(chosen, strength / np.maximum(measured, 0.01 * strength), 1)
        gains.mul_(torch.from_numpy(factor).float().clamp(0.1, 20))
    return made


def _carried(g: Generator, first: StyledConv, second: StyledConv, shape: Tensor) -> Tensor:
    """Have a layer carry a map to the next in one channel; return the weights [C] that take it."""
    first.weight[_CARRIER] = 0
    first.bias[_CARRIER] = 0
    first.noise_const.copy_(shape)
    first.noise_strength.fill_(_FAINT)  # demodulated maps have a standard deviation of about 1
    second.affine.weight[_CARRIER] = 0  # the same in every style
    second.affine.bias[_CARRIER] = 1
    second.noise_strength.fill_(0)  # demodulation leaves the spots their size, and makes all else
    second.bias.fill_(0)  # smaller, but for these
    second.weight[:, _CARRIER] = 0
    return second.weight[:, _CARRIER, 1, 1]


def maps_of(g: Generator, layer: str, samples: Sequence[int], seed: int = 0) -> Tensor:
    """Return a layer's maps [N,C,H,W] of the samples that ``droplets`` looks at."""
    numbers = sampling.whole_groups(samples)
    z, c = sampling.draw_samples(g, numbers, seed, Stream.DROPLETS)
    found: dict[str, Tensor] = {}
    with torch.no_grad(), watched(g, len(numbers), lambda name, x: found.update({name: x.clone()})):
        sampling.render(g, z, c)
    return found[layer][: len(samples)]


def strengths(g: Generator, made: Plant, samples: Sequence[int]) -> NDArray[np.float64]:
    """Measure the planted spots: standard deviations [N,C,spots] at the peaks."""
    maps = maps_of(g, made.layer, samples).double().numpy()
    down, right = np.mgrid[: made.resolution, : made.resolution]
    away = [np.hypot(down - row, right - column) for row, column in made.places]
    reach = 1.5 if len(made.places) * 9 < 0.5 * made.resolution**2 else 0.5
    line = (made.context == "line") & (right == _side(made.resolution))
    rest = maps[:, :, (np.min(away, axis=0) > reach) & ~line]
    peaks = maps[:, :, made.places[:, 0], made.places[:, 1]]
    middle = np.median(rest, axis=2, keepdims=True)
    return np.asarray(np.abs(peaks - middle) / np.maximum(rest.std(axis=2, keepdims=True), 1e-9))


@dataclass(frozen=True)
class Score:
    """What ``droplets`` found of a plant.

    Attributes:
        strengths: Of each planted spot in each picture, what all chosen channels reach [N,spots].
        found: Whether it was found in the planted layer [N,spots].
        detections: Number of droplets found in any layer.
        wrong: Those among them that are at no planted place, or are a second one there.
    """

    strengths: NDArray[np.float64]
    found: NDArray[np.bool_]
    detections: int
    wrong: int


def score(g: Generator, made: Plant, pictures: int) -> Score:
    """Compare what ``droplets`` finds with what was planted.

    A place is right within one and a half pixels of the planted layer, and of a smaller one.
    """
    measured = strengths(g, made, range(pictures))[:, made.chosen].min(axis=1)
    samples = inside(droplets(g, pictures).samples)
    places = (made.places + 0.5) / made.resolution
    found = np.zeros(measured.shape, dtype=bool)
    seen: set[tuple[int, str, int]] = set()
    for row in samples.itertuples():
        away = np.hypot(row.row - places[:, 0], row.column - places[:, 1])
        spot = int(away.argmin())
        right = away[spot] <= 1.5 / min(row.resolution, made.resolution)
        key = (row.sample, row.layer, spot)
        if right and key not in seen:
            seen.add(key)
            found[row.sample, spot] |= row.layer == made.layer
    return Score(measured, found, len(samples), len(samples) - len(seen))
