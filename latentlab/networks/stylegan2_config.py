"""Configs of StyleGAN2's networks."""

import math
from dataclasses import dataclass

from latentlab.networks import checks
from latentlab.networks.config import (
    Architecture,
    DiscriminatorConfig,
    ImageNetworkConfig,
    LabelOutput,
    MappingConfig,
    SkipFilter,
)


@dataclass(frozen=True)
class _StyleGAN2Config(ImageNetworkConfig):
    """What StyleGAN2's generator and discriminator have in common."""

    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None  # limit of activations; set for networks trained in float16

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.positive(self.conv_clamp, "conv_clamp", optional=True)
        checks.taps(self.resample_filter, "resample_filter")

    def check_architecture(self, architecture: str) -> None:
        """Refuse an architecture that cannot grow in a growing network."""
        fits = architecture == "orig" or not self.growing
        checks.check(fits, "architecture", "orig in a growing network", architecture)


@dataclass(frozen=True)
class StyleGAN2Config(MappingConfig, _StyleGAN2Config):
    """StyleGAN2's generator; defaults as published (ADA's PyTorch release)."""

    architecture: Architecture = "skip"
    use_noise: bool = True
    skip_filter: SkipFilter = "fir"  # upsampling of a skip generator's image

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_architecture(self.architecture)
        self.check_mapping()

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: two for each resolution, less two."""
        return 2 * int(math.log2(self.resolution)) - 2


@dataclass(frozen=True)
class StyleGAN2DiscriminatorConfig(DiscriminatorConfig, _StyleGAN2Config):
    """StyleGAN2's discriminator; defaults as published (ADA's PyTorch release)."""

    architecture: Architecture = "resnet"
    mapping_layers: int = 8
    cmap_dim: int | None = None  # width of the mapped label, None: feature maps at 4x4
    # How labels count. "projection": the output is projected on the mapped label (ADA). "sum":
    # an output for each entry of the label (the TensorFlow releases before ADA).
    label_output: LabelOutput = "projection"
    # Whether ``conv_clamp`` limits the RGB layer at 4x4 as well: only in ADA's TensorFlow release.
    clamps_last_rgb: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_architecture(self.architecture)
        checks.whole(self.mapping_layers, "mapping_layers", 0, 64)
        checks.whole(self.cmap_dim, "cmap_dim", 1, 65536, optional=True)
        self.check_epilogue(self.feature_maps(4))
