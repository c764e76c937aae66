"""The convolutions of networks alone: what no program that computes the same can be faster than.

In channels_last, without modulation, noise, filters and activations, each on values of its own
shape that are there already.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import Generator

# From a picture of 3 channels to the five stages of VGG16: channels, and how many convolutions.
_VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))

Layer = tuple[Callable[[Tensor], Tensor], list[int]]  # a convolution, and the shape that it takes


def of_synthesis(g: Generator, batch: int) -> list[Layer]:
    """Return the convolutions of a StyleGAN2's styled layers."""
    return [*_of_synthesis(g, batch)]


def of_vgg16(size: int, batch: int) -> list[Layer]:
    """Return the convolutions of VGG16 on pictures of a size."""
    return [*_of_vgg16(size, batch)]


def forwards(layers: list[Layer]) -> Callable[[], None]:
    """Return what runs them."""
    inputs = [_values(shape) for _, shape in layers]

    @torch.no_grad()
    def run() -> None:
        for (conv, _), x in zip(layers, inputs, strict=True):
            conv(x)

    return run


def there_and_back(layers: list[Layer]) -> Callable[[], None]:
    """Return what runs them, and derives each by what it takes."""
    inputs = [_values(shape).requires_grad_(True) for _, shape in layers]

    def run() -> None:
        for (conv, _), x in zip(layers, inputs, strict=True):
            y = conv(x)
            torch.autograd.grad(y, x, torch.ones_like(y))

    return run


def _values(shape: list[int]) -> Tensor:
    return torch.ones(shape).contiguous(memory_format=torch.channels_last)


def _of_synthesis(g: Generator, batch: int) -> Iterator[Layer]:
    for block in g.synthesis.blocks:
        for layer in block.convs:
            size = layer.resolution // 2 if layer.up else layer.resolution
            weight = layer.weight.detach()
            shape = [batch, weight.shape[1], size, size]
            yield (_up(weight) if layer.up else _plain(weight)), shape


def _of_vgg16(size: int, batch: int) -> Iterator[Layer]:
    before = 3
    for channels, count in _VGG16:
        for _ in range(count):
            weight = torch.ones(channels, before, 3, 3)
            yield _plain(weight), [batch, before, size, size]
            before = channels
        size //= 2


def _up(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)


def _plain(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: F.conv2d(x, weight, padding=1)
