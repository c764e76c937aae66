"""Structural similarity of pictures at one scale and at five.

SSIM: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
Eq. 13. MS-SSIM: Wang et al. 2003, "Multi-scale structural similarity for image quality
assessment", Eq. 7 with the weights of its section 3.2. The window is a Gaussian of 11x11 pixels
with sigma 1.5, used where it lies inside the picture; each colour counts as a picture of its own,
and the mean is over all of them. Between scales, pictures are averaged over 2x2 pixels.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first
SMALLEST = WINDOW * 2 ** (len(WEIGHTS) - 1)  # pixels, so that the window fits into the last scale

_LUMINANCE, _CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # C1 and C2 of both papers


class Similarity(NamedTuple):
    """Similarity of pictures: SSIM and MS-SSIM of each; NaN where they are too small for it."""

    ssim: NDArray[np.float64]
    ms_ssim: NDArray[np.float64]


@torch.no_grad()
def structural_similarity(first: Tensor, second: Tensor) -> Similarity:
    """Compare pictures [N,C,H,W] in 0..255 in float64.

    A mean contrast and structure below zero, which only pictures opposed to each other have, counts
    as zero in MS-SSIM, whose powers do not exist there.

    Returns:
        SSIM [N], NaN below 11 pixels, and MS-SSIM [N], NaN below 176 (``SMALLEST``).
    """
    x, y = first.double(), second.double()
    side, missing = min(x.shape[-2:]), np.full(len(x), math.nan)
    if side < WINDOW:
        return Similarity(missing, missing)
    whole, contrast = _at_one_scale(x, y)
    ssim = whole.numpy()
    if side < SMALLEST:
        return Similarity(ssim, missing)
    product = torch.ones(len(x), dtype=torch.float64)
    for weight in WEIGHTS[:-1]:
        product *= contrast.clamp(min=0) ** weight
        x, y = (F.avg_pool2d(pictures, 2) for pictures in (x, y))
        whole, contrast = _at_one_scale(x, y)
    product *= whole.clamp(min=0) ** WEIGHTS[-1]
    return Similarity(ssim, product.numpy())


def _at_one_scale(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean similarity [N], and mean contrast and structure [N], of [N,C,H,W]."""
    maps = torch.stack([x, y, x * x, y * y, x * y])
    mean_x, mean_y, square_x, square_y, product = _blurred(maps)
    variance = square_x - mean_x**2 + square_y - mean_y**2
    covariance = product - mean_x * mean_y
    contrast = (2 * covariance + _CONTRAST) / (variance + _CONTRAST)
    luminance = (2 * mean_x * mean_y + _LUMINANCE) / (mean_x**2 + mean_y**2 + _LUMINANCE)
    return (luminance * contrast).mean(dim=[1, 2, 3]), contrast.mean(dim=[1, 2, 3])


def _blurred(maps: Tensor) -> Tensor:
    """Average maps [...,H,W] with the window: [...,H-10,W-10].

    As two products of matrices, which is faster than a convolution in float64.
    """
    high, wide = (_averages(side) for side in maps.shape[-2:])
    return high @ maps @ wide.T


@cache
def _averages(side: int) -> Tensor:
    """Return the matrix [side-10,side] whose rows weigh a window each."""
    places = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    taps = torch.exp(-(places**2) / (2 * SIGMA**2))
    rows = torch.zeros(side - WINDOW + 1, side, dtype=torch.float64)
    for row in range(len(rows)):
        rows[row, row : row + WINDOW] = taps / taps.sum()
    return rows
