"""StyleGAN2's synthesis with its large layers in 16 bits, as the published networks are trained.

The 4x4 block and the sum of the RGB outputs stay in float32. Weights that are demodulated have any
constant factor taken out first: it cancels, and sums stay within the range of float16. Derivatives
are larger inside than outside by a factor, as those of an average over a picture would vanish.
"""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checks import check_whole
from latentlab.errors import SettingsError
from latentlab.networks.layers import StyledConv
from latentlab.networks.stylegan2 import StyleGAN2Synthesis, SynthesisBlock
from latentlab.networks.synthesis import SynthesisNetwork

FP16_RESOLUTIONS = 4  # num_fp16_res of the published training

# Of the factor, below the number of pixels: those by a style are sums over all pixels, and as large
# as what is derived, up to some fifty at 1024x1024.
_HEADROOM = 1024
_Cast = Callable[[Tensor], Tensor]


def half_synthesis(
    synthesis: SynthesisNetwork, number: torch.dtype, resolutions: int = FP16_RESOLUTIONS
) -> StyleGAN2Synthesis:
    """Return a copy whose blocks of the last ``resolutions``, but 4x4, compute in ``number``.

    Raises:
        SettingsError: If it is not a StyleGAN2's.
    """
    check_whole(resolutions, "resolutions", 1)
    if not isinstance(synthesis, StyleGAN2Synthesis):
        raise SettingsError(
            "only StyleGAN2's layers are known to bear 16 bits; `precision` float32 is for all"
        )
    half = copy.deepcopy(synthesis).requires_grad_(False)
    pixels = float(half.resolutions[-1] ** 2)
    scale = max(pixels / _HEADROOM, 1.0) if number == torch.float16 else 1.0
    for block in half.blocks[1:][-resolutions:]:
        _halve(block, number, scale)
    return half


def _halve(block: SynthesisBlock, number: torch.dtype, scale: float) -> None:
    """Have a block take, and compute in, ``number``, and its RGB output be float32."""
    with torch.no_grad():
        for layer in block.convs:
            _normalise(layer)
    block.to(number)

    def narrow(x: Tensor) -> Tensor:
        return x if x.dtype == number else _scaled_back(x, 1 / scale).to(number)

    def widen(_: nn.Module, __: Any, image: Tensor) -> Tensor:
        return _scaled_back(image.float(), scale)

    block.register_forward_pre_hook(partial(_each_input, narrow))
    if block.torgb is not None:
        block.torgb.register_forward_pre_hook(partial(_each_input, narrow))
        block.torgb.register_forward_hook(widen)


def _normalise(layer: StyledConv) -> None:
    """Bring the weights of an output channel to a mean norm of 1."""
    fan_in = layer.weight[0].numel()
    layer.weight.div_(layer.weight.square().mean().sqrt() * math.sqrt(fan_in) + 1e-20)


def _each_input(cast: _Cast, _: nn.Module, inputs: Any) -> Any:
    """Cast tensors, also those in sequences."""
    if isinstance(inputs, Tensor):
        return cast(inputs)
    if isinstance(inputs, list | tuple):
        return type(inputs)(_each_input(cast, _, each) for each in inputs)
    return inputs


class _ScaledBack(torch.autograd.Function):
    """The identity, whose derivative has a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        """Return ``x``."""
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Scale the derivative."""
        return gradients[0] * ctx.scale, None


def _scaled_back(x: Tensor, scale: float) -> Tensor:
    if scale == 1.0:
        return x
    found: Tensor = _ScaledBack.apply(x, scale)
    return found
