"""Frozen descriptions of the networks: what a checkpoint must say to be rebuilt."""

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin

from latentlab.networks import checks

Architecture = Literal["skip", "resnet", "orig"]
SkipFilter = Literal["fir", "bilinear"]
LabelInput = Literal["embed", "concat"]
LabelOutput = Literal["projection", "sum"]

MAX_PARAMETERS = 1_000_000_000  # the largest published StyleGAN2 has about 60 million


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """Number of feature maps at a resolution, as published: min(base / resolution, max).

    >>> channels_at(1024, 32768, 512), channels_at(4, 32768, 512)
    (32, 512)
    """
    return min(channel_base // resolution, channel_max)


def block_resolutions(resolution: int) -> list[int]:
    """Resolutions of the blocks: 4, 8, ... up to ``resolution``.

    >>> block_resolutions(32)
    [4, 8, 16, 32]
    """
    return [2**i for i in range(2, int(math.log2(resolution)) + 1)]


@dataclass(frozen=True)
class ImageConfig:
    """What all generators and discriminators have in common: images and labels."""

    resolution: int  # of the images, in pixels; a power of two
    channels: int = 3  # of the images
    c_dim: int = 0  # length of a label, 0 for none

    def __post_init__(self) -> None:
        checks.whole(self.resolution, "resolution", 4, 4096)
        size = self.resolution
        checks.check(size & (size - 1) == 0, "resolution", "a power of two", size)
        checks.whole(self.channels, "channels", 1, 64)
        checks.whole(self.c_dim, "c_dim", 0, 100_000)
        for field in fields(self):  # a subclass's, too
            if field.type is bool:
                checks.flag(getattr(self, field.name), field.name)
            elif get_origin(field.type) is Literal:
                checks.choice(getattr(self, field.name), field.name, get_args(field.type))


@dataclass(frozen=True)
class ImageNetworkConfig(ImageConfig):
    """What the networks with one block for each resolution have in common."""

    channel_base: int = 32768  # feature maps times resolution
    channel_max: int = 512  # feature maps at most
    # Feature maps at 4x4, 8x8, ...; None: as channel_base and channel_max give them.
    channel_table: tuple[int, ...] | None = None
    # RGB layers at every resolution, blended while the network grows (Karras et al. 2018).
    growing: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.resolution
        checks.whole(self.channel_base, "channel_base", size, 2**40)
        checks.whole(self.channel_max, "channel_max", 1, 8192)
        table, count = self.channel_table, len(block_resolutions(size))
        fits = isinstance(table, tuple) and len(table) == count
        fits = fits and all(type(maps) is int and 1 <= maps <= 8192 for maps in table or ())
        checks.check(table is None or fits, "channel_table", f"{count} numbers 1 to 8192", table)

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

    def check_mapping(self) -> None:
        """Refuse fields that do not fit."""
        for field in ("z_dim", "w_dim"):
            checks.whole(getattr(self, field), field, 1, 65536)
        checks.whole(self.mapping_layers, "mapping_layers", 0, 64)
        checks.positive(self.mapping_lr_multiplier, "mapping_lr_multiplier")
        for field in ("embed_features", "layer_features"):
            checks.whole(getattr(self, field), field, 1, 65536, optional=True)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """What the discriminators have in common: the layers at 4x4."""

    mbstd_group_size: int | None = 4  # None: the whole batch
    mbstd_num_channels: int = 1  # 0: no minibatch standard deviation
    fc_features: int | None = None  # width of the dense layer, None: feature maps at 4x4

    def check_epilogue(self, maps: int) -> None:
        """Refuse fields that do not fit; ``maps`` are the feature maps at 4x4."""
        checks.whole(self.mbstd_group_size, "mbstd_group_size", 1, 2**20, optional=True)
        checks.whole(self.mbstd_num_channels, "mbstd_num_channels", 0, maps)
        features = self.mbstd_num_channels
        checks.check(features == 0 or maps % features == 0, "mbstd_num_channels",
                f"a divisor of {maps}, or 0", features)  # fmt: skip
        checks.whole(self.fc_features, "fc_features", 1, 65536, optional=True)
