"""Share of each resolution in a skip generator's output (Fig. 8, Karras et al. 2020).

The standard deviation of each ToRGB's pixels over latents, channels and places, as a share of
their sum. The paper does not say whether the output is upsampled first; both are given, by name.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, LatentError
from latentlab.networks.synthesis import NO_SKIP
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.result import MetricResult
from metrics.scheme import PERCENT
from metrics.statistics import bootstrap_rows

MEASURES = ("native", "upsampled")


@full_precision()
@torch.no_grad()
def contributions(
    g: Generator,
    num_samples: int = 1024,
    seed: int = 0,
    *,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Measure the share of each resolution, without truncation and with constant noise.

    Args:
        g: A generator of the skip architecture.
        num_samples: Number of latents.
        seed: Of the latents, and of the labels of a conditional generator.
        batch: Images at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the samples done and in all.

    Returns:
        Rows with ``measure`` (native, upsampled), ``resolution``, ``std`` and ``value``, the share
        in percent.

    Raises:
        LatentError: If the generator is not of the skip architecture.
        SettingsError: If a count is below 1.
    """
    sampling.check_counts(num_samples=num_samples, seed=seed, batch=batch)
    check_skip(g)
    images = sampling.batch_size(g, batch)

    def compute(samples: range) -> sampling.Arrays:
        z, c = sampling.draw_samples(g, sampling.whole_groups(samples), seed, Stream.CONTRIBUTIONS)
        return {k: v[: len(samples)] for k, v in _sums(g, g.mapping(z, c)).items()}

    arrays = sampling.in_batches(compute, range(num_samples), images, finished, progress)
    seconds = float(arrays.pop("seconds").sum())
    settings = {"n": num_samples, "seed": seed}
    return MetricResult("contributions", _shares(arrays, seed), settings, seconds=seconds)


def check_skip(g: Generator) -> None:
    """Raise LatentError unless a generator is of the skip architecture; nothing is rendered."""
    if not sampling.has_w(g):
        raise LatentError(
            "only a skip generator of StyleGAN2 adds up an RGB output of every resolution; this "
            f"one, {getattr(g, 'called', 'without W')}, makes its image from the last resolution "
            "alone"
        )
    if not getattr(g.synthesis, "is_skip", True):
        raise LatentError(NO_SKIP)


@torch.no_grad()
def contributions_of(g: Generator, ws_batches: Iterable[Tensor], seed: int = 0) -> pd.DataFrame:
    """Measure the share of each resolution for latents given by hand, ws [N,num_ws,w_dim].

    Returns the rows of ``contributions``; ``seed`` is the resampling's.
    """
    parts = [_sums(g, ws) for ws in ws_batches]
    return _shares({name: np.concatenate([p[name] for p in parts]) for name in parts[0]}, seed)


def _sums(g: Generator, ws: Tensor) -> sampling.Arrays:
    """Return count, sum and sum of squares [N,3] of each sample's pixels, in float64, by name."""
    sums = {}
    for resolution, rgb in g.rgb_by_resolution(ws).items():
        for measure, pixels in zip(MEASURES, (rgb, g.synthesis.upsample_rgb(rgb)), strict=True):
            wide = pixels.cpu().double().flatten(1)  # not every device has float64
            counts = torch.full([len(wide)], wide.shape[1], dtype=torch.float64)
            moments = torch.stack([counts, wide.sum(1), wide.square().sum(1)], dim=1)
            sums[f"{measure}-{resolution}"] = moments.numpy()
    return sums


def _shares(sums: sampling.Arrays, seed: int) -> pd.DataFrame:
    rows = []
    for measure in MEASURES:
        mine = {int(k.split("-")[1]): v for k, v in sums.items() if k.startswith(measure)}
        moments = np.stack(list(mine.values()), axis=1)  # [N,resolutions,3]
        std, shares = _std(moments.mean(axis=0)), _percent(moments.mean(axis=0))
        errors = bootstrap_rows(moments, _percent, seed)
        for i, resolution in enumerate(mine):
            rows.append({
                "quantity": f"{resolution}x{resolution}, {measure}", "unit": PERCENT,
                "value": shares[i], **errors[i].columns(),
                "measure": measure, "resolution": resolution, "std": std[i],
            })  # fmt: skip
    return pd.DataFrame(rows)


def _std(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation [...] from mean count, sum and sum of squares [...,3]."""
    count, total, squares = np.moveaxis(moments, -1, 0)
    return np.asarray(np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0)))


def _percent(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    std = _std(moments)
    total = std.sum(axis=-1, keepdims=True)
    return np.asarray(100 * std / np.where(total > 0, total, 1))
