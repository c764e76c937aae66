"""Pictures that are shifted and turned by signal processing (appendix E, Karras et al. 2021).

What lies between pixels is found by windowed sinc filters (Lanczos, a = 3). Each operator gives
the picture and a mask of the pixels that depend on nothing beyond its edges.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float64]

_A = 3  # pixels on each side that a Lanczos window reaches
_REACH = 2 * _A  # of two of them convolved
_UP = 4  # samples between pixels where a picture is turned
_SPAN = 64  # pixels to each side of the grid on which filters are designed


def shifted(images: Tensor, x: float, y: float, whole: bool) -> tuple[Tensor, Tensor]:
    """Shift images [N,C,H,W] by x pixels to the right and y down; returns them and a mask [H,W].

    ``whole`` rounds the shift to whole pixels, else what lies between them is found by a filter.
    What comes in from beyond the edges is 0.
    """
    height, width = images.shape[2:]
    down, across = _shift(height, y, whole), _shift(width, x, whole)
    result = down[0].to(images) @ images @ across[0].to(images).T
    return result, (down[1][:, None] & across[1]).to(images)


def turned(images: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Turn square images [N,C,R,R] about their centre; returns them and a mask [R,R].

    Only what both the upright and the turned grid of pixels can hold is left of them.

    Args:
        images: The images.
        angle: Radians, against the clock.
    """
    size = images.shape[-1]
    kernel = torch.from_numpy(turn_filter(angle, _UP)).to(images)
    reach = len(kernel) // 2  # in samples, and where the first pixel is among them
    flat = images.reshape(-1, 1, size, size)
    fine = functional.conv_transpose2d(flat, kernel[None, None] * _UP**2, stride=_UP)
    places = _UP * _sources(size, angle) + reach  # [R,R,2], x and y
    grid = ((2 * places + 1) / fine.shape[-1] - 1).to(images).expand(len(flat), -1, -1, -1)
    result = functional.grid_sample(fine, grid, "bilinear", "zeros", align_corners=False)
    # The filter's reach, and the half pixel that published masks have to spare at either end.
    low, high = 2 * reach - 1, _UP * size - _UP
    inside = (places.round() >= low) & (places.round() <= high)
    return result.view_as(images), inside.all(dim=-1).to(images)


def as_if_turned(images: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Take from turned images [N,C,R,R] what turning takes away; returns them and a mask [R,R]."""
    kernel = torch.from_numpy(turn_filter(-angle, 1)).to(images)
    pad = kernel.shape[0] // 2
    mask = torch.zeros_like(images[0, 0])
    mask[pad:-pad, pad:-pad] = 1
    return _filtered(functional.pad(images, [pad] * 4), kernel), mask


@lru_cache(maxsize=8)
def turn_filter(angle: float, up: int) -> Array:
    """Return the filter [12 up - 1]^2 that keeps what two grids, one of them turned, can hold.

    It is the convolution of both squares' sinc filters, windowed by the convolution of both
    squares' Lanczos windows. Between two pixels it has ``up`` samples, and each set of samples a
    pixel apart adds up to 1/up^2.
    """
    x, y = _plane(up)
    cos, sin = math.cos(angle), math.sin(angle)
    turned_x, turned_y = cos * x + sin * y, cos * y - sin * x
    cut = (_SPAN - _REACH) * up
    kernel = np.ones([1, 1])
    for upright, tilted in zip(_upright(up), (np.sinc, _lanczos), strict=True):
        waves = np.fft.rfft2(np.fft.ifftshift(tilted(turned_x) * tilted(turned_y)))
        # As if both went on periodically.
        convolved = np.fft.fftshift(np.fft.irfft2(upright * waves, s=x.shape))
        kernel = kernel * convolved[cut:-cut, cut:-cut]
    phases = [np.s_[i::up, j::up] for i in range(up) for j in range(up)]
    for phase in phases:
        kernel[phase] /= kernel[phase].sum() * up**2
    return kernel


def _shift(size: int, pixels: float, whole: bool) -> tuple[Tensor, Tensor]:
    """Return the matrix [size,size] that shifts a line, and which pixels come from inside it."""
    target, source = torch.arange(size)[:, None], torch.arange(size)
    if whole:
        steps = round(pixels)
        return (target - source == steps).double(), _between(size, steps, size + steps)
    steps = math.floor(pixels)
    taps = np.arange(1 - _A, _A + 1)
    weights = np.sinc(taps - (pixels - steps)) * np.sinc((taps - (pixels - steps)) / _A)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for tap, weight in zip(taps.tolist(), (weights / weights.sum()).tolist(), strict=True):
        matrix[target - source == steps + tap] = weight
    return matrix, _between(size, steps + _A, size + steps + 1 - _A)


def _sources(size: int, angle: float) -> Tensor:
    """Return where the pixels of a turned picture come from [size,size,2], x and y, in pixels."""
    line = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1) + (size - 1) / 2


def _between(size: int, first: int, stop: int) -> Tensor:
    places = torch.arange(size)
    return (places >= first) & (places < stop)


def _lanczos(x: Array) -> Array:
    """Return the window of a Lanczos filter at distances in pixels."""
    return np.where(np.abs(x) < _A, np.sinc(x / _A), 0)


def _plane(up: int) -> tuple[Array, Array]:
    """Return x and y in pixels on the grid on which filters are designed, 0 in the middle."""
    line = np.arange(1 - _SPAN * up, _SPAN * up) / up
    x, y = np.meshgrid(line, line)
    return x, y


@lru_cache(maxsize=2)
def _upright(up: int) -> tuple[NDArray[np.complex128], ...]:
    """Return the transforms of the square's sinc filter, and of its window."""
    x, y = _plane(up)
    return tuple(np.fft.rfft2(np.fft.ifftshift(f(x) * f(y))) for f in (np.sinc, _lanczos))


def _filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve each channel of images [N,C,H,W] with a filter [k,k], where it fits."""
    flat = images.reshape(-1, 1, *images.shape[2:])
    result = functional.conv2d(flat, kernel.flip(0, 1)[None, None])
    return result.reshape(*images.shape[:2], *result.shape[2:])
