"""The synthesis network of lucidrains/stylegan2-pytorch, an architecture of its own.

It has StyleGAN2's modulated convolutions and sum of RGB outputs, and differs in the rest: one w
for all layers of a resolution, bilinear upsampling, no equalised learning rate, and one uniform
noise map for the whole network, of which each layer takes the upper left corner, transposed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.config import ImageNetworkConfig, MappingConfig
from latentlab.networks.synthesis import Block, NoiseLayer, SynthesisNetwork, Walk

_BLUR = (0.25, 0.5, 0.25)  # of RGB outputs after they are enlarged


@dataclass(frozen=True)
class LucidrainsConfig(MappingConfig, ImageNetworkConfig):
    """A generator of lucidrains/stylegan2-pytorch."""

    const_input: bool = True  # a constant at 4x4; else a linear function of the mean w

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_mapping()

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: one for each resolution."""
        return int(math.log2(self.resolution)) - 1


class _Modulated(nn.Module):
    """Modulated convolution: weights times w's style, plus one; no equalised learning rate."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, size: int) -> None:
        super().__init__()
        self.style = nn.Linear(w_dim, in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles: Tensor = self.style(w) + 1
        return ops.modulated_conv(x, self.weight, styles, demodulate=self.weight.shape[-1] > 1)


class _Layer(_Modulated):
    """Modulated convolution and leaky ReLU; the noise's line stands for the bias."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int) -> None:
        super().__init__(in_channels, out_channels, w_dim, 3)
        self.noise_weight = nn.Parameter(torch.zeros(out_channels))
        self.noise_bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """``noise`` is a map [N|1,1,H,W], or None for one of zeros."""
        x = super().forward(x, w) + self.noise_bias[:, None, None]
        if noise is not None:
            x = x + noise * self.noise_weight[:, None, None]
        return ops.leaky_relu_(x)


class LucidrainsBlock(Block):
    """The layers of one resolution, and what they add to the image."""

    torgb: _Modulated

    def __init__(self, config: LucidrainsConfig, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.is_first = resolution == 4
        maps = config.feature_maps(resolution)
        maps_in = maps if self.is_first else config.feature_maps(resolution // 2)
        self.conv0 = _Layer(maps_in, maps, config.w_dim)
        self.conv1 = _Layer(maps, maps, config.w_dim)
        self.torgb = _Modulated(maps, config.channels, config.w_dim, 1)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map features of half the size (of the same at 4x4) to features."""
        if not self.is_first:
            x = _enlarged(x)
        size = self.resolution
        own = None if noise is None else noise[:, :, :size, :size].transpose(2, 3)
        return self.conv1(self.conv0(x, w, own), w, own)  # type: ignore[no-any-return]

    def image(self, x: Tensor, w: Tensor) -> Tensor:
        """Return the share of the image [N,channels,h,w].

        Their images are in [0,1], others' in [-1,1]: 2 x - 1, whose 1 is taken off at 4x4. To
        enlarge a constant changes nothing.
        """
        rgb: Tensor = self.torgb(x, w) * 2
        return rgb - 1 if self.is_first else rgb


class _SharedNoise(NoiseLayer):
    """The one noise map, uniform in [0,1], that all layers take their part of."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.register_buffer("noise_const", torch.rand(resolution, resolution))


class LucidrainsSynthesis(SynthesisNetwork):
    """From ws to images."""

    is_skip = True
    normal_noise = False

    def __init__(self, config: LucidrainsConfig) -> None:
        super().__init__(config.resolution, growing=False)
        self.config, self.num_ws, self.w_dim = config, config.num_ws, config.w_dim
        maps = config.feature_maps(4)
        if config.const_input:
            self.const = nn.Parameter(torch.randn(maps, 4, 4))
        else:
            self.start = nn.Parameter(torch.randn(config.w_dim, maps, 4, 4))
        self.start_conv = nn.Conv2d(maps, maps, 3, padding=1)
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", LucidrainsBlock(config, resolution))
        self.noise = _SharedNoise(config.resolution)

    @property
    def noise_layers(self) -> Sequence[NoiseLayer]:
        """The one noise map, of the image's size."""
        return [self.noise]

    def as_noise(self, normal: Tensor) -> Tensor:
        """Bring standard normal numbers to uniform ones in [0,1], by their distribution."""
        uniform: Tensor = torch.special.ndtr(normal)
        return uniform

    def upsample_rgb(self, rgb: Tensor) -> Tensor:
        """Bring an RGB output [N,C,r,r] to the full resolution as the skip connection does."""
        while rgb.shape[-1] < self.resolutions[-1]:
            rgb = _doubled(rgb)
        return rgb

    def _image(self, walk: Walk) -> Tensor:
        first, *others = (block.image(x, w) for block, x, w in walk)
        image: Tensor = first
        for rgb in others:
            image = _doubled(image) + rgb
        return image

    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        shared = noise[0] if noise else None
        if shared is not None and shared.ndim == 2:  # the stored one
            shared = shared[None, None]
        x = self.start_conv(self._first(ws))
        for i, block in enumerate(self.blocks):
            x = block(x, ws[:, i], shared)
            yield block, x, ws[:, i]

    def _first(self, ws: Tensor) -> Tensor:
        if self.config.const_input:
            return self.const.expand(len(ws), -1, -1, -1)
        first: Tensor = torch.einsum("nd,dchw->nchw", ws.mean(dim=1), self.start)
        return first


def _enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _doubled(rgb: Tensor) -> Tensor:
    """Enlarge an RGB output and blur it, with mirrored borders."""
    taps = rgb.new_tensor(_BLUR)
    kernel = torch.outer(taps, taps).expand(rgb.shape[1], 1, -1, -1)
    x = F.pad(_enlarged(rgb), [1, 1, 1, 1], mode="reflect")
    return F.conv2d(x, kernel, groups=rgb.shape[1])
