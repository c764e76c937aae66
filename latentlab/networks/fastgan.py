"""FastGAN's generator (Liu et al. 2021), as Projected GAN has it (Sauer et al. 2021).

From z to images, without W. Spectral norm and batch norm do what they do after training: weights
are divided by the largest singular value beforehand, and means and variances are stored.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import needed
from latentlab.networks import ops
from latentlab.networks.fastgan_config import FastGANConfig
from latentlab.networks.generator import GeneratorWithoutW
from latentlab.networks.growth import enlarge
from latentlab.networks.mapping import ClassTable
from latentlab.networks.stored_norm import EPSILON, StoredNorm
from latentlab.networks.synthesis import Block, NoiseLayer, SynthesisNetwork, Walk


class ClassNorm(nn.Module):
    """Batch norm by stored statistics, with scale and shift from the features of the class."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, maps: int, class_features: int) -> None:
        super().__init__()
        gain = 1 / math.sqrt(class_features)
        for name in ("gain", "shift"):
            weight = torch.randn(maps, class_features).mul_(gain)
            self.register_parameter(f"{name}_weight", nn.Parameter(weight))
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(maps)))
        self.register_buffer("running_mean", torch.zeros(maps))
        self.register_buffer("running_var", torch.ones(maps))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Normalise features [N,maps,h,w] for classes with the features y [N,class_features]."""
        gain, shift = (
            F.linear(y, self.get_parameter(f"{name}_weight"), self.get_parameter(f"{name}_bias"))
            for name in ("gain", "shift")
        )
        x = F.batch_norm(x, self.running_mean, self.running_var, eps=EPSILON)
        return torch.addcmul(shift[:, :, None, None], x, 1 + gain[:, :, None, None])


class GatedLayer(NoiseLayer):
    """Convolution, noise, norm, and half of the maps gated by the other half."""

    def __init__(
        self, config: FastGANConfig, resolution: int, maps_in: int, up: bool, use_noise: bool
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        maps = 2 * config.feature_maps(resolution)
        self.weight = nn.Parameter(torch.randn(maps, maps_in, 3, 3).div_(3 * math.sqrt(maps_in)))
        labelled = config.c_dim > 0
        self.norm = ClassNorm(maps, config.z_dim) if labelled else StoredNorm(maps)
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, y: Tensor, noise: Tensor | None) -> Tensor:
        """Map features to [N,maps,resolution,resolution]; y [N,features] is of the class."""
        x = F.conv2d(enlarge(x) if self.up else x, self.weight, padding=1)
        if noise is not None:
            x = x + noise * self.noise_strength
        return F.glu(self.norm(x, y), dim=1)


class FirstLayer(NoiseLayer):
    """From z to 4x4 feature maps: as a convolution layer, but without noise or classes."""

    def __init__(self, config: FastGANConfig) -> None:
        super().__init__()
        self.resolution, self.use_noise = 4, False
        maps = 2 * config.feature_maps(4)
        weight = torch.randn(config.z_dim, maps, 4, 4).div_(math.sqrt(config.z_dim))
        self.weight = nn.Parameter(weight)
        self.norm = StoredNorm(maps)

    def forward(self, z: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        """Map z [N,z_dim] to features [N,maps,4,4]."""
        x = F.conv_transpose2d(z[:, :, None, None], self.weight)
        return F.glu(self.norm(x, y), dim=1)


class SkipExcitation(nn.Module):
    """Gates for feature maps, from those of 1/16 of their size (section 3.1 of the paper)."""

    def __init__(self, maps_in: int, maps: int) -> None:
        super().__init__()
        self.pooled_weight = nn.Parameter(torch.randn(maps, maps_in, 4, 4).div_(4 * maps_in**0.5))
        self.weight = nn.Parameter(torch.randn(maps, maps, 1, 1).div_(maps**0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N,maps_in,h,w] to factors [N,maps,1,1] between 0 and 1."""
        x = F.conv2d(F.adaptive_avg_pool2d(x, 4), self.pooled_weight)
        return F.conv2d(F.silu(x), self.weight).sigmoid()


class RGBLayer(nn.Module):
    """A 3x3 convolution to image channels."""

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, maps, 3, 3).div_(3 * math.sqrt(maps)))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        """Map features [N,maps,h,w] to an image [N,channels,h,w]."""
        return F.conv2d(x, self.weight, self.bias, padding=1)


class FastGANBlock(Block):
    """The layers of one resolution; the last block has that of the image, too."""

    def __init__(self, config: FastGANConfig, resolution: int) -> None:
        super().__init__()
        self.resolution, maps = resolution, config.feature_maps(resolution)
        if resolution == 4:
            self.conv0: NoiseLayer = FirstLayer(config)
        else:
            below, noisy = config.feature_maps(resolution // 2), not config.lite
            self.conv0 = GatedLayer(config, resolution, below, up=True, use_noise=noisy)
            if noisy:
                self.conv1 = GatedLayer(config, resolution, maps, up=False, use_noise=noisy)
        source = config.gate_source(resolution)
        self.skip = SkipExcitation(config.feature_maps(source), maps) if source else None
        last = resolution == config.resolution
        self.torgb = RGBLayer(maps, config.channels) if last else None

    @property
    def noise_layers(self) -> list[NoiseLayer]:
        """The layers that hold a noise map."""
        layers = [child for child in self.children() if isinstance(child, NoiseLayer)]
        return [layer for layer in layers if layer.use_noise]

    def forward(
        self, x: Tensor, y: Tensor, noise: Sequence[Tensor | None], source: Tensor | None
    ) -> Tensor:
        """Map features of half the size (z in the first block) to features.

        y [N,features] is of the class, ``noise`` has a map, or None, for each layer, and
        ``source`` are the features that gate these.
        """
        x = self.conv0(x, y, noise[0])
        if len(noise) > 1:
            x = self.conv1(x, y, noise[1])
        return x if self.skip is None or source is None else x * self.skip(source)


class FastGANSynthesis(SynthesisNetwork):
    """From ws, of which there is one: normalised z, followed by the features of the class."""

    def __init__(self, config: FastGANConfig) -> None:
        super().__init__(config.resolution, growing=False)
        self.config, self.num_ws = config, 1
        self.w_dim = config.z_dim * (2 if config.c_dim > 0 else 1)
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", FastGANBlock(config, resolution))

    @property
    def noise_layers(self) -> list[NoiseLayer]:
        """The layers that hold a noise map, in order; empty for the lite network."""
        return [layer for block in self.blocks for layer in block.noise_layers]

    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        x, y = ws[:, 0].split([self.config.z_dim, self.w_dim - self.config.z_dim], dim=1)
        features: dict[int, Tensor] = {}
        left = list(noise)
        for block in self.blocks:
            layers = 1 if block.resolution == 4 or self.config.lite else 2
            count = len(block.noise_layers) if left else 0
            levels, left = left[:count] or [None] * layers, left[count:]
            source = self.config.gate_source(block.resolution)
            x = block(x, y, levels, features[source] if source else None)
            if block.resolution <= 32:
                features[block.resolution] = x
            yield block, x, y


class FastGAN(GeneratorWithoutW):
    """From z (and one-hot labels) to images; whatever belongs to W raises LatentError."""

    called = "a FastGAN"

    def __init__(self, config: FastGANConfig) -> None:
        super().__init__(config)
        self.config: FastGANConfig = config
        if config.c_dim > 0:
            self.embed = ClassTable(config.c_dim, config.z_dim)
        self.synthesis = FastGANSynthesis(config)

    def _inputs(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Return z [N,z_dim], normalised, and the features of the class beside it."""
        x = ops.normalize_2nd_moment(z)
        if self.c_dim == 0:
            return x
        return torch.cat([x, self.embed(needed(c, [len(z), self.c_dim], "c"))], dim=1)
