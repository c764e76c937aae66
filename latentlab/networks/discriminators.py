"""The discriminators of StyleGAN2, StyleGAN1 and Progressive GAN.

Module names follow the official PyTorch state dict of StyleGAN2.
"""

import math

import torch
from torch import Tensor, nn

from latentlab.checks import as_images, needed
from latentlab.networks import ops
from latentlab.networks.config import MappingConfig
from latentlab.networks.convolutions.differentiable import conv2d
from latentlab.networks.growth import GrowingNetwork, reduce
from latentlab.networks.layers import Conv, Linear
from latentlab.networks.mapping import MappingNetwork
from latentlab.networks.stylegan1_config import StyleGAN1DiscriminatorConfig
from latentlab.networks.stylegan2_config import StyleGAN2DiscriminatorConfig


class Discriminator(GrowingNetwork):
    """From images (and labels) to scores; a higher score means more real."""

    config: StyleGAN1DiscriminatorConfig | StyleGAN2DiscriminatorConfig
    is_skip = False  # whether the image is read at every resolution

    def forward(self, image: Tensor, c: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            image: Images [N,channels,R,R] in [-1,1], of any floating-point type. Scores depend
                on the batch: minibatch standard deviation compares each image with its group.
            c: Labels [N,c_dim], needed where the network has labels.

        Returns:
            Scores [N,1].

        Raises:
            LatentError: If images or labels have the wrong shape, or images are whole numbers.
        """
        size, c_dim = self.config.resolution, self.config.c_dim
        shape, dtype = (self.config.channels, size, size), next(self.parameters()).dtype
        image = as_images(image, shape, dtype, "image")
        if c_dim > 0:
            c = needed(c, [len(image), c_dim], "c")
        image = image.contiguous(memory_format=torch.channels_last)
        score: Tensor = self.block(4)(self._features(image))
        return score if c is None or c_dim == 0 else self._chosen(score, c.to(image.dtype))

    def _features(self, image: Tensor) -> Tensor:
        """Return features [N,maps,4,4]; the image is read at the resolution grown to."""
        size, share_below = self.stage()
        image = reduce(image, self.resolutions[-1] // size)
        x: Tensor = self.block(size).fromrgb(image)
        for resolution in [res for res in self.resolutions[:0:-1] if res <= size]:
            block, next_block = self.block(resolution), self.block(resolution // 2)
            x = block(x)
            if self.is_skip:
                image = ops.downsample(image, block.resample_filter)
                x = x + next_block.fromrgb(image)
            elif resolution == size and share_below > 0:
                below: Tensor = next_block.fromrgb(reduce(image))
                x = x.lerp(below, share_below)
        return x

    def _chosen(self, score: Tensor, c: Tensor) -> Tensor:
        """Return the scores [N,1] of labels c [N,c_dim], out of one for each entry of a label."""
        return (score * c).sum(dim=1, keepdim=True)


class DiscriminatorTail(nn.Module):
    """The 4x4 layers: minibatch standard deviation, convolution, two dense layers."""

    config: StyleGAN1DiscriminatorConfig | StyleGAN2DiscriminatorConfig

    def forward(self, x: Tensor) -> Tensor:
        """Map features [N,maps,4,4] to scores [N,outputs], still to be chosen by a label."""
        if self.config.mbstd_num_channels > 0:
            x = ops.minibatch_std(x, self.config.mbstd_group_size, self.config.mbstd_num_channels)
        return self.out(self.fc(self.conv(x).flatten(1)))  # type: ignore[no-any-return, operator]


class DiscriminatorBlock(nn.Module):
    """All layers of one resolution above 4x4: FromRGB, two convolutions, resnet skip."""

    resample_filter: Tensor

    def __init__(self, config: StyleGAN2DiscriminatorConfig, resolution: int) -> None:
        super().__init__()
        taps, clamp = config.resample_filter, config.conv_clamp
        maps, maps_out = config.feature_maps(resolution), config.feature_maps(resolution // 2)
        self.register_buffer("resample_filter", ops.fir_kernel(taps))
        self.fromrgb = self.skip = None
        if resolution == config.resolution or config.architecture == "skip" or config.growing:
            self.fromrgb = Conv(config.channels, maps, 1, conv_clamp=clamp)
        self.conv0 = Conv(maps, maps, 3, conv_clamp=clamp)
        self.conv1 = Conv(maps, maps_out, 3, taps, down=True, conv_clamp=clamp)
        if config.architecture == "resnet":
            self.skip = Conv(maps, maps_out, 1, taps, activate=False, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map features to features of half the size."""
        if self.skip is None:
            return self.conv1(self.conv0(x))  # type: ignore[no-any-return]
        half = math.sqrt(0.5)  # keeps the variance of the sum of two branches
        y: Tensor = self.skip(x, gain=half) + self.conv1(self.conv0(x), gain=half)
        return y


class DiscriminatorEpilogue(DiscriminatorTail):
    """The 4x4 layers of StyleGAN2."""

    def __init__(self, config: StyleGAN2DiscriminatorConfig, outputs: int) -> None:
        super().__init__()
        self.config = config
        maps, clamp = config.feature_maps(4), config.conv_clamp
        self.fromrgb = None
        if config.architecture == "skip" or config.resolution == 4 or config.growing:
            limit = clamp if config.clamps_last_rgb else None
            self.fromrgb = Conv(config.channels, maps, 1, conv_clamp=limit)
        self.conv = Conv(maps + config.mbstd_num_channels, maps, 3, conv_clamp=clamp)
        features = config.fc_features or maps
        self.fc = Linear(maps * 16, features, activate=True)
        self.out = Linear(features, outputs)


class StyleGAN2Discriminator(Discriminator):
    """StyleGAN2's discriminator (Karras et al. 2020): resnet, skip or orig; orig may grow."""

    def __init__(self, config: StyleGAN2DiscriminatorConfig) -> None:
        super().__init__(config.resolution, config.growing)
        self.config: StyleGAN2DiscriminatorConfig = config
        self.is_skip = config.architecture == "skip"
        self.projects = config.c_dim > 0 and config.label_output == "projection"
        outputs = max(config.c_dim, 1)
        if self.projects:
            outputs = config.cmap_dim or config.feature_maps(4)
            mapping = MappingConfig(0, outputs, config.mapping_layers)
            self.mapping = MappingNetwork(mapping, config.c_dim, None)
        for resolution in self.resolutions[:0:-1]:
            self.add_module(f"b{resolution}", DiscriminatorBlock(config, resolution))
        self.b4 = DiscriminatorEpilogue(config, outputs)

    def _chosen(self, score: Tensor, c: Tensor) -> Tensor:
        if not self.projects:
            return super()._chosen(score, c)
        cmap: Tensor = self.mapping(None, c)
        return (score * cmap).sum(dim=1, keepdim=True) / math.sqrt(cmap.shape[1])


class EqualizedConv(nn.Module):
    """Convolution with the gain in the weight, bias and activation (StyleGAN1, Progressive GAN)."""

    def __init__(
        self,
        config: StyleGAN1DiscriminatorConfig,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        halved: int = 0,  # the resolution, where it is to be halved
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.blur_filter, self.slope = config.blur_filter, config.negative_slope
        self.activate, self.shrinks = activate, halved > 0
        self.halves_last = config.halves_last
        self.fused = config.fused_from is not None and halved >= config.fused_from
        self.weight_gain = math.sqrt(2.0) / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,in_channels,H,W] to [N,out_channels,H',W']."""
        weight = self.weight * self.weight_gain
        if self.shrinks and self.blur_filter is not None:
            x = ops.blur(x, self.blur_filter)
        if self.fused:
            x = ops.fused_conv_down(x, weight)
        else:
            x = conv2d(x, weight, padding=weight.shape[-1] // 2)
            x = reduce(x) if self.shrinks and not self.halves_last else x
        x += self.bias[:, None, None]
        x = ops.leaky_relu_(x, slope=self.slope) if self.activate else x
        return reduce(x) if self.shrinks and self.halves_last and not self.fused else x


class StyleGAN1DiscriminatorBlock(nn.Module):
    """All layers of one resolution above 4x4: FromRGB, where needed, and two convolutions."""

    def __init__(self, config: StyleGAN1DiscriminatorConfig, resolution: int) -> None:
        super().__init__()
        maps, maps_out = config.feature_maps(resolution), config.feature_maps(resolution // 2)
        self.fromrgb = _from_rgb(config, resolution)
        between = maps_out if config.widens_first else maps
        self.conv0 = EqualizedConv(config, maps, between, 3)
        self.conv1 = EqualizedConv(config, between, maps_out, 3, halved=resolution)

    def forward(self, x: Tensor) -> Tensor:
        """Map features to features of half the size."""
        return self.conv1(self.conv0(x))  # type: ignore[no-any-return]


class StyleGAN1DiscriminatorEpilogue(DiscriminatorTail):
    """The 4x4 layers of StyleGAN1 and Progressive GAN."""

    def __init__(self, config: StyleGAN1DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        maps, slope = config.feature_maps(4), config.negative_slope
        features = config.fc_features or maps
        self.fromrgb = _from_rgb(config, 4)
        self.conv = EqualizedConv(config, maps + config.mbstd_num_channels, maps, 3)
        self.fc = Linear(
            maps * 16, features, activate=True, gain_in_weight=True, negative_slope=slope
        )
        self.out = Linear(features, max(config.c_dim, 1))


class StyleGAN1Discriminator(Discriminator):
    """The discriminator of StyleGAN1 (Karras et al. 2019) and Progressive GAN (2018)."""

    def __init__(self, config: StyleGAN1DiscriminatorConfig) -> None:
        super().__init__(config.resolution, config.growing)
        self.config: StyleGAN1DiscriminatorConfig = config
        for resolution in self.resolutions[:0:-1]:
            self.add_module(f"b{resolution}", StyleGAN1DiscriminatorBlock(config, resolution))
        self.b4 = StyleGAN1DiscriminatorEpilogue(config)


def _from_rgb(config: StyleGAN1DiscriminatorConfig, resolution: int) -> EqualizedConv | None:
    if not config.growing and resolution != config.resolution:
        return None
    maps, activate = config.feature_maps(resolution), config.from_rgb_activation
    return EqualizedConv(config, config.channels, maps, 1, activate=activate)
