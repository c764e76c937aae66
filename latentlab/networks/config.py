"""Frozen descriptions of the networks: what a checkpoint must say to be rebuilt."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from latentlab.errors import UnsupportedCheckpoint

Architecture = Literal["skip", "resnet", "orig"]

MAX_PARAMETERS = 1_000_000_000  # the largest published StyleGAN2 has about 60 million


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """Number of feature maps at a resolution, as published: min(base / resolution, max)."""
    return min(channel_base // resolution, channel_max)


def block_resolutions(resolution: int) -> list[int]:
    """Resolutions of the blocks: 4, 8, ... up to ``resolution``."""
    return [2**i for i in range(2, int(math.log2(resolution)) + 1)]


def require(holds: bool, field: str, rule: str, got: object) -> None:
    """Raise UnsupportedCheckpoint, naming the field of the config, unless ``holds``."""
    if not holds:
        raise UnsupportedCheckpoint(f"network config: `{field}` must be {rule}, but got {got!r}")


@dataclass(frozen=True)
class _StyleGAN2Config:
    """What StyleGAN2's generator and discriminator have in common."""

    resolution: int  # of the images, in pixels; a power of two
    channels: int = 3  # of the images
    c_dim: int = 0  # length of a label, 0 for none
    channel_base: int = 32768  # feature maps times resolution
    channel_max: int = 512  # feature maps at most
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None  # limit of activations; set for networks trained in float16

    def __post_init__(self) -> None:
        for field in ("resolution", "channels", "channel_base", "channel_max"):
            value = getattr(self, field)
            require(type(value) is int and value >= 1, field, "a positive integer", value)
        size = self.resolution
        require(4 <= size <= 4096 and size & (size - 1) == 0, "resolution", "2^2..2^12", size)
        require(self.channels <= 64, "channels", "at most 64", self.channels)
        require(
            type(self.c_dim) is int and 0 <= self.c_dim <= 100_000, "c_dim", "0..100000", self.c_dim
        )
        require(
            self.channel_base >= size, "channel_base", f"at least {size} here", self.channel_base
        )
        require(self.channel_max <= 8192, "channel_max", "at most 8192", self.channel_max)
        taps = self.resample_filter
        require(2 <= len(taps) <= 16 and sum(taps) != 0, "resample_filter", "2..16 taps", taps)

    def feature_maps(self, resolution: int) -> int:
        """Number of feature maps at ``resolution``."""
        return channels_at(resolution, self.channel_base, self.channel_max)


@dataclass(frozen=True)
class StyleGAN2Config(_StyleGAN2Config):
    """StyleGAN2's generator; defaults as published (ADA's PyTorch release)."""

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    mapping_lr_multiplier: float = 0.01
    embed_features: int | None = None  # width of the label embedding, None: w_dim
    layer_features: int | None = None  # width of the hidden mapping layers, None: w_dim
    architecture: Architecture = "skip"
    use_noise: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.architecture in get_args(Architecture), "architecture",
                "skip, resnet or orig", self.architecture)  # fmt: skip
        for field in ("z_dim", "w_dim"):
            value = getattr(self, field)
            require(type(value) is int and 1 <= value <= 65536, field, "1..65536", value)
        layers = self.mapping_layers
        require(type(layers) is int and 1 <= layers <= 64, "mapping_layers", "1..64", layers)

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: two a resolution, less two."""
        return 2 * int(math.log2(self.resolution)) - 2


@dataclass(frozen=True)
class StyleGAN2DiscriminatorConfig(_StyleGAN2Config):
    """StyleGAN2's discriminator; defaults as published (ADA's PyTorch release)."""

    architecture: Architecture = "resnet"
    mapping_layers: int = 8
    cmap_dim: int | None = None  # width of the mapped label, None: feature maps at 4x4
    mbstd_group_size: int | None = 4
    mbstd_num_channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.architecture in get_args(Architecture), "architecture",
                "skip, resnet or orig", self.architecture)  # fmt: skip
        maps, features = self.feature_maps(4), self.mbstd_num_channels
        require(0 <= features <= maps and (features == 0 or maps % features == 0),
                "mbstd_num_channels", f"a divisor of {maps}, or 0", features)  # fmt: skip
