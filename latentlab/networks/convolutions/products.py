"""Gradients of convolutions, as a matrix product for each place of the kernel.

Torch's own kernels on the CPU lose their pace with a stride, and the gradient to the weight on few
pixels; products of matrices do not.
"""

from collections.abc import Iterator
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

_CHANNELS = 256  # with fewer, moving pixels takes longer than the products gain


def pays(weight: Tensor) -> bool:
    """Whether the layer is wide enough for it."""
    return min(weight.shape[:2]) >= _CHANNELS and weight.shape[2] > 1


def adjoint(gradient: Tensor, weight: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Return the gradient [N,I,*size] to an input from that to the output, [N,O,h,w]."""
    # No view, which could not be changed in place.
    like = gradient.new_empty([1]).expand(len(gradient), weight.shape[1], *size)
    to_x = torch.zeros_like(like, memory_format=torch.channels_last)
    rows = _rows(gradient.permute(0, 2, 3, 1))
    for pixels, kernel in _places(to_x, weight, stride, gradient):
        pixels.add_((rows @ kernel).view(pixels.shape))
    return to_x


def weight_gradient(
    x: Tensor, gradient: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Return the gradient to ``weight`` [O,I,k,k], from x [N,I,H,W] and that to y [N,O,h,w]."""
    found = torch.empty_like(weight)
    x = F.pad(x, [padding] * 4) if padding else x
    rows = _rows(gradient.permute(0, 2, 3, 1)).t()
    for pixels, kernel in _places(x, found, stride, gradient):
        torch.mm(rows, _rows(pixels), out=kernel)
    return found


def _places(x: Tensor, weight: Tensor, stride: int, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield views of the pixels [N,h,w,I] and weights [O,I] that meet, by place in the kernel."""
    height, width = (stride * (size - 1) + 1 for size in y.shape[2:])
    for row, column in product(*map(range, weight.shape[2:])):
        pixels = x[:, :, row : row + height : stride, column : column + width : stride]
        yield pixels.permute(0, 2, 3, 1), weight[:, :, row, column]


def _rows(pixels: Tensor) -> Tensor:
    """Return [N,h,w,C] as [N*h*w,C]."""
    return pixels.reshape(-1, pixels.shape[3])
