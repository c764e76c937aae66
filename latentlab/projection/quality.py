"""Pixel measures between a target and its reconstruction, on 8-bit pictures.

Of images with alpha, they are over both views: on white and on black.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.images import from_uint8, to_uint8, views

_SSIM_WINDOW = 11  # pixels, of the Gaussian with sigma 1.5 (Wang et al. 2004)
_BORDER = _SSIM_WINDOW // 2  # pixels where the window would leave the picture


def pixel_quality(target: Tensor, image: Tensor) -> dict[str, float | None]:
    """Compare two images [C,H,W] in [-1,1] after rounding to bytes.

    Returns:
        ``mse`` in squared grey levels of 255, ``psnr`` in decibels (None for equal pictures),
        ``ssim`` as Wang et al. 2004 define it (None below 11 pixels).
    """
    first, second = _pixels(target), _pixels(image)
    mse = float(np.mean((first.astype(np.float64) - second) ** 2))
    psnr = _peak_ratio(first, second) if mse > 0 else None
    ssim = None
    if min(first.shape[:2]) >= _SSIM_WINDOW:
        ssim = float(_similarity(first, second))
    return {"mse": mse, "psnr": psnr, "ssim": ssim}


def masked_quality(target: Tensor, image: Tensor, mask: Tensor) -> dict[str, float | None]:
    """Compare two images [C,H,W] in [-1,1] within a mask [1,H,W] in [0,1].

    Each pixel counts as much as the mask says; what lies where it is 0 changes nothing. A mask of
    ones gives the numbers of ``pixel_quality``.

    Returns:
        ``mse``, the mean of the squared differences, weighted by the mask, its ``psnr``, and
        ``ssim``, the mean, so weighted, of the similarity at each pixel of a picture that is the
        target where the mask is 0 (None where the mask has nothing of what SSIM looks at).
    """
    first, second = (_pixels(x).astype(np.float64) for x in (target, image))
    weight = mask.cpu().permute(1, 2, 0).double().numpy()  # [H,W,1]
    mse = float(_weighted_mean((first - second) ** 2, weight))
    psnr = 10 * float(np.log10(255**2 / mse)) if mse > 0 else None
    ssim = None
    if min(first.shape[:2]) >= _SSIM_WINDOW:
        seen = np.s_[_BORDER:-_BORDER, _BORDER:-_BORDER]
        _, local = _similarity(first, first + weight * (second - first), full=True)
        ssim = float(_weighted_mean(local[seen], weight[seen])) if weight[seen].any() else None
    return {"mse": mse, "psnr": psnr, "ssim": ssim}


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    """Return an image's bytes [H,W,C]; with alpha, those of its saved picture's views [H,W,6]."""
    pixels = to_uint8(image.cpu())
    seen = [to_uint8(view) for view in views(from_uint8(pixels))]
    return torch.cat(seen).permute(1, 2, 0).numpy()


def _peak_ratio(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the PSNR of two pictures in 0..255, in decibels."""
    from skimage.metrics import peak_signal_noise_ratio  # imports scipy.stats, which takes long

    return float(peak_signal_noise_ratio(first, second, data_range=255))


def _similarity(first: NDArray[Any], second: NDArray[Any], full: bool = False) -> Any:
    """Return the mean SSIM of two pictures [H,W,C] in 0..255; with ``full`` also that by pixel."""
    from skimage.metrics import structural_similarity

    return structural_similarity(
        first, second, data_range=255, channel_axis=2, full=full,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip


def _weighted_mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> Any:
    """Return the mean of values [H,W,C], each as heavy as its pixel's weight [H,W,1]."""
    return np.average(values, weights=np.broadcast_to(weight, values.shape))
