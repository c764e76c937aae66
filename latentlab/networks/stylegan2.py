"""StyleGAN2's synthesis network (Karras et al. 2020), in the skip, resnet and orig architectures.

Module names follow the official PyTorch state dict.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.layers import Conv, StyledConv, ToRGB
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.networks.synthesis import Block, SynthesisNetwork, Walk


class SynthesisBlock(Block):
    """All layers of one resolution: up to two styled convolutions, ToRGB and the resnet skip."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.is_first = resolution == 4
        is_last = resolution == config.resolution
        taps, w_dim = config.resample_filter, config.w_dim
        noise, clamp = config.use_noise, config.conv_clamp
        maps, maps_in = config.feature_maps(resolution), config.feature_maps(resolution // 2)

        self.register_buffer("resample_filter", ops.fir_kernel(taps))
        if self.is_first:
            self.const = nn.Parameter(torch.randn(maps, 4, 4))
        else:
            self.conv0 = StyledConv(
                maps_in, maps, w_dim, resolution, taps, up=True, use_noise=noise, conv_clamp=clamp
            )
        self.conv1 = StyledConv(maps, maps, w_dim, resolution, use_noise=noise, conv_clamp=clamp)
        self.torgb = self.skip = None
        if is_last or config.architecture == "skip" or config.growing:
            self.torgb = ToRGB(maps, config.channels, w_dim, clamp)
        if config.architecture == "resnet" and not self.is_first:
            self.skip = Conv(maps_in, maps, 1, taps, activate=False, bias=False, up=True)

    @property
    def convs(self) -> list[StyledConv]:
        """The styled convolutions in order."""
        return [self.conv1] if self.is_first else [self.conv0, self.conv1]

    def forward(self, x: Tensor | None, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        """Map features of half the size (None in the first block) to features.

        ``ws`` is [N,convs,w_dim]; ``noise`` has a map, or None, for each convolution.
        """
        if x is None:
            const = self.const.expand(ws.shape[0], -1, -1, -1)
            const = const.contiguous(memory_format=torch.channels_last)
            return self.conv1(const, ws[:, 0], noise[0])  # type: ignore[no-any-return]
        if self.skip is None:
            x = self.conv0(x, ws[:, 0], noise[0])
            return self.conv1(x, ws[:, 1], noise[1])  # type: ignore[no-any-return]
        half = math.sqrt(0.5)  # keeps the variance of the sum of two branches
        y: Tensor = self.skip(x, gain=half)
        x = self.conv0(x, ws[:, 0], noise[0])
        x = self.conv1(x, ws[:, 1], noise[1], gain=half)
        return y + x


class StyleGAN2Synthesis(SynthesisNetwork):
    """From ws to images."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__(config.resolution, config.growing)
        self.config, self.num_ws, self.w_dim = config, config.num_ws, config.w_dim
        self.is_skip = config.architecture == "skip"
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(config, resolution))

    @property
    def noise_layers(self) -> list[StyledConv]:
        """The layers that hold a noise map, in order; empty for a network without noise."""
        convs = [conv for block in self.blocks for conv in block.convs]
        return convs if self.config.use_noise else []

    def upsample_rgb(self, rgb: Tensor) -> Tensor:
        """Bring an RGB output [N,C,r,r] to the full resolution as the skip connection does."""
        for block in self.blocks:
            if block.resolution > rgb.shape[-1]:
                rgb = self._double(rgb, block)
        return rgb

    def _image(self, walk: Walk) -> Tensor:
        if not self.is_skip:
            return super()._image(walk)
        image: Tensor | None = None
        for (_, x, w), block in zip(walk, self.blocks, strict=True):
            rgb = block.image(x, w)
            image = rgb if image is None else self._double(image, block) + rgb
        if image is None:
            raise AssertionError("a network without blocks")
        return image

    def _double(self, rgb: Tensor, block: SynthesisBlock) -> Tensor:
        if self.config.skip_filter == "bilinear":
            return F.interpolate(rgb, scale_factor=2, mode="bilinear", align_corners=False)
        return ops.upsample(rgb, block.resample_filter)

    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        noise = noise or [None] * (self.num_ws - 1)
        x: Tensor | None = None
        start = 0
        for block in self.blocks:
            end = start + len(block.convs)
            x = block(x, ws[:, start:end], noise[start:end])
            yield block, x, ws[:, end]  # ToRGB shares its w with the next block's first layer
            start = end
