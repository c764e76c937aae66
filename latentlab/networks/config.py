"""Frozen descriptions of the networks: what a checkpoint must say to be rebuilt."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from latentlab.errors import UnsupportedCheckpoint

Architecture = Literal["skip", "resnet", "orig"]
SkipFilter = Literal["fir", "bilinear"]
LabelInput = Literal["embed", "concat"]
LabelOutput = Literal["projection", "sum"]

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
    """Refuse a field that is not a positive number that float32 holds, or None where optional."""
    value = getattr(config, field)
    fits = type(value) in (int, float) and 0 < value < 1e38
    require(fits or (optional and value is None), field, "a positive number", value)


def require_known(config: object, field: str, known: Sequence[str]) -> None:
    """Refuse a field that is none of the known words."""
    value = getattr(config, field)
    require(type(value) is str and value in known, field, " or ".join(known), value)


def require_flags(config: object, *flags: str) -> None:
    """Refuse fields that are neither true nor false."""
    for field in flags:
        value = getattr(config, field)
        require(type(value) is bool, field, "true or false", value)


def require_taps(config: object, field: str) -> None:
    """Refuse a field that is not a filter."""
    taps = getattr(config, field)
    fits = isinstance(taps, tuple) and 2 <= len(taps) <= 16
    fits = fits and all(type(tap) in (int, float) and math.isfinite(tap) for tap in taps)
    require(fits and sum(taps) != 0, field, "2..16 numbers, sum not 0", taps)


@dataclass(frozen=True)
class ImageConfig:
    """What all generators and discriminators have in common: images and labels."""

    resolution: int  # of the images, in pixels; a power of two
    channels: int = 3  # of the images
    c_dim: int = 0  # length of a label, 0 for none

    def __post_init__(self) -> None:
        require_whole(self, "resolution", 4, 4096)
        size = self.resolution
        require(size & (size - 1) == 0, "resolution", "a power of two", size)
        require_whole(self, "channels", 1, 64)
        require_whole(self, "c_dim", 0, 100_000)


@dataclass(frozen=True)
class ImageNetworkConfig(ImageConfig):
    """What the networks with a block a resolution have in common."""

    channel_base: int = 32768  # feature maps times resolution
    channel_max: int = 512  # feature maps at most
    # Feature maps at 4x4, 8x8, ...; None: as channel_base and channel_max give them.
    channel_table: tuple[int, ...] | None = None
    # RGB layers at every resolution, blended while the network grows (Karras et al. 2018).
    growing: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.resolution
        require_whole(self, "channel_base", size, 2**40)
        require_whole(self, "channel_max", 1, 8192)
        require_flags(self, "growing")
        table, count = self.channel_table, len(block_resolutions(size))
        fits = isinstance(table, tuple) and len(table) == count
        fits = fits and all(type(maps) is int and 1 <= maps <= 8192 for maps in table or ())
        require(table is None or fits, "channel_table", f"{count} numbers 1..8192", table)

    def feature_maps(self, resolution: int) -> int:
        """Number of feature maps at ``resolution``."""
        if self.channel_table is not None:
            return self.channel_table[int(math.log2(resolution)) - 2]
        return channels_at(resolution, self.channel_base, self.channel_max)


@dataclass(frozen=True)
class MappingConfig:
    """What the mapping networks of StyleGAN1 and StyleGAN2 have in common."""

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8  # 0: w is the normalised z
    mapping_lr_multiplier: float = 0.01
    embed_features: int | None = None  # width of the label embedding, None: w_dim
    layer_features: int | None = None  # width of the hidden mapping layers, None: w_dim
    # How labels enter. "embed": a dense layer, normalised apart from z (ADA). "concat": a matrix,
    # appended to z, then normalised with it (the TensorFlow releases before ADA).
    label_input: LabelInput = "embed"
    normalize_latents: bool = True

    def require_mapping(self) -> None:
        """Refuse unfit fields."""
        for field in ("z_dim", "w_dim"):
            require_whole(self, field, 1, 65536)
        require_whole(self, "mapping_layers", 0, 64)
        require_positive(self, "mapping_lr_multiplier")
        for field in ("embed_features", "layer_features"):
            require_whole(self, field, 1, 65536, optional=True)
        require_known(self, "label_input", get_args(LabelInput))
        require_flags(self, "normalize_latents")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """What the discriminators have in common: the layers at 4x4."""

    mbstd_group_size: int | None = 4  # None: the whole batch
    mbstd_num_channels: int = 1  # 0: no minibatch standard deviation
    fc_features: int | None = None  # width of the dense layer, None: feature maps at 4x4

    def require_epilogue(self, maps: int) -> None:
        """Refuse unfit fields, ``maps`` being the feature maps at 4x4."""
        require_whole(self, "mbstd_group_size", 1, 2**20, optional=True)
        require_whole(self, "mbstd_num_channels", 0, maps)
        features = self.mbstd_num_channels
        require(features == 0 or maps % features == 0, "mbstd_num_channels",
                f"a divisor of {maps}, or 0", features)  # fmt: skip
        require_whole(self, "fc_features", 1, 65536, optional=True)


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
