"""3x3 convolutions with a quarter of the multiplications (Winograd 1980; Lavin and Gray 2016).

A tile of 4x4 pixels of the output is a product of polynomials, each known by its values at six
points in each direction: y = A^T [(G w G^T) * (B^T x B)] A. At each of the 36 pairs of points that
is a matrix product over all tiles and channels, which is where the time goes.

The points 0, +-sqrt(1/2), +-sqrt(2) and infinity leave float32 about as exact as the long sums of
a direct convolution do. The papers' whole numbers double the error: Barabasz et al. 2020, "Error
analysis and improving the accuracy of Winograd convolution for deep neural networks".
"""

from collections.abc import Iterator
from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TILE = 4  # pixels of the output in each direction
_SPAN = TILE + 2  # pixels of the input that they need
_PAIRS = _SPAN**2
_POINTS = (0.0, sqrt(0.5), -sqrt(0.5), sqrt(2.0), -sqrt(2.0))  # and infinity
# Buffers above 32 MB come from glibc as fresh pages every time: as dear as the products in them.
_BUFFER = 24 * 2**20
# With fewer channels or tiles, making the factors takes longer than the products that are saved.
_CHANNELS, _TILES = 128, 32


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether a convolution of ``x`` [N,I,H,W] can be done here, and is the faster for it."""
    count, _, height, width = x.shape
    even = height % TILE == 0 and width % TILE == 0
    enough = count * height * width >= _TILES * TILE**2
    return even and enough and tuple(weight.shape[2:]) == (3, 3) and _is_wide(weight)


def convolve(x: Tensor, weight: Tensor, transposed: bool = False) -> Tensor:
    """Convolve ``x`` [N,I,H,W] with ``weight`` [O,I,3,3] and a border of zeros: [N,O,H,W].

    ``transposed`` is the adjoint in ``x``, from [N,O,H,W] to [N,I,H,W].
    """
    outputs = weight.shape[1 if transposed else 0]
    # No view, which could not be changed in place.
    like = x.new_empty([1]).expand(len(x), outputs, *x.shape[2:])
    y = torch.empty_like(like, memory_format=torch.channels_last)
    kernels = _kernels(weight, transposed)
    image, output = _bordered(x), y.permute(0, 2, 3, 1)
    combine = _matrices(x.dtype, x.device).combine
    for band in _bands(x, max(weight.shape[:2])):
        values = _values(image, band)  # [36,T,I]
        tiles = _tiles(output, band, TILE)  # [4,4,n,h,w,O]
        parts = tiles.split([kernel.shape[2] for kernel in kernels], -1)
        for part, kernel in zip(parts, kernels, strict=True):
            products = torch.bmm(values, kernel).view(_PAIRS, -1)
            part.copy_((combine @ products).view(part.shape))
    return y


def weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient [O,I,3,3] to a weight, from x [N,I,H,W] and that to y [N,O,H,W]."""
    inputs, outputs = x.shape[1], gradient.shape[1]
    _, kernel, combine = _matrices(x.dtype, x.device)
    image, arrived = _bordered(x), gradient.permute(0, 2, 3, 1)
    weight = x.new_empty([outputs, 9, inputs])
    parts = weight.split(_step(x, inputs))
    sums = [x.new_empty([len(part), _PAIRS, inputs]) for part in parts]
    for number, band in enumerate(_bands(x, max(inputs, outputs))):
        values = _values(image, band)  # [36,T,I]
        tiles = _tiles(arrived, band, TILE).reshape(TILE**2, -1)
        products = (combine.t() @ tiles).view(_PAIRS, -1, outputs)
        for total, part in zip(sums, products.split(_step(x, inputs), -1), strict=True):
            into, factors = total.transpose(0, 1), part.transpose(1, 2)  # [36,o,I], [36,o,T]
            torch.baddbmm(into, factors, values, beta=float(number > 0), out=into)
    for total, part in zip(sums, parts, strict=True):
        torch.matmul(kernel.t(), total, out=part)
    return weight.view(outputs, 3, 3, inputs).permute(0, 3, 1, 2)


class _Matrices(NamedTuple):
    """What makes factors of tiles and kernels, and tiles of their products."""

    values: Tensor  # [36,36], from 6x6 pixels
    kernel: Tensor  # [36,9], from 3x3 weights
    combine: Tensor  # [16,36], to 4x4 pixels


class _Band(NamedTuple):
    """A part of a batch: some samples, and some rows of their tiles."""

    samples: slice
    rows: range


@lru_cache
def _matrices(dtype: torch.dtype, device: torch.device) -> _Matrices:
    """Return the matrices for both directions at once: Toom and Cook's, in float64."""
    points = np.array(_POINTS)

    def evaluate(count: int) -> NDArray[np.float64]:  # polynomials of so many coefficients
        infinity = np.eye(count)[-1:]
        return np.concatenate([np.vander(points, count, increasing=True), infinity])

    # A correlation is the transpose of a product: interpolation and evaluation change places.
    others = [np.prod([p - q for q in points if q != p]) for p in points]
    scale = np.array([*others, 1.0])[:, None]
    lines = np.linalg.inv(evaluate(_SPAN)).T * scale, evaluate(3) / scale, evaluate(TILE).T
    with torch.inference_mode(False):  # for whoever needs gradients later
        return _Matrices(*(torch.tensor(np.kron(a, a)).to(device, dtype) for a in lines))


def _is_wide(weight: Tensor) -> bool:
    return min(weight.shape[:2]) >= _CHANNELS


def _bordered(x: Tensor) -> Tensor:
    """Return ``x`` [N,C,H,W] as [N,H+2,W+2,C] with zeros around it."""
    image = x.new_empty([len(x), x.shape[2] + 2, x.shape[3] + 2, x.shape[1]])
    for axis in (1, 2):
        image.select(axis, 0).zero_()
        image.select(axis, -1).zero_()
    image[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
    return image


def _bands(x: Tensor, channels: int) -> Iterator[_Band]:
    """Cut ``x`` [N,C,H,W] so that the factors of a part fit a buffer."""
    count, _, height, width = x.shape
    rows = height // TILE
    row = _PAIRS * (width // TILE) * channels * x.element_size()
    at_once = max(_BUFFER // row, 1)
    samples, rows_at_once = max(at_once // rows, 1), min(at_once, rows)
    for first in range(0, count, samples):
        for start in range(0, rows, rows_at_once):
            end = min(start + rows_at_once, rows)
            yield _Band(slice(first, first + samples), range(start, end))


def _tiles(image: Tensor, band: _Band, span: int) -> Tensor:
    """Return a view [span,span,n,h,w,C] of the tiles of ``image`` [N,H,W,C], ``TILE`` apart."""
    first, last = band.rows[0] * TILE, band.rows[-1] * TILE + span
    part = image[band.samples, first:last]
    return part.unfold(1, span, TILE).unfold(2, span, TILE).permute(4, 5, 0, 1, 2, 3)


def _values(image: Tensor, band: _Band) -> Tensor:
    """Return the factors [36,T,C] of the tiles of ``image`` [N,H,W,C], which has its border."""
    tiles = _tiles(image, band, _SPAN).reshape(_PAIRS, -1)
    factors = _matrices(image.dtype, image.device).values @ tiles
    return factors.view(_PAIRS, -1, image.shape[3])


def _step(x: Tensor, channels: int) -> int:
    """Return for how many kernels of ``channels`` the factors fit a buffer."""
    return max(_BUFFER // (_PAIRS * channels * x.element_size()), 1)


def _kernels(weight: Tensor, transposed: bool) -> list[Tensor]:
    """Return the factors [36,I,o] of ``weight`` [O,I,3,3], of some of the outputs each.

    ``transposed``: [36,O,i], of the weight turned by 180 degrees.
    """
    outputs, inputs = weight.shape[:2]
    lines = weight.permute(0, 2, 3, 1).reshape(outputs, 9, inputs)
    kernel = _matrices(weight.dtype, weight.device).kernel
    if transposed:
        parts = lines.split(_step(weight, outputs), -1)
        return [torch.matmul(kernel.flip(1), part).transpose(0, 1) for part in parts]
    parts = lines.split(_step(weight, inputs))
    return [torch.matmul(kernel, part).permute(1, 2, 0) for part in parts]
