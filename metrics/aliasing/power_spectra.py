"""Average power spectra of pictures (Fig. 5 and appendix A, Karras et al. 2021), and their reading.

A picture of 8-bit levels is whitened by the mean and deviation of the training data, windowed, and
its squared Fourier transform averaged over channels and pictures. Frequencies are in cycles per
picture side; the highest that an axis holds is half the number of pixels.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from latentlab import ImageError, NumericalError
from latentlab.checks import check_number, check_whole

Array = NDArray[np.float64]

BETA = 8.0  # of the Kaiser window, which is 2.7 cycles wide to either side
INTERPOLATION = 4  # samples of a spectrum for each cycle
SMOOTH = 1.25  # cycles, the deviation of the blur of a heat map
SMALLEST = 16  # pixels, below which a window leaves nothing to look at
ANGLES = (0, 45)  # degrees, of the slices

_GRID = 2  # samples for each cycle while pictures are added up: all that can be known
_APART = 4  # cycles from a peak to what it is compared with: beyond the window's width
_FINE = 32  # pixels, from which a quarter of them is apart from the middle


def window(size: int) -> Tensor:
    """Return the window [size,size], of unit energy, in float64."""
    line = torch.from_numpy(np.kaiser(size, BETA))
    line = line / line.square().sum().sqrt()
    return line[:, None] * line


def powers(pixels: Tensor, mean: float, std: float) -> Tensor:
    """Return the power [N,2R,R+1] of pictures [N,C,R,R] in 0..255 on a half grid of frequencies.

    Each averaged over channels, in float64. Frequencies are those of ``torch.fft.rfft2`` in steps
    of half a cycle: what lies between them follows, see ``interpolated``.
    """
    size = pixels.shape[-1]
    white = (pixels.double() - mean) / std * window(size).to(pixels.device)
    waves = torch.fft.rfft2(white, s=(_GRID * size, _GRID * size))
    power: Tensor = (waves.real.square() + waves.imag.square()).mean(dim=1)
    return power


def interpolated(power: ArrayLike) -> Array:
    """Return a spectrum [4R,4R] from an average of ``powers`` [2R,R+1], as numpy's fft orders it.

    The transform of a spectrum is the correlation of the picture with itself, which ends within
    the picture's size: zeros around it give all frequencies in between, exactly.
    """
    half = np.asarray(power, dtype=np.float64)
    size = len(half) // _GRID
    lags = np.fft.fftshift(np.fft.irfft2(half, s=(len(half), len(half))))
    around = (INTERPOLATION - _GRID) * size // 2
    padded = np.fft.ifftshift(np.pad(lags, around))
    # Rounding may leave less than nothing where there is next to nothing.
    return np.maximum(np.fft.fft2(padded).real, np.finfo(np.float64).tiny)


def average_spectrum(pictures: Iterable[Tensor], mean: float, std: float) -> Array:
    """Return the average spectrum [4R,4R] of batches of pictures [N,C,R,R], uint8, in float64.

    As numpy's fft orders it: frequency 0 comes first. Decibels are 10 log10 of it.

    Args:
        pictures: Batches, all of one size.
        mean: Of the 8-bit levels of the training data (FFHQ at 1024x1024: 112.684).
        std: Their deviation (69.509).

    Raises:
        ImageError: If there is no picture, or they are not uint8, square and of one size.
        SettingsError: If the mean or deviation is out of range.
    """
    check_levels(mean, std)
    total, count = None, 0
    for pixels in pictures:
        check_pixels(pixels)
        mine = powers(pixels, mean, std).sum(dim=0).cpu().numpy()
        if total is not None and total.shape != mine.shape:
            raise ImageError("pictures must be of one size for an average spectrum")
        total = mine if total is None else total + mine
        count += len(pixels)
    if total is None or count == 0:
        raise ImageError("an average spectrum needs at least one picture")
    return interpolated(total / count)


def heat_map(spectrum: Array, smooth: float = SMOOTH) -> Array:
    """Return decibels [4R+1,4R+1] with frequency 0 in the middle, blurred by ``smooth`` cycles."""
    from scipy.ndimage import gaussian_filter

    check_number(smooth, "smooth", 0)
    levels = _centred(10 * np.log10(spectrum))
    return np.asarray(gaussian_filter(levels, INTERPOLATION * smooth, mode="nearest"))


def slice_at(spectrum: Array, degrees: int) -> tuple[Array, Array]:
    """Return frequencies in cycles and levels in dB [2R+1] along one of ``ANGLES``."""
    levels = _centred(10 * np.log10(spectrum))
    middle = len(levels) // 2
    steps = np.arange(middle + 1)
    rows = steps if degrees else np.zeros_like(steps)
    stretch = math.sqrt(2) if degrees else 1.0
    return steps * stretch / INTERPOLATION, levels[middle + rows, middle + steps]


def check_levels(mean: float, std: float) -> None:
    """Raise SettingsError unless these may be the mean and deviation of 8-bit levels."""
    check_number(mean, "mean", 0, below=256)
    check_number(std, "std", above=0, below=256)


def check_pixels(pixels: Tensor) -> None:
    """Raise ImageError unless these are square pictures [N,C,R,R] of 8-bit levels."""
    square = pixels.ndim == 4 and pixels.shape[2] == pixels.shape[3]
    if not square or pixels.dtype != torch.uint8:
        raise ImageError(
            "`pictures` must be square, [N, C, R, R] of uint8, but got "
            f"{list(pixels.shape)} of {str(pixels.dtype).removeprefix('torch.')}"
        )
    check_whole(pixels.shape[-1], "resolution", SMALLEST)


def finest_octave(power: Tensor) -> Tensor:
    """Return the mean power [N] from half the highest frequency of an axis to it, all round."""
    y, x = _frequencies(power)
    radius = torch.hypot(y, x)
    highest = power.shape[1] / _GRID / 2
    twice = torch.where((x == 0) | (x == highest), 1.0, 2.0)  # the half grid leaves the others out
    weight = ((radius >= highest / 2) & (radius < highest)) * twice
    return (power * weight).sum(dim=(1, 2)) / weight.sum()


def grid_points(power: Tensor) -> Tensor:
    """Return the power [N,P,5] at the frequencies of a grid of pixels, and of four places around.

    A grid of every second or fourth pixel, as upsampling leaves it, has its frequencies at halves
    and quarters of the number of pixels. On an axis, which natural pictures have more of, the
    places around are on it as well.
    """
    size = power.shape[1] // _GRID
    steps = [0, size // 2, *([size // 4, -size // 4] if size >= _FINE else [])]
    points = sorted({(abs(y), x) if x in (0, size // 2) else (y, x)
                     for y in steps for x in steps if x >= 0} - {(0, 0)})  # fmt: skip
    along = [(0, _APART), (0, -_APART)], [(_APART, 0), (-_APART, 0)]
    found = []
    for y, x in points:
        near = along[0] * 2 if y == 0 else along[1] * 2 if x == 0 else [*along[0], *along[1]]
        found.append([_at(power, y + dy, x + dx) for dy, dx in [(0, 0), *near]])
    return torch.stack([torch.stack(each, dim=1) for each in found], dim=1)


def readings(means: Array) -> Array:
    """Return the level of the finest octave and the height of the grid's peaks [...,2] in dB.

    Args:
        means: The finest octave first, then the grid's points and those around [...,1+5P].
    """
    if not bool(np.all(means > 0)):
        raise NumericalError("spectrum: pictures without any detail have no levels to compare")
    levels = 10 * np.log10(means)
    grid = levels[..., 1:].reshape(*levels.shape[:-1], -1, 5)
    peaks = (grid[..., 0] - grid[..., 1:].mean(axis=-1)).mean(axis=-1)
    return np.stack([levels[..., 0], peaks], axis=-1)


def _centred(levels: Array) -> Array:
    """Put frequency 0 in the middle, and the first row and column at the end once more."""
    return np.pad(np.fft.fftshift(levels), (0, 1), mode="wrap")


def _frequencies(power: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frequencies down [2R,1] and across [R+1] of a half grid, in cycles."""
    side, half = power.shape[1:]
    y = torch.fft.fftfreq(side, 1 / side, dtype=torch.float64, device=power.device) / _GRID
    return y[:, None], torch.arange(half, dtype=torch.float64, device=power.device) / _GRID


def _at(power: Tensor, y: int, x: int) -> Tensor:
    """Return the power [N] at a frequency in whole cycles, wherever the half grid has it."""
    side = power.shape[1]
    row, column = y * _GRID % side, x * _GRID % side
    if column >= power.shape[2]:
        row, column = -row % side, side - column
    return power[:, row, column]
