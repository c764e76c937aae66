"""Pixel measures between a target and its reconstruction, on 8-bit pictures."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from latentlab.images import to_uint8

_SSIM_WINDOW = 11  # pixels, of the Gaussian with sigma 1.5 (Wang et al. 2004)


def pixel_quality(target: Tensor, image: Tensor) -> dict[str, float | None]:
    """Compare two images [C,H,W] in [-1,1] after rounding to bytes.

    Returns:
        ``mse`` in squared grey levels of 255, ``psnr`` in decibels (None for equal pictures),
        ``ssim`` as Wang et al. 2004 define it (None below 11 pixels).
    """
    first, second = (to_uint8(x.cpu()).permute(1, 2, 0).numpy() for x in (target, image))
    mse = float(np.mean((first.astype(np.float64) - second) ** 2))
    psnr = float(peak_signal_noise_ratio(first, second, data_range=255)) if mse > 0 else None
    ssim = None
    if min(first.shape[:2]) >= _SSIM_WINDOW:
        ssim = float(
            structural_similarity(
                first, second, data_range=255, channel_axis=2,
                gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            )
        )  # fmt: skip
    return {"mse": mse, "psnr": psnr, "ssim": ssim}
