"""Droplets: the blob artefacts in a generator's feature maps (section 2, Karras et al. 2020).

In what share of images, in which layers, where, how strong and how large. What a droplet is stands
in ``metrics.droplet_detection``; all resolutions are looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, LatentError, NumericalError
from latentlab.checks import check_choice
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.blobs.heat import SHARE
from metrics.droplet_detection import (
    RULE,
    THRESHOLD,
    TYPES,
    Examined,
    Spot,
    check_threshold,
    examine,
    heat_maps,
)
from metrics.feature_maps import See, feature_layers, margin, watched
from metrics.result import Caution, MetricResult
from metrics.scheme import LOWER
from metrics.scheme import SHARE as UNIT
from metrics.statistics import share_uncertainty

ANY = "any"  # layer: the row of all layers together
NOISE = ("const", "random")
FIRST_SEEN = 64  # pixels, from which the paper reports them

_FEW = 50  # pictures: where none has a droplet, up to 7 % may still have


@full_precision()
@torch.no_grad()
def droplets(
    g: Generator,
    num_samples: int = 256,
    seed: int = 0,
    *,
    threshold: float = THRESHOLD,
    noise: str = "const",
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Measure in what share of images droplets are, without truncation.

    Args:
        g: A generator of any kind; labels of a conditional one are drawn at random.
        num_samples: Number of images.
        seed: Of latents, labels and noise.
        threshold: See ``metrics.droplet_detection.detect``.
        noise: "const" (the maps stored with the network, as pictures are usually made) or
            "random" (new ones for each image).
        batch: Images at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the samples done and in all.

    Returns:
        Rows with ``layer`` ("any" first, then each that the image is made from), ``resolution``,
        ``value`` (share of images with a droplet; Wilson's interval), ``mean_strength`` and
        ``detections`` (their number); ``at_border``, the spots at the border, which are in none of
        these; and ``refused``, the compact spots that were refused for the rest of their map
        alone. ``samples`` has one row per detection: sample, layer, resolution, row, column,
        strength, area_share and at_border, as ``droplet_detection.detect`` gives.

    Raises:
        LatentError: If the generator shows no feature maps.
        NumericalError: If a feature map holds NaN or infinity.
        SettingsError: If a setting is out of range.
    """
    sampling.check_counts(num_samples=num_samples, seed=seed, batch=batch)
    check_threshold(threshold)
    names = list(feature_layers(g))
    images = sampling.batch_size(g, batch)

    def compute(samples: range) -> sampling.Arrays:
        found: list[tuple[float, ...]] = []
        sizes, refused = np.zeros([2, len(samples), len(names)], dtype=np.int64)

        def see(name: str, maps: Tensor) -> None:
            layer = names.index(name)
            sizes[:, layer] = maps.shape[2]
            for i, each in enumerate(_examined(name, maps, threshold)[: len(samples)]):
                refused[i, layer] = each.refused
                found.extend((samples[i], layer, *astuple(spot)) for spot in each.spots)

        _render(g, samples, seed, noise, see)
        found_rows = np.array(sorted(found), dtype=float).reshape(-1, 2 + len(fields(Spot)))
        return {"found": found_rows, "sizes": sizes, "refused": refused}

    arrays = sampling.in_batches(compute, range(num_samples), images, finished, progress)
    seconds = float(arrays["seconds"].sum())
    settings = {"n": num_samples, "seed": seed, "threshold": threshold, "channel_share": SHARE,
                "noise": noise, "rule": RULE, "resolution": g.resolution}  # fmt: skip
    refused = dict(zip(names, arrays["refused"].sum(axis=0).tolist(), strict=True))
    sizes = dict(zip(names, arrays["sizes"].max(axis=0).tolist(), strict=True))
    if not any(sizes.values()):
        raise LatentError("this generator shows no feature maps [N, C, H, W]: nothing to examine")
    samples = _detections(arrays["found"], sizes)
    everything = sum(refused.values())
    rows = [_row(ANY, g.resolution, samples, num_samples, everything)]
    for name, size in sizes.items():
        if size:  # a network that has not fully grown leaves out its last layers
            mine = samples[samples["layer"] == name]
            rows.append(_row(name, size, mine, num_samples, refused[name]))
    found = cautions(settings)
    return MetricResult("droplets", pd.DataFrame(rows), settings, samples, seconds, found)


def cautions(settings: Mapping[str, Any]) -> tuple[Caution, ...]:
    """Say what there is to doubt about droplets that were looked for with these settings."""
    found, resolution = [], settings.get("resolution", FIRST_SEEN)
    if resolution < FIRST_SEEN:
        found.append(f"Droplets are known from {FIRST_SEEN}x{FIRST_SEEN} upwards: in pictures of "
                     f"{resolution}x{resolution}, finding none says little.")  # fmt: skip
    if settings["n"] < _FEW:
        found.append(f"Few pictures: {settings['n']:,} may miss what is rare; use {_FEW} or more.")
    return tuple(map(Caution, found))


@full_precision()
@torch.no_grad()
def images_and_heat(
    g: Generator, samples: Sequence[int], seed: int = 0, *, noise: str = "const"
) -> tuple[Tensor, Tensor]:
    """Render samples of ``droplets`` again, with heat maps to be drawn over them.

    Returns:
        Images [N,channels,R,R], and heat [N,R,R]: that of the layer which is hottest there, see
        ``metrics.droplet_detection.heat_maps``.
    """
    heat = torch.zeros([len(samples), g.resolution, g.resolution])
    layers = feature_layers(g)

    def see(name: str, maps: Tensor) -> None:
        found = heat_maps(_movable(maps)[: len(samples)]).cpu()[:, None]
        inner = 1 - 2 * margin(layers[name])
        size = round(found.shape[2] * inner)
        start = (found.shape[2] - size) // 2
        found = found[:, :, start : start + size, start : start + size]
        heat.copy_(heat.maximum(F.interpolate(found, heat.shape[1:], mode="bilinear")[:, 0]))

    images = _render(g, samples, seed, noise, see)
    return images[: len(samples)].cpu(), heat


def in_picture(g: Generator, found: pd.DataFrame) -> pd.DataFrame:
    """Return detections with row and column as fractions of the picture instead of the map.

    They differ for StyleGAN3 alone, whose maps have a margin around the picture: places in it are
    below 0 or above 1.
    """
    margins = {name: margin(layer) for name, layer in feature_layers(g).items()}
    edge = found["layer"].map(margins).astype(float)
    inner = 1 - 2 * edge
    places = {name: (found[name] - edge) / inner for name in ("row", "column")}
    return found.assign(**places, area_share=found["area_share"] / inner**2)


def _render(g: Generator, samples: Sequence[int], seed: int, noise: str, see: See) -> Tensor:
    """Render numbered samples in whole groups, and show the feature maps."""
    check_choice(noise, "noise", NOISE)
    numbers, stream = sampling.whole_groups(samples), Stream.DROPLETS
    z, c = sampling.draw_samples(g, numbers, seed, stream)
    maps = sampling.draw_noise_maps(g, numbers, seed, stream) if noise == "random" else None
    with watched(g, len(numbers), see):
        return sampling.render(g, z, c, maps)


def _examined(name: str, maps: Tensor, threshold: float) -> list[Examined]:
    try:
        return examine(_movable(maps), threshold)
    except NumericalError as error:
        raise NumericalError(f"{name}: {error}") from error


def _movable(maps: Tensor) -> Tensor:
    """Bring maps to where their quantiles can be taken."""
    return maps if maps.device.type == "cuda" else maps.cpu()


def _detections(found: NDArray[np.float64], sizes: dict[str, int]) -> pd.DataFrame:
    """Name the columns of detections [N,7]: sample, layer's number, and a Spot's."""
    layers = found[:, 1].astype(int)
    names = [field.name for field in fields(Spot)]
    columns = {
        name: column.astype(TYPES[name]) for name, column in zip(names, found.T[2:], strict=True)
    }
    return pd.DataFrame({
        "sample": found[:, 0].astype(int),
        "layer": pd.Series(np.array([*sizes], dtype=object)[layers], dtype=object),
        "resolution": np.array([*sizes.values()])[layers],
        **columns,
    })  # fmt: skip


def inside(found: pd.DataFrame) -> pd.DataFrame:
    """Return the detections that count: not those at the border, which zero padding makes."""
    return found[~found["at_border"].astype(bool)] if "at_border" in found else found


def _row(
    layer: str, resolution: int, found: pd.DataFrame, total: int, refused: int
) -> dict[str, Any]:
    counted = inside(found)
    hits = counted["sample"].nunique()
    return {
        "quantity": "pictures with droplets" + (f" in {layer}" if layer != ANY else ""),
        "unit": UNIT, "better_when": LOWER if layer == ANY else "", "value": hits / total,
        **share_uncertainty(hits, total).columns(),
        "layer": layer, "resolution": resolution,
        "mean_strength": counted["strength"].mean(), "detections": len(counted),
        "at_border": len(found) - len(counted), "refused": refused,
    }  # fmt: skip
