"""Mean and covariance of w, which directions in W are found by and their strengths counted in."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.checks import check
from latentlab.latents import draw_labels, draw_z
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, full_precision

_AT_ONCE = 1000  # whatever the number of samples, so that sums do not depend on it


@dataclass(frozen=True)
class WMoments:
    """What is known of how w is spread.

    Attributes:
        mean: Of w [w_dim], float64.
        covariance: Of w [w_dim,w_dim], float64, divided by one less than the number of samples.
        samples: How many.
        seed: Of the samples.
    """

    mean: Tensor
    covariance: Tensor
    samples: int
    seed: int

    def deviations(self, vectors: Tensor) -> Tensor:
        """Return the standard deviation of w along each of ``vectors`` [K,w_dim], float64 [K]."""
        n = vectors.double()
        return ((n @ self.covariance) * n).sum(dim=1).clamp(min=0).sqrt()


@full_precision()
@torch.no_grad()
def w_moments(
    g: Generator,
    samples: int = 100_000,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> WMoments:
    """Measure mean and covariance of untruncated w over numbered samples, in float64.

    However many samples there are, memory is that of the covariance. For a conditional generator
    labels are drawn, every class equally likely.

    Args:
        g: The generator.
        samples: Number of z.
        seed: Of z and labels.
        progress: Called with the number of samples done, and of all.

    Raises:
        LatentError: If the generator has no W.
        SettingsError: If there are fewer than two samples.
    """
    check(samples >= 2, "samples", "2 or more for a deviation", samples)
    centre = g.w_mean.double().cpu()  # near the mean, so that differences lose no digits
    first = torch.zeros(g.w_dim, dtype=torch.float64)
    second = torch.zeros(g.w_dim, g.w_dim, dtype=torch.float64)
    for start in range(0, samples, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, samples))
        z = draw_z(numbers, g.z_dim, seed, Stream.DIRECTIONS).to(g.device)
        c = draw_labels(numbers, g.c_dim, seed, Stream.DIRECTIONS).to(z) if g.c_dim else None
        w = g.mapping(z, c)[:, 0].double().cpu() - centre
        first += w.sum(dim=0)
        second += w.T @ w
        progress(numbers.stop, samples)
    mean = first / samples
    covariance = (second - samples * torch.outer(mean, mean)) / (samples - 1)
    return WMoments(centre + mean, covariance, samples, seed)
