"""The layers that StyleGAN2's networks are built from, each with equalised learning rate.

Parameter and buffer names follow the official PyTorch state dict, so that parity is a strict load.
Weights are stored with unit variance and scaled at run time (Karras et al. 2018, section 4.1).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.convolutions.differentiable import conv2d
from latentlab.networks.modulated.forms import (
    KeptWeight,
    modulated_product,
    scaled_weight_conv,
    scales_weights,
)
from latentlab.networks.modulated.lean import FrozenLayer
from latentlab.networks.synthesis import NoiseLayer

DEFAULT_TAPS = (1.0, 3.0, 3.0, 1.0)


class Linear(nn.Module):
    """Fully connected layer; ``lr_multiplier`` scales weight and bias at run time."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activate: bool = False,  # leaky ReLU with gain sqrt(2)
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
        gain_in_weight: bool = False,  # StyleGAN1: sqrt(2) scales the weight, not the bias
        negative_slope: float = ops.LEAKY_SLOPE,
    ) -> None:
        super().__init__()
        self.activate, self.negative_slope = activate, negative_slope
        self.lr_multiplier, self.gain_in_weight = lr_multiplier, gain_in_weight
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        # In place: out of place, the meta device imports torch._dynamo, for more than a second.
        self.weight = nn.Parameter(torch.randn(out_features, in_features).div_(lr_multiplier))
        self.bias = nn.Parameter(torch.full((out_features,), bias_init))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,in_features] to [N,out_features]."""
        gain = ops.SQRT2 if self.activate else 1.0
        weight = self.weight * (self.weight_gain * gain)
        bias = self.bias * (self.lr_multiplier * (1.0 if self.gain_in_weight else gain))
        x = F.linear(x, weight, bias)
        return ops.leaky_relu_(x, slope=self.negative_slope) if self.activate else x


class Conv(nn.Module):
    """Plain convolution with optional resampling by two, bias and activation."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        taps: Sequence[float] = DEFAULT_TAPS,  # of the FIR filter; kept where nothing is resampled
        activate: bool = True,
        bias: bool = True,
        up: bool = False,
        down: bool = False,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activate, self.up, self.down, self.conv_clamp = activate, up, down, conv_clamp
        self.weight_gain = 1.0 / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.register_buffer("resample_filter", ops.fir_kernel(taps))

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Map [N,in_channels,H,W] to [N,out_channels,H',W'], times ``gain``."""
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        gain = gain * ops.SQRT2 if self.activate else gain
        weight = self.weight * (self.weight_gain * gain)
        if self.up:
            x = ops.conv_up(x, weight, self.resample_filter)
        elif self.down:
            x = ops.conv_down(x, weight, self.resample_filter)
        else:
            x = conv2d(x, weight, padding=weight.shape[-1] // 2)
        if self.bias is not None:
            x += (self.bias * gain)[:, None, None]
        return ops.leaky_relu_(x, clamp) if self.activate else x


class StyledConv(NoiseLayer):
    """Modulated convolution, noise, bias, leaky ReLU (Fig. 2d, Karras et al. 2020)."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,  # of the output
        taps: Sequence[float] = DEFAULT_TAPS,  # of the FIR filter; kept where nothing is resampled
        up: bool = False,
        use_noise: bool = True,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        self.conv_clamp = conv_clamp
        self.affine = Linear(w_dim, in_channels, bias_init=1.0)
        # No 1/sqrt(fan_in): demodulation cancels any constant factor.
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.kept = KeptWeight(up)
        self.register_buffer("resample_filter", ops.fir_kernel(taps))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None, gain: float = 1.0) -> Tensor:
        """``noise`` is [N|1,1,resolution,resolution], or None for no noise."""
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        gain = gain * ops.SQRT2
        up_kernel = self.resample_filter if self.up else None
        styles, weight = self.affine(w), self.weight
        arranged, energy = self.kept.of(weight)
        bias = self.bias * gain
        level = None if noise is None else noise * (self.noise_strength * gain)
        frozen = FrozenLayer(arranged, bias, up_kernel)
        if frozen.is_lean():
            factor = ops.demodulation(styles, weight, energy) * gain
            x = frozen.lean(x, styles, factor, level)
            return x if clamp is None else x.clamp(-clamp, clamp)
        given: dict[str, Any] = {"gain": gain, "energy": energy, "bias": bias}
        if scales_weights(x, weight):
            x = scaled_weight_conv(x, weight, styles, up_kernel, noise=level, **given)
            return ops.leaky_relu_(x, clamp)
        x = ops.modulated_conv(x, arranged, styles, up_kernel, **given)
        if level is not None:
            x += level
        return ops.leaky_relu_(x, clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to image channels, without demodulation."""

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, conv_clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.weight_gain = 1.0 / math.sqrt(in_channels)
        self.affine = Linear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N,in_channels,H,W] and w [N,w_dim] to an image [N,out_channels,H,W]."""
        styles = self.affine(w) * self.weight_gain
        if torch.compiler.is_compiling():  # which fuses the scaling with what comes before
            x = ops.modulated_conv(x, self.weight, styles, demodulate=False, bias=self.bias)
        else:
            x = modulated_product(x, self.weight[:, :, 0, 0], styles, self.bias)
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)
