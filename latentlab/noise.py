"""Noise maps as the projector treats them: regularised and renormalised.

Appendix D, Karras et al. 2020. Maps are [N,1,h,w], one a noise layer.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST = 8  # the regulariser's pyramid ends at this side


def noise_penalty(noise: Sequence[Tensor]) -> Tensor:
    """Squared correlation of noise maps with themselves moved by one pixel.

    Summed over maps, both directions, and a pyramid of 2x2 means down to 8x8; white noise has
    none, a picture hidden in the noise has much.

    Returns:
        Penalties [N], one an image.
    """
    total = noise[0].new_zeros(len(noise[0]))
    for full in noise:
        level = full
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean(dim=[1, 2, 3]).square()
            if level.shape[2] <= _SMALLEST:
                break
            level = F.avg_pool2d(level, 2)
    return total


@torch.no_grad()
def normalise_noise(noise: Sequence[Tensor]) -> None:
    """Bring every map to zero mean and unit mean square, in place, image by image."""
    for level in noise:
        level -= level.mean(dim=[1, 2, 3], keepdim=True)
        level *= level.square().mean(dim=[1, 2, 3], keepdim=True).rsqrt()
