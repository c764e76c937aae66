"""Stochastic variation: what noise alone changes (section 3.2, Karras et al. 2019).

One latent is rendered under many draws of the noise maps, and each pixel's standard deviation over
them is taken: with noise in all layers, in the coarse or the fine ones, and in none.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, LatentError, SettingsError
from latentlab.checks import check, check_shape
from latentlab.errors import quoted
from latentlab.images import COMPARED_ON, alpha_facts, views
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.drawn_deviations import Spread, uncertainty
from metrics.result import Caution, MetricResult
from metrics.scheme import GREY_LEVELS as UNIT

SETS = ("all", "coarse", "fine", "none")
_IN_WORDS = MappingProxyType({
    "all": "all layers", "coarse": "coarse layers", "fine": "fine layers", "none": "no layers",
})  # fmt: skip
FINE_FROM = 64  # pixels; as published, noise at 4x4 to 32x32 is coarse
GREY_LEVELS = 127.5  # of 8 bits, in one unit of an image in [-1,1]

_FEW_LATENTS = 10
_FEW_DRAWS = 20  # a deviation of N comes out smaller by about 1 / (4 (N - 1))
_DRAW_BITS = 32  # of the number that keys a draw; the latent's number stands above them
_CHECKED_DRAWS = 8  # of the set without noise, where every draw is the same


@full_precision()
def stochastic_variation(
    g: Generator,
    num_latents: int = 16,
    num_draws: int = 100,
    seed: int = 0,
    *,
    fine_from: int | None = None,
    truncation_psi: float = 1.0,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Measure how much noise changes images: each pixel's standard deviation over draws.

    Args:
        g: A generator with noise layers; labels of a conditional one are drawn at random.
        num_latents: Latents, over which the deviation is averaged.
        num_draws: Draws of all noise maps for each latent; 100 as published.
        seed: Of latents, labels and noise.
        fine_from: The resolution from which noise layers are fine, see ``noise_sets``.
        truncation_psi: Of the latents.
        batch: Images at once on a GPU, see ``batch_size``.
        finished: Latents of an earlier run, see ``in_batches``.
        progress: Called with the latents done and in all.

    Returns:
        Rows with ``layers`` (all, coarse, fine, none), their ``resolutions`` and ``value``, the
        mean over pixels and latents in grey levels of 8 bits: 127.5 in one unit of an image in
        [-1,1]. ``samples`` has the mean over pixels of each latent by set, likewise.

    Raises:
        LatentError: If the generator has no noise layers.
        SettingsError: If a count is below 1, there is only one draw, or ``fine_from`` is no
            resolution that splits the layers.
    """
    sampling.check_counts(num_latents=num_latents)
    _check(num_draws, seed, batch)
    sets, images = noise_sets(g, fine_from), sampling.batch_size(g, batch)

    def compute(samples: range) -> sampling.Arrays:
        found = {name: np.empty(len(samples)) for name in sets}
        for row, number in enumerate(samples):
            ws = latent(g, number, seed, truncation_psi)
            maps = _deviations(g, ws, sets, num_draws, seed, number, images)
            for name, deviation in maps.items():
                found[name][row] = deviation.mean() * GREY_LEVELS
        return found

    arrays = sampling.in_batches(compute, range(num_latents), 1, finished, progress)
    seconds = float(arrays.pop("seconds").sum())
    settings = {
        "n": num_latents, "draws": num_draws, "seed": seed, "truncation_psi": truncation_psi,
        "split": split_text(g, sets), **alpha_facts(g.channels, COMPARED_ON),
    }  # fmt: skip
    rows = [_row(g, name, sets[name], arrays[name], num_draws) for name in SETS]
    samples = pd.DataFrame({"sample": np.arange(num_latents), **{k: arrays[k] for k in SETS}})
    return MetricResult("stochastic_variation", pd.DataFrame(rows), settings, samples, seconds,
                        cautions(settings))  # fmt: skip


def cautions(settings: Mapping[str, Any]) -> tuple[Caution, ...]:
    """Say what there is to doubt about deviations that were measured with these settings."""
    found = []
    if settings["n"] < _FEW_LATENTS:
        found.append(f"Few latents: {settings['n']} stand for all; use {_FEW_LATENTS} or more.")
    if settings["draws"] < _FEW_DRAWS:
        found.append(f"Few draws: the deviation of {settings['draws']} comes out too small; use "
                     f"{_FEW_DRAWS} or more.")  # fmt: skip
    return tuple(map(Caution, found))


def noise_sets(g: Generator, fine_from: int | None = None) -> dict[str, list[int]]:
    """Return the numbers of the noise layers that each of SETS has noise in.

    Args:
        g: A generator with noise layers.
        fine_from: The resolution from which layers are fine. None takes 64, as published, for
            images above 64 pixels; below, where that would leave little, the upper half of the
            resolutions.

    Raises:
        LatentError: If the generator has no noise layers.
        SettingsError: If ``fine_from`` leaves the coarse or the fine layers empty.
    """
    sizes = _noise_resolutions(g)
    known = sorted(set(sizes))
    if fine_from is None:
        upper = known[(len(known) + 1) // 2 :]
        border: float = FINE_FROM if known[-1] > FINE_FROM else upper[0] if upper else math.inf
    elif known[0] < fine_from <= known[-1]:
        border = fine_from
    else:
        choices = ", ".join(map(str, known[1:])) or "none, there is one resolution"
        raise SettingsError(
            f"`fine_from` must leave layers on both sides, but got {quoted(fine_from)}; "
            f"this generator can be split from: {choices}"
        )
    return {
        "all": list(range(len(sizes))),
        "coarse": [i for i, size in enumerate(sizes) if size < border],
        "fine": [i for i, size in enumerate(sizes) if size >= border],
        "none": [],
    }


@full_precision()
def deviation_maps(
    g: Generator,
    ws: Tensor,
    layers: Sequence[int] | None = None,
    num_draws: int = 100,
    seed: int = 0,
    *,
    numbers: Sequence[int] | None = None,
    batch: int | None = None,
) -> NDArray[np.float64]:
    """Return each pixel's standard deviation over noise draws for latents given by hand.

    It is the square root of the unbiased variance, in units of an image in [-1,1], not clipped.

    Args:
        g: A generator with noise layers.
        ws: Latents [N,num_ws,w_dim].
        layers: Numbers of the noise layers with noise, zero in the others; None has it in all.
        num_draws: Draws of all noise maps, two at least.
        seed: Of the noise.
        numbers: Of the latents: each has noise of its own. None counts from 0.
        batch: Images at once on a GPU, see ``batch_size``.

    Returns:
        Maps [N,C,R,R] in float64; of images with alpha, those on white and on black [N,6,R,R].
    """
    if sampling.has_w(g):
        check_shape(ws, [None, g.num_ws, g.w_dim], "ws")
    _check(num_draws, seed, batch)
    every = range(len(_noise_resolutions(g)))
    chosen = {"": list(every if layers is None else layers)}
    known = set(chosen[""]) <= set(every)
    check(known, "layers", f"within 0 to {every[-1]}", chosen[""])
    numbers = range(len(ws)) if numbers is None else numbers
    images = sampling.batch_size(g, batch)
    found = (
        _deviations(g, w, chosen, num_draws, seed, number, images)[""]
        for w, number in zip(ws.split(1), numbers, strict=True)
    )
    return np.stack([*found])


@torch.no_grad()
def latent(g: Generator, number: int, seed: int = 0, truncation_psi: float = 1.0) -> Tensor:
    """Return the numbered latent [1,num_ws,w_dim] that ``stochastic_variation`` takes."""
    z, c = sampling.draw_samples(g, sampling.whole_groups([number]), seed, Stream.STOCHASTIC)
    make = g.mapping if sampling.has_w(g) else g.latents
    ws: Tensor = make(z, c, truncation_psi=truncation_psi)
    return ws[:1]


@full_precision()
@torch.no_grad()
def realisations(
    g: Generator, ws: Tensor, layers: Sequence[int], draws: range, seed: int = 0, number: int = 0
) -> Tensor:
    """Render one latent [1,num_ws,w_dim] under numbered noise draws: images [N,C,R,R].

    Noise stands in the given layers and is zero in the others. ``number`` is the latent's.
    """
    maps = _draw_maps(g, draws, seed, number)
    return _rendered(g, ws, layers, maps)[: len(draws)]


def split_text(g: Generator, sets: Mapping[str, Sequence[int]]) -> str:
    """Say which layers are coarse and which are fine: "coarse 4-8, fine 16-32"."""
    return ", ".join(f"{name} {_span(g, sets[name])}" for name in ("coarse", "fine"))


@torch.no_grad()
def _deviations(
    g: Generator,
    ws: Tensor,
    sets: Mapping[str, Sequence[int]],
    num_draws: int,
    seed: int,
    number: int,
    batch: int,
) -> dict[str, NDArray[np.float64]]:
    """Return each set's map [C,R,R] for one latent [1,num_ws,w_dim], all from the same draws."""
    spreads = {name: Spread() for name in sets}
    at_once = len(sampling.whole_groups(range(batch)))
    for start in range(0, num_draws, at_once):
        draws = range(start, min(start + at_once, num_draws))
        maps = _draw_maps(g, draws, seed, number)
        for name, layers in sets.items():
            if layers or start < _CHECKED_DRAWS:
                images = _rendered(g, ws, layers, maps)[: len(draws)]
                seen = torch.cat(views(images), dim=1)
                spreads[name].add(seen.cpu().double().numpy())
    return {name: spread.deviation() for name, spread in spreads.items()}


def _row(
    g: Generator, name: str, layers: Sequence[int], values: NDArray[np.float64], num_draws: int
) -> dict[str, object]:
    return {
        "quantity": f"deviation by noise in {_IN_WORDS[name]}", "unit": UNIT,
        "value": float(values.mean()), **uncertainty(values, num_draws).columns(),
        "layers": name, "resolutions": _span(g, layers), "noise_layers": len(layers),
    }  # fmt: skip


def _noise_resolutions(g: Generator) -> list[int]:
    shapes = getattr(getattr(g, "synthesis", None), "noise_shapes", None)
    if not shapes:
        raise LatentError(
            "this generator has no noise layers, so nothing varies; StyleGAN and StyleGAN2 have "
            "them unless trained without"
        )
    return [int(shape[-1]) for shape in shapes]


def _draw_maps(g: Generator, draws: Sequence[int], seed: int, number: int) -> list[Tensor]:
    """Draw the noise maps of a latent's draws, in whole groups."""
    keys = [(number << _DRAW_BITS) + draw for draw in sampling.whole_groups(draws)]
    return sampling.draw_noise_maps(g, keys, seed, Stream.STOCHASTIC) or []


def _rendered(g: Generator, ws: Tensor, layers: Sequence[int], maps: Sequence[Tensor]) -> Tensor:
    """Render one latent with the maps of some layers, and zeros instead of the others."""
    noise = [each if i in layers else torch.zeros_like(each[:1]) for i, each in enumerate(maps)]
    images: Tensor = g.synthesis(ws.expand(len(maps[0]), -1, -1), noise=noise)
    return images


def _span(g: Generator, layers: Sequence[int]) -> str:
    sizes = [_noise_resolutions(g)[i] for i in layers]
    if not sizes:
        return "none"
    return str(sizes[0]) if sizes[0] == sizes[-1] else f"{min(sizes)}-{max(sizes)}"


def _check(num_draws: int, seed: int, batch: int | None) -> None:
    sampling.check_counts(num_draws=num_draws, seed=seed, batch=batch)
    check(num_draws > 1, "num_draws", "at least 2, for a deviation", num_draws)
