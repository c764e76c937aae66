"""The whitened latent norm (P-norm): how far a w lies from those that the generator makes.

Zhu et al. 2020, "Improved StyleGAN Embedding: Where are the Good Latents?", section 3: the last
leaky ReLU of the mapping network is undone, which makes w nearly normal (their P), and the
principal axes of many w are scaled to unit variance (P_N); the squared norm there is the term.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.checks import check
from latentlab.latents import sampled_w
from latentlab.networks.generator import Generator

_FLAT = 1e-10  # share of the largest variance below which an axis is rounding, and left out


class Whitening:
    """From w to the space where the generator's own w are of zero mean and unit variance.

    Attributes:
        axes: How many directions w has; fewer than w_dim where samples do not fill W.
    """

    def __init__(self, g: Generator, samples: int = 10_000, c: Tensor | None = None) -> None:
        """Sample w as ``w_statistics`` does, and find their principal axes in float64.

        Args:
            g: The generator.
            samples: How many w.
            c: Label [1,c_dim] of a conditional generator; None uses every class equally.

        Raises:
            SettingsError: If there is one sample, which has no axes.
        """
        check(samples > 1, "w_samples", "at least 2 for `p_norm_weight`", samples)
        self._slope = _undone_slope(g)
        p = self._before_activation(sampled_w(g, samples, c))
        mean = p.mean(dim=0)
        centred = p - mean
        variance, axes = torch.linalg.eigh(centred.T @ centred / len(p))
        kept = variance > _FLAT * variance[-1]
        whiten = axes[:, kept] / variance[kept].sqrt()
        like = g.w_mean
        self.axes = int(kept.sum())
        self._mean, self._whiten = mean.to(like), whiten.to(like)

    def __call__(self, w: Tensor) -> Tensor:
        """Return the squared norm of w [N,rows,w_dim] over the axes and rows, averaged: [N].

        It is 1 on average over the generator's own w.
        """
        v: Tensor = (self._before_activation(w) - self._mean) @ self._whiten
        return v.square().mean(dim=(1, 2))

    def _before_activation(self, w: Tensor) -> Tensor:
        return F.leaky_relu(w, self._slope)


def _undone_slope(g: Generator) -> float:
    """Return the slope that undoes the mapping network's last activation; 1 where it has none."""
    layers = g.mapping.config.mapping_layers
    last = g.mapping.get_submodule(f"fc{layers - 1}") if layers else None
    slope = getattr(last, "negative_slope", 1.0)
    return 1 / slope if slope > 0 else 1.0  # what a ReLU has cut off cannot be had back
