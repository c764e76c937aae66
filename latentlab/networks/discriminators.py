"""StyleGAN2's discriminator (Karras et al. 2020), in the resnet, skip and orig architectures.

Module names follow the official PyTorch state dict.
"""

import math

import torch
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.config import StyleGAN2DiscriminatorConfig, block_resolutions
from latentlab.networks.layers import Conv, Linear
from latentlab.networks.mapping import MappingNetwork
from latentlab.numerics import check_shape


class DiscriminatorBlock(nn.Module):
    """All layers of one resolution above 4x4: FromRGB, two convolutions, resnet skip."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2DiscriminatorConfig, resolution: int) -> None:
        super().__init__()
        taps, clamp = config.resample_filter, config.conv_clamp
        maps, maps_out = config.feature_maps(resolution), config.feature_maps(resolution // 2)
        self.register_buffer("resample_filter", ops.fir_kernel(taps))
        self.shrinks_image = config.architecture == "skip"
        self.fromrgb = self.skip = None
        if resolution == config.resolution or self.shrinks_image:
            self.fromrgb = Conv(config.channels, maps, 1, conv_clamp=clamp)
        self.conv0 = Conv(maps, maps, 3, conv_clamp=clamp)
        self.conv1 = Conv(maps, maps_out, 3, taps, down=True, conv_clamp=clamp)
        if config.architecture == "resnet":
            self.skip = Conv(maps, maps_out, 1, taps, activate=False, bias=False, down=True)

    def forward(self, x: Tensor | None, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, and in the skip architecture the image, at half the size."""
        if self.fromrgb is not None:
            features = self.fromrgb(image)
            x = features if x is None else x + features
        if self.shrinks_image:
            image = ops.downsample(image, self.resample_filter)
        if self.skip is None:
            return self.conv1(self.conv0(x)), image
        half = math.sqrt(0.5)  # keeps the variance of the sum of two branches
        y = self.skip(x, gain=half)
        return y + self.conv1(self.conv0(x), gain=half), image


class DiscriminatorEpilogue(nn.Module):
    """The 4x4 layers: minibatch standard deviation, convolution, two dense layers."""

    def __init__(self, config: StyleGAN2DiscriminatorConfig, cmap_dim: int) -> None:
        super().__init__()
        self.config = config
        maps, clamp = config.feature_maps(4), config.conv_clamp
        self.fromrgb = None
        if config.architecture == "skip" or config.resolution == 4:
            self.fromrgb = Conv(config.channels, maps, 1)  # never clamped in the original
        self.conv = Conv(maps + config.mbstd_num_channels, maps, 3, conv_clamp=clamp)
        self.fc = Linear(maps * 16, maps, activate=True)
        self.out = Linear(maps, max(cmap_dim, 1))

    def forward(self, x: Tensor | None, image: Tensor) -> Tensor:
        """Return scores [N,1], or [N,cmap_dim] still to be weighted by the mapped label."""
        if self.fromrgb is not None:
            features = self.fromrgb(image)
            x = features if x is None else x + features
        if x is None:
            x = image
        if self.config.mbstd_num_channels > 0:
            x = ops.minibatch_std(x, self.config.mbstd_group_size, self.config.mbstd_num_channels)
        return self.out(self.fc(self.conv(x).flatten(1)))  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """From images (and labels) to scores; a higher score means more real."""

    def __init__(self, config: StyleGAN2DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.cmap_dim = 0
        if config.c_dim > 0:
            self.cmap_dim = config.cmap_dim or config.feature_maps(4)
            self.mapping = MappingNetwork(
                0, config.c_dim, self.cmap_dim, None, num_layers=config.mapping_layers
            )
        self.resolutions = block_resolutions(config.resolution)[:0:-1]
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", DiscriminatorBlock(config, resolution))
        self.b4 = DiscriminatorEpilogue(config, self.cmap_dim)

    def forward(self, image: Tensor, c: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            image: Images [N,channels,R,R] in [-1,1]. Scores depend on the batch: minibatch
                standard deviation compares each image with its group.
            c: Labels [N,c_dim], needed where the network has labels.

        Returns:
            Scores [N,1].
        """
        size = self.config.resolution
        check_shape(image, [None, self.config.channels, size, size], "image")
        x: Tensor | None = None
        image = image.contiguous(memory_format=torch.channels_last)
        for resolution in self.resolutions:
            x, image = self.get_submodule(f"b{resolution}")(x, image)
        score: Tensor = self.b4(x, image)
        if self.cmap_dim > 0:
            cmap = self.mapping(None, c)
            score = (score * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)
        return score
