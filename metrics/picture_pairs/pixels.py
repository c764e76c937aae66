"""Pairs of pictures at one size, and how far their pixels are apart.

Sizes: as the scripts of pSp, e4e and HyperStyle prepare pictures, 8-bit colours are brought to
256x256 by Pillow's bilinear filter, which is antialiased; this is also what torchvision's
``Resize`` does to a picture. Of pictures with alpha, both views count, on white and on black.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latentlab.errors import ImageError
from latentlab.images import ALPHA, as_rgb, from_uint8, to_uint8
from latentlab.images.channels import BLACK, WHITE

SIDE = 256  # pixels, as published

Pixels = NDArray[np.uint8]  # [side,side,3]


@dataclass(frozen=True)
class Pair:
    """A target and its result as they are compared.

    Attributes:
        targets: Each view of the target [side,side,3] in 0..255: on white, and, where either
            picture has alpha, on black.
        results: The same views of the result.
    """

    targets: list[Pixels]
    results: list[Pixels]


def pair_of(target: Tensor, result: Tensor, side: int = SIDE) -> Pair:
    """Return images [C,H,W], in [-1,1] or bytes, as they are compared: in colour, at one size.

    Raises:
        ImageError: If a value is not finite.
    """
    alpha = ALPHA in (target.shape[0], result.shape[0])
    grounds = (WHITE, BLACK) if alpha else (WHITE,)
    seen = [[resized(_on(image, ground), side) for ground in grounds] for image in (target, result)]
    return Pair(*seen)


def resized(pixels: Pixels, side: int) -> Pixels:
    """Bring a picture [H,W,3] to a square by Pillow's bilinear filter, whatever its shape."""
    if pixels.shape[:2] == (side, side):
        return pixels
    picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def stacked(views: list[Pixels]) -> Tensor:
    """Return views [side,side,3] in 0..255 as images [N,3,side,side] in [-1,1]."""
    return from_uint8(torch.from_numpy(np.stack(views))).permute(0, 3, 1, 2)


def pixel_errors(pair: Pair) -> dict[str, float]:
    """Return ``mse`` and ``mae`` of values in [-1,1], over pixels, colours and views, and ``psnr``.

    PSNR is 10 log10(2^2 / mse), in dB, as the values range over 2; NaN for equal pictures, whose
    PSNR is infinite.
    """
    targets, results = (
        np.stack(views).astype(np.float64) for views in (pair.targets, pair.results)
    )
    error = (results - targets) / 127.5
    mse = float(np.mean(error**2))
    psnr = 10 * float(np.log10(4 / mse)) if mse > 0 else float("nan")
    return {"mse": mse, "mae": float(np.mean(np.abs(error))), "psnr": psnr}


def _on(image: Tensor, ground: float) -> Pixels:
    """Return an image [C,H,W], in [-1,1] or bytes, as bytes [H,W,3], alpha laid on a grey."""
    image = image.detach().cpu()
    if not bool(image.isfinite().all()):
        raise ImageError("a picture holds NaN or infinity")
    pixels = image if image.dtype == torch.uint8 else to_uint8(image)
    if image.shape[0] == ALPHA:
        pixels = to_uint8(as_rgb(from_uint8(pixels), ground))
    return np.ascontiguousarray(as_rgb(pixels).permute(1, 2, 0).numpy())
