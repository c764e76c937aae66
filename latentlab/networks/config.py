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
        raise UnsupportedCheckpoint(f"`{field}` must be {rule}, but got {str(got)[:80]!r}")


def require_whole(config: object, field: str, low: int, high: int, optional: bool = False) -> None:
    """Refuse a field that is not a whole number within low..high, or None where optional."""
    value = getattr(config, field)
    fits = type(value) is int and low <= value <= high
    require(fits or (optional and value is None), field, f"a whole number {low}..{high}", value)


def require_positive(config: object, field: str, optional: bool = False) -> None:
    """Refuse a field that is not a positive finite number, or None where optional."""
    value = getattr(config, field)
    fits = type(value) in (int, float) and 0 < value < float("inf")
    require(fits or (optional and value is None), field, "a positive number", value)


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
        require_whole(self, "resolution", 4, 4096)
        size = self.resolution
        require(size & (size - 1) == 0, "resolution", "a power of two", size)
        require_whole(self, "channels", 1, 64)
        require_whole(self, "c_dim", 0, 100_000)
        require_whole(self, "channel_base", size, 2**40)
        require_whole(self, "channel_max", 1, 8192)
        require_positive(self, "conv_clamp", optional=True)
        taps = self.resample_filter
        fits = isinstance(taps, tuple) and 2 <= len(taps) <= 16
        fits = fits and all(type(tap) in (int, float) and math.isfinite(tap) for tap in taps)
        require(fits and sum(taps) != 0, "resample_filter", "2..16 numbers, sum not 0", taps)

    def feature_maps(self, resolution: int) -> int:
        """Number of feature maps at ``resolution``."""
        return channels_at(resolution, self.channel_base, self.channel_max)


def _require_architecture(value: object) -> None:
    known = get_args(Architecture)
    require(value in known, "architecture", " or ".join(known), value)


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
        _require_architecture(self.architecture)
        for field in ("z_dim", "w_dim"):
            require_whole(self, field, 1, 65536)
        require_whole(self, "mapping_layers", 1, 64)
        require_positive(self, "mapping_lr_multiplier")
        for field in ("embed_features", "layer_features"):
            require_whole(self, field, 1, 65536, optional=True)
        require(type(self.use_noise) is bool, "use_noise", "true or false", self.use_noise)

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
    mbstd_group_size: int | None = 4  # None: the whole batch
    mbstd_num_channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_architecture(self.architecture)
        require_whole(self, "mapping_layers", 1, 64)
        require_whole(self, "cmap_dim", 1, 65536, optional=True)
        require_whole(self, "mbstd_group_size", 1, 2**20, optional=True)
        maps = self.feature_maps(4)
        require_whole(self, "mbstd_num_channels", 0, maps)
        features = self.mbstd_num_channels
        require(features == 0 or maps % features == 0, "mbstd_num_channels",
                f"a divisor of {maps}, or 0", features)  # fmt: skip
