"""Configs of StyleGAN2's networks."""

import math
from dataclasses import dataclass
from typing import get_args

from latentlab.checks import (
    require,
    require_flags,
    require_known,
    require_positive,
    require_taps,
    require_whole,
)
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
        require_positive(self, "conv_clamp", optional=True)
        require_taps(self, "resample_filter")

    def require_architecture(self, architecture: str) -> None:
        """Refuse an architecture that is not known, or that cannot grow."""
        require_known(self, "architecture", get_args(Architecture))
        fits = architecture == "orig" or not self.growing
        require(fits, "architecture", "orig in a growing network", architecture)


@dataclass(frozen=True)
class StyleGAN2Config(MappingConfig, _StyleGAN2Config):
    """StyleGAN2's generator; defaults as published (ADA's PyTorch release)."""

    architecture: Architecture = "skip"
    use_noise: bool = True
    skip_filter: SkipFilter = "fir"  # upsampling of a skip generator's image

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_architecture(self.architecture)
        self.require_mapping()
        require_flags(self, "use_noise")
        require_known(self, "skip_filter", get_args(SkipFilter))

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: two a resolution, less two."""
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
        self.require_architecture(self.architecture)
        require_whole(self, "mapping_layers", 0, 64)
        require_whole(self, "cmap_dim", 1, 65536, optional=True)
        require_known(self, "label_output", get_args(LabelOutput))
        require_flags(self, "clamps_last_rgb")
        self.require_epilogue(self.feature_maps(4))
