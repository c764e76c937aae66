"""A StyleGAN2 whose picture follows its noise linearly, so that every deviation is known."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab import Generator
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation

_MAPS = 4
_BIAS = 20.0  # what keeps features positive, where leaky ReLU is linear, whatever the noise


def planted_noise(coarse: float, fine: float, slope: float = 0.0) -> Generator:
    """Make a generator of 8x8 pixels: no convolution passes anything on, and noise stands alone.

    Noise of 4x4 pixels comes to the picture through its ToRGB and the upsampling, times
    ``coarse``, that of the last layer as it is, times ``fine``; both times 1 + slope x w's first
    component.
    """
    config = StyleGAN2Config(
        resolution=8, channel_base=8 * _MAPS, channel_max=_MAPS, z_dim=4, w_dim=4, mapping_layers=2
    )
    with seeded_initialisation(0):
        g = Generator(config)
    g.eval().requires_grad_(False)
    for parameter in g.synthesis.parameters():
        parameter.zero_()
    for block, times in zip(g.synthesis.blocks, (coarse, fine), strict=True):
        conv, rgb = block.get_submodule("conv1"), block.get_submodule("torgb")
        conv.noise_strength.fill_(1.0)
        conv.bias.fill_(_BIAS)
        rgb.weight[:, 0] = times * math.sqrt(_MAPS / 2)  # undoes ReLU's gain and ToRGB's
        rgb.affine.bias.fill_(1.0)
        rgb.affine.weight[0, 0] = slope * math.sqrt(g.w_dim)
    return g


def planted_scale(ws: torch.Tensor, slope: float) -> NDArray[np.float64]:
    """Return what multiplies the deviations of latents [N,num_ws,w_dim]: [N]."""
    return np.abs(1 + slope * ws[:, 0, 0].double().numpy())


def planted_map(coarse: float, fine: float) -> NDArray[np.float64]:
    """Return the deviation of each pixel [8,8], for a scale of 1.

    Upsampled by taps 1, 3, 3, 1, a pixel is made of 3/4 and 1/4 of its neighbours, and at the
    border of 3/4 of one, as zeros stand beyond.
    """
    along = np.full(8, 10 / 16)
    along[[0, -1]] = 9 / 16
    return np.sqrt(coarse**2 * np.outer(along, along) + fine**2)
