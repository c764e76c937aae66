"""What is measured of each pair of pictures: names, units, and the numbers of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.identity import CROPPED_FROM, FACE_SIDE, FaceIdentity
from latentlab.perceptual import PerceptualDistance
from metrics.fidelity_networks import Extractor
from metrics.picture_pairs.pixels import Pair, pair_of, pixel_errors, resized, stacked
from metrics.picture_pairs.structural_similarity import structural_similarity
from metrics.sampling import Arrays
from metrics.scheme import (
    COSINE,
    DECIBELS,
    DISTANCE,
    HIGHER,
    LOWER,
    OF_TWO,
    OF_TWO_SQUARED,
    SECONDS,
    SIMILARITY,
)

LOOK = 8  # pixels of a target's small grey picture, by which two are known to be of one thing
_PACKAGE = "lpips-"
_AT_ONCE = 8  # pictures that a network compares


class Measure(NamedTuple):
    """What a number of a pair is called in tables, its unit, and whether less or more is better."""

    quantity: str
    unit: str
    better_when: str


PIXELS = {
    "mse": Measure("MSE", OF_TWO_SQUARED, LOWER), "mae": Measure("MAE", OF_TWO, LOWER),
    "psnr": Measure("PSNR", DECIBELS, HIGHER), "ssim": Measure("SSIM", SIMILARITY, HIGHER),
    "ms_ssim": Measure("MS-SSIM", SIMILARITY, HIGHER),
}  # fmt: skip
IDENTITY, SECONDS_EACH = "identity", "seconds"
OTHERS = {
    IDENTITY: Measure("identity similarity", COSINE, HIGHER),
    SECONDS_EACH: Measure("seconds per picture", SECONDS, LOWER),
}


def measure_of(distance: PerceptualDistance) -> Measure:
    """Return what a perceptual distance is called: "LPIPS (alex)", or by its name or file."""
    name = distance.name
    if name.startswith(_PACKAGE):
        return Measure(f"LPIPS ({name.removeprefix(_PACKAGE)})", DISTANCE, LOWER)
    return Measure(f"distance ({PurePath(name).name})", DISTANCE, LOWER)


@dataclass(frozen=True)
class PairNetworks:
    """The networks that look at pairs.

    Attributes:
        distances: By the names of their columns.
        identity: Compares faces; None where none does.
        extractors: Of FID and KID, by score.
    """

    distances: dict[str, PerceptualDistance]
    identity: FaceIdentity | None
    extractors: dict[str, Extractor]


def columns_of(networks: PairNetworks) -> dict[str, Measure]:
    """Return the measures of each pair by their columns, the headline first."""
    found = {name: measure_of(distance) for name, distance in networks.distances.items()}
    faces = {} if networks.identity is None else {IDENTITY: OTHERS[IDENTITY]}
    return found | PIXELS | faces


@dataclass(frozen=True)
class SeenPair:
    """A pair at the size at which all is measured, and at that from which faces are cut."""

    pair: Pair
    faces: Pair


def seen(target: Tensor, result: Tensor, networks: PairNetworks, side: int) -> SeenPair:
    """Return images [C,H,W], in [-1,1] or bytes, as they are measured, which may be far smaller."""
    pair, wanted = pair_of(target, result, side), side
    if networks.identity is not None:
        wanted = FACE_SIDE if networks.identity.crop == "none" else CROPPED_FROM
    return SeenPair(pair, pair if wanted == side else pair_of(target, result, wanted))


@torch.no_grad()
def measured(those: Sequence[SeenPair], networks: PairNetworks) -> Arrays:
    """Measure pairs; returns arrays with a row for each.

    Besides the measures there are features of both sets, ``look``, the target made small, and
    ``alpha``, whether either picture has any.
    """
    pairs = [each.pair for each in those]
    views, owner = _views(pairs)
    errors = [pixel_errors(pair) for pair in pairs]
    arrays: Arrays = {name: np.array([each[name] for each in errors]) for name in errors[0]}
    similar = [structural_similarity(*map(_bytes, view)) for view in views]
    for name in ("ssim", "ms_ssim"):
        arrays[name] = _mean_by(owner, np.array([getattr(each, name)[0] for each in similar]))
    for name, distance in networks.distances.items():
        arrays[name] = _mean_by(owner, _compared(distance, views))
    if networks.identity is not None:
        faces, whose = _views([each.faces for each in those])
        arrays[IDENTITY] = _mean_by(whose, _compared(networks.identity, faces))
    for extractor in {each.name: each for each in networks.extractors.values()}.values():
        for kind in ("targets", "results"):
            on_white = [stacked(getattr(pair, kind)[:1]) for pair in pairs]
            pixels = _bytes(torch.cat(on_white)).to(torch.uint8)
            arrays[f"{kind} {extractor.name}"] = extractor.features(pixels.to(_device(extractor)))
    arrays["alpha"] = np.array([len(pair.targets) > 1 for pair in pairs])
    arrays["look"] = np.stack([resized(pair.targets[0], LOOK).mean(axis=2) for pair in pairs])
    return arrays


def _views(pairs: Sequence[Pair]) -> tuple[list[tuple[Tensor, Tensor]], NDArray[np.int64]]:
    """Return all views [1,3,side,side] in [-1,1] of target and result, and the pair of each."""
    views, owner = [], []
    for i, pair in enumerate(pairs):
        for target, result in zip(pair.targets, pair.results, strict=True):
            views.append((stacked([target]), stacked([result])))
            owner.append(i)
    return views, np.array(owner)


def _compared(
    compare: PerceptualDistance | FaceIdentity, views: Sequence[tuple[Tensor, Tensor]]
) -> NDArray[np.float64]:
    """Return what a network says of each view."""
    parts = []
    for start in range(0, len(views), _AT_ONCE):
        targets, results = (torch.cat(side) for side in zip(*views[start : start + _AT_ONCE],
                                                            strict=True))  # fmt: skip
        parts.append(compare(targets, results).double().cpu().numpy())
    return np.concatenate(parts)


def _mean_by(owner: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.bincount(owner, values) / np.bincount(owner)
    return found


def _bytes(images: Tensor) -> Tensor:
    """Return images in [-1,1], of 8 bits once, as numbers 0..255."""
    return ((images + 1) * 127.5).round()


def _device(extractor: Extractor) -> torch.device:
    weight = next(iter(extractor.network.parameters()), None)
    return torch.device("cpu") if weight is None else weight.device
