"""Frozen descriptions of the networks of StyleGAN1 and Progressive GAN."""

import math
from dataclasses import dataclass

from latentlab.networks import checks
from latentlab.networks.config import (
    DiscriminatorConfig,
    ImageNetworkConfig,
    LabelInput,
    MappingConfig,
)


@dataclass(frozen=True)
class _StyleGAN1Config(ImageNetworkConfig):
    """What the generators and discriminators of StyleGAN1 and Progressive GAN have in common."""

    channel_base: int = 16384
    growing: bool = True
    negative_slope: float = 0.2  # of the activation; 0 is the ReLU
    blur_filter: tuple[float, ...] | None = (1.0, 2.0, 1.0)
    # From this resolution on, resampling and convolution are one strided convolution. The two
    # ways up differ, since the fused one mirrors the kernel. None: nowhere.
    fused_from: int | None = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number(self.negative_slope, "negative_slope", 0, below=1)
        if self.blur_filter is not None:
            checks.taps(self.blur_filter, "blur_filter")
        checks.whole(self.fused_from, "fused_from", 4, 2**20, optional=True)


@dataclass(frozen=True)
class StyleGAN1Config(MappingConfig, _StyleGAN1Config):
    """StyleGAN1's generator; defaults as published (NVlabs/stylegan).

    With ``styles`` and ``const_input`` false it is the traditional generator of Table 4 (Karras et
    al. 2019): w has one layer, which a dense layer turns into the first feature maps.
    """

    label_input: LabelInput = "concat"
    styles: bool = True
    use_noise: bool = True
    shared_noise: bool = False  # one noise map for both layers of a resolution
    pixel_norm: bool = False
    pixel_norm_epsilon: float = 1e-8
    instance_norm: bool = True
    instance_norm_epsilon: float = 1e-8
    const_input: bool = True
    # The bias of an upsampling layer comes before its blur, whose zero padding weakens it at the
    # border (rosinality/style-based-gan-pytorch); as published it comes after.
    blurred_bias: bool = False
    mapping_negative_slope: float | None = None  # None: as negative_slope

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_mapping()
        slope = self.mapping_negative_slope
        checks.number(slope, "mapping_negative_slope", 0, below=1, optional=True)
        checks.positive(self.instance_norm_epsilon, "instance_norm_epsilon")
        checks.positive(self.pixel_norm_epsilon, "pixel_norm_epsilon")

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: one per layer, or one in all without styles."""
        return 2 * int(math.log2(self.resolution)) - 2 if self.styles else 1


@dataclass(frozen=True)
class ProGANConfig(_StyleGAN1Config):
    """Progressive GAN's generator; defaults as published (Karras et al. 2018)."""

    blur_filter: tuple[float, ...] | None = None
    fused_from: int | None = 8
    z_dim: int = 512
    normalize_latents: bool = True
    # z is normalised alone before it is with its label (genforce/genforce), not only with it.
    normalizes_z_first: bool = False
    pixel_norm: bool = True
    pixel_norm_epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self.z_dim, "z_dim", 1, 65536)
        checks.positive(self.pixel_norm_epsilon, "pixel_norm_epsilon")


@dataclass(frozen=True)
class StyleGAN1DiscriminatorConfig(DiscriminatorConfig, _StyleGAN1Config):
    """StyleGAN1's discriminator, and without ``blur_filter`` Progressive GAN's.

    A label selects one of ``c_dim`` outputs.
    """

    from_rgb_activation: bool = True
    # A block's first convolution has as many feature maps as the next resolution
    # (rosinality/style-based-gan-pytorch); as published its second changes their number.
    widens_first: bool = False
    # Where a layer halves its maps and is not fused: the mean after bias and activation, as in
    # Progressive GAN, or before them, as in StyleGAN1.
    halves_last: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_epilogue(self.feature_maps(4))
