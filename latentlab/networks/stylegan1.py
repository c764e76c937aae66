"""StyleGAN1's synthesis network (Karras et al. 2019), which Progressive GAN's is a case of.

The published options that change the computation are settings of the config: without styles,
instance normalisation, noise and constant input it is the traditional generator of Table 4.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.convolutions.differentiable import conv2d
from latentlab.networks.growth import enlarge
from latentlab.networks.layers import Linear
from latentlab.networks.stylegan1_config import StyleGAN1Config
from latentlab.networks.synthesis import Block, NoiseLayer, SynthesisNetwork, Walk


class Epilogue(NoiseLayer):
    """What follows a convolution: noise, bias, activation, normalisation, style (AdaIN)."""

    def __init__(self, config: StyleGAN1Config, resolution: int, stores_noise: bool = True) -> None:
        super().__init__()
        self.config, self.resolution = config, resolution
        maps = config.feature_maps(resolution)
        self.bias = nn.Parameter(torch.zeros(maps))
        if config.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(maps))
            if stores_noise:
                self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.affine = Linear(config.w_dim, 2 * maps) if config.styles else None

    def finish(self, x: Tensor, w: Tensor, noise: Tensor | None, biased: bool = False) -> Tensor:
        """Map features [N,maps,r,r], w [N,w_dim] and noise [N|1,1,r,r] to features.

        ``biased`` says that they have their bias already. ``x`` is overwritten, which saves passes
        over the feature maps.
        """
        if noise is not None:
            x.addcmul_(noise, self.noise_strength[:, None, None])
        if not biased:
            x.add_(self.bias[:, None, None])
        x = ops.leaky_relu_(x, slope=self.config.negative_slope)
        if self.config.pixel_norm:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        style = None if self.affine is None else self.affine(w)[:, :, None, None].chunk(2, dim=1)
        if self.config.instance_norm:
            return ops.instance_norm(x, self.config.instance_norm_epsilon, style)
        return x if style is None else torch.addcmul(style[1], x, style[0] + 1)


class InputLayer(Epilogue):
    """The first layer: a learned constant, or a dense layer on w, and the epilogue."""

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__(config, 4)
        maps = config.feature_maps(4)
        self.const = nn.Parameter(torch.ones(maps, 4, 4)) if config.const_input else None
        self.weight = None
        if not config.const_input:
            # As published, a quarter of the usual gain, as for the 16 pixels of a feature map.
            self.weight_gain = math.sqrt(2.0) / 4 / math.sqrt(config.w_dim)
            self.weight = nn.Parameter(torch.randn(maps * 16, config.w_dim))

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map w [N,w_dim] to features [N,maps,4,4]."""
        if self.weight is not None:
            x = F.linear(w, self.weight * self.weight_gain).unflatten(1, (-1, 4, 4))
        elif self.const is not None:
            x = self.const.expand(len(w), -1, -1, -1)
        return self.finish(x.clone(memory_format=torch.channels_last), w, noise)


class ConvLayer(Epilogue):
    """A 3x3 convolution, upsampling or not, and the epilogue."""

    def __init__(self, config: StyleGAN1Config, resolution: int, up: bool) -> None:
        # Where the layers of a resolution share their noise, the first one stores it.
        super().__init__(config, resolution, stores_noise=up or not config.shared_noise)
        maps = config.feature_maps(resolution)
        maps_in = config.feature_maps(resolution // 2) if up else maps
        self.up = up
        self.fused = config.fused_from is not None and resolution >= config.fused_from
        self.weight_gain = math.sqrt(2.0) / math.sqrt(maps_in * 9)
        self.weight = nn.Parameter(torch.randn(maps, maps_in, 3, 3))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features and w [N,w_dim] to features [N,maps,resolution,resolution]."""
        weight = self.weight * self.weight_gain
        if self.up and self.fused:
            x = ops.fused_conv_up(x, weight)
        else:
            x = conv2d(enlarge(x) if self.up else x, weight, padding=1)
        if not self.up or self.config.blur_filter is None:
            return self.finish(x, w, noise)
        biased = self.config.blurred_bias
        x = x + self.bias[:, None, None] if biased else x
        return self.finish(ops.blur(x, self.config.blur_filter), w, noise, biased)


class RGBConv(nn.Module):
    """A 1x1 convolution to image channels, without style."""

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.weight_gain = 1.0 / math.sqrt(maps)
        self.weight = nn.Parameter(torch.randn(channels, maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        """Map features [N,maps,h,w] to an image [N,channels,h,w]; w has no part in it."""
        return F.conv2d(x, self.weight * self.weight_gain, self.bias)


class StyleGAN1Block(Block):
    """The two layers of one resolution, and ToRGB where the network needs it."""

    def __init__(self, config: StyleGAN1Config, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        first = resolution == 4
        self.layer0 = InputLayer(config) if first else ConvLayer(config, resolution, up=True)
        self.layer1 = ConvLayer(config, resolution, up=False)
        needed = config.growing or resolution == config.resolution
        maps = config.feature_maps(resolution)
        self.torgb = RGBConv(maps, config.channels) if needed else None

    def forward(self, x: Tensor | None, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        """Map features of half the size (None in the first block) to features.

        ``ws`` is [N,2,w_dim]; ``noise`` has a map, or None, for each layer.
        """
        first = (ws[:, 0], noise[0])
        x = self.layer0(*first) if x is None else self.layer0(x, *first)
        return self.layer1(x, ws[:, 1], noise[1])  # type: ignore[no-any-return]


class StyleGAN1Synthesis(SynthesisNetwork):
    """From ws to images."""

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__(config.resolution, config.growing)
        self.config, self.num_ws, self.w_dim = config, config.num_ws, config.w_dim
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", StyleGAN1Block(config, resolution))

    @property
    def noise_layers(self) -> list[NoiseLayer]:
        """The layers that hold a noise map, in order; empty for a network without noise."""
        if not self.config.use_noise:
            return []
        count = 1 if self.config.shared_noise else 2
        return [layer for b in self.blocks for layer in (b.layer0, b.layer1)[:count]]

    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        if not self.config.styles:
            ws = ws.expand(-1, 2 * len(self.resolutions), -1)
        if self.config.shared_noise:
            noise = [level for level in noise for _ in range(2)]
        noise = noise or [None] * ws.shape[1]
        x: Tensor | None = None
        for i, block in enumerate(self.blocks):
            layers = slice(2 * i, 2 * i + 2)
            x = block(x, ws[:, layers], noise[layers])
            yield block, x, ws[:, 2 * i + 1]
