"""What a network needs and its file does not hold: filters, the mean of W, noise maps.

Random ones come from a fixed seed, so that a file always opens as the same network.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from latentlab.networks.generator import Generator
from latentlab.networks.layers import DEFAULT_TAPS
from latentlab.networks.ops import fir_kernel
from latentlab.numerics import Stream, keyed_generator

NO_NOISE_MAPS = "The file has no noise maps; random ones from a fixed seed are used."

_SEED = 0
_BATCH = 1024  # latents mapped at a time


def resample_filters(network: nn.Module) -> dict[str, Tensor]:
    """Return the filter buffers of a network that may be without memory, as its config says.

    A buffer whose length is not that of the config's filter is of a layer that has the default.
    """
    filters, config = {}, cast(Any, network.config)
    for name, buffer in network.state_dict().items():
        if name.endswith("resample_filter"):
            taps = config.resample_filter
            filters[name] = fir_kernel(taps if len(taps) == len(buffer) else DEFAULT_TAPS)
    return filters


def noise_map(resolution: int, layer: int) -> Tensor:
    """Draw the noise [resolution,resolution] of a layer."""
    rng = keyed_generator("cpu", _SEED, Stream.FILE_NOISE, layer)
    return torch.randn(resolution, resolution, generator=rng)


def uniform_noise_map(resolution: int) -> Tensor:
    """Draw the noise [resolution,resolution], uniform in [0,1], of a network that has one map."""
    rng = keyed_generator("cpu", _SEED, Stream.FILE_NOISE, 0)
    return torch.rand(resolution, resolution, generator=rng)


def set_w_mean(g: Generator, count: int) -> str:
    """Give a generator the mean of ``count`` random w, and return a sentence that says so.

    Where there are labels, each class has the same share of them.
    """
    with torch.inference_mode():
        total = torch.zeros(g.w_dim, dtype=torch.float64)
        for first in range(0, count, _BATCH):
            rng = keyed_generator("cpu", _SEED, Stream.FILE_W_MEAN, first)
            z = torch.randn(min(_BATCH, count - first), g.z_dim, generator=rng)
            total += g.mapping(z, _labels(g, first, len(z)))[:, 0].double().sum(dim=0)
    g.mapping.w_avg.copy_(total / count)
    return (
        f"The file has no mean of w, the centre of truncation; the mean of {count} random w (seed "
        f"{_SEED}) is used."
    )


def _labels(g: Generator, first: int, count: int) -> Tensor | None:
    """Return labels [count,c_dim] of the classes in turn, or None for a generator without."""
    if g.c_dim == 0:
        return None
    labels = torch.zeros(count, g.c_dim)
    labels[torch.arange(count), torch.arange(first, first + count) % g.c_dim] = 1
    return labels
