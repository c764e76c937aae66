"""Share of each resolution in a skip generator's output (Fig. 8, Karras et al. 2020).

The standard deviation of each ToRGB's pixels over latents, channels and places, as a share of
their sum. The paper does not say whether the output is upsampled first; both are given, by name.
"""

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor

from latentlab import Generator
from latentlab.numerics import Stream
from metrics.result import MetricResult
from metrics.sampling import z_batches

MEASURES = ("native", "upsampled")


def contributions(
    g: Generator, num_samples: int = 1024, seed: int = 0, batch: int = 64
) -> MetricResult:
    """Measure the share of each resolution, without truncation and with constant noise.

    Returns:
        Rows with ``measure`` (native, upsampled), ``resolution``, ``std`` and ``value``, the share
        in percent.

    Raises:
        LatentError: If the generator is not of the skip architecture.
        SettingsError: If ``num_samples`` is below 1.
    """
    with torch.no_grad():
        ws = (
            g.mapping(z, c) for z, c in z_batches(g, num_samples, seed, Stream.CONTRIBUTIONS, batch)
        )
        rows = contributions_of(g, ws)
    return MetricResult("contributions", rows, {"n": num_samples, "seed": seed})


@torch.no_grad()
def contributions_of(g: Generator, ws_batches: Iterable[Tensor]) -> pd.DataFrame:
    """Measure the share of each resolution for latents given by hand, ws [N,num_ws,w_dim]."""
    moments: dict[tuple[str, int], _Moments] = {}
    for ws in ws_batches:
        for resolution, rgb in g.rgb_by_resolution(ws).items():
            for measure, pixels in (("native", rgb), ("upsampled", g.synthesis.upsample_rgb(rgb))):
                moments.setdefault((measure, resolution), _Moments()).add(pixels)
    rows = [
        {"measure": measure, "resolution": resolution, "std": moment.std()}
        for (measure, resolution), moment in sorted(moments.items())
    ]
    frame = pd.DataFrame(rows, columns=["measure", "resolution", "std"])
    totals = frame.groupby("measure")["std"].transform("sum")
    return frame.assign(value=100 * frame["std"] / totals)


class _Moments:
    """Count, sum and sum of squares in float64."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, pixels: Tensor) -> None:
        wide = pixels.cpu().double()  # not every device has float64
        self.count += wide.numel()
        self.total += float(wide.sum())
        self.squares += float(wide.square().sum())

    def std(self) -> float:
        mean = self.total / self.count
        return float(max(self.squares / self.count - mean**2, 0.0) ** 0.5)
