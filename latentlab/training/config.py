"""The named training configs."""

from collections.abc import Callable
from dataclasses import dataclass

from latentlab.errors import SettingsError, UnsupportedCheckpoint
from latentlab.networks.config import StyleGAN2Config, StyleGAN2DiscriminatorConfig


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the course of a training run, besides data and seed.

    Intervals are in iterations; ``kimg`` is a thousand real images shown to the discriminator.
    """

    name: str
    generator: StyleGAN2Config
    discriminator: StyleGAN2DiscriminatorConfig
    batch: int = 32
    learning_rate: float = 0.002
    r1_gamma: float = 10.0
    r1_interval: int = 16  # lazy regularisation of D (appendix B, Karras et al. 2020)
    path_length_weight: float = 2.0
    path_length_interval: int = 4
    path_length_decay: float = 0.01
    path_length_batch_shrink: int = 2
    mixing_probability: float = 0.9
    ema_kimg: float = 10.0  # half-life of the averaged generator
    w_mean_decay: float = 0.995
    mirror: bool = False  # flip real images at random


@dataclass(frozen=True)
class ImageFormat:
    """What the data decides about the networks."""

    resolution: int
    channels: int
    c_dim: int


def _stylegan2(name: str, images: ImageFormat, channel_base: int, gamma: float) -> TrainingConfig:
    shape = (images.resolution, images.channels, images.c_dim)
    return TrainingConfig(
        name,
        StyleGAN2Config(*shape, channel_base=channel_base),
        StyleGAN2DiscriminatorConfig(*shape, channel_base=channel_base),
        r1_gamma=gamma,
    )


def _stylegan2_small(name: str, images: ImageFormat) -> TrainingConfig:
    shape = (images.resolution, images.channels, images.c_dim)
    return TrainingConfig(
        name,
        StyleGAN2Config(*shape, channel_base=1024, channel_max=64, z_dim=64, w_dim=64),
        StyleGAN2DiscriminatorConfig(*shape, channel_base=1024, channel_max=64),
        r1_gamma=0.1,
        ema_kimg=3.0,
    )


# Karras et al. 2020, Table 1: E and F differ in the number of feature maps and in gamma.
CONFIGS: dict[str, Callable[[ImageFormat], TrainingConfig]] = {
    "stylegan2-e": lambda images: _stylegan2("stylegan2-e", images, 16384, 100.0),
    "stylegan2-f": lambda images: _stylegan2("stylegan2-f", images, 32768, 10.0),
    "stylegan2-small": lambda images: _stylegan2_small("stylegan2-small", images),
}


def named_config(name: str, images: ImageFormat) -> TrainingConfig:
    """Return a named config for images of the given format.

    Raises:
        SettingsError: If there is no such config, or it is not for images of that size.
    """
    if name not in CONFIGS:
        raise SettingsError(f"`config` must be one of {', '.join(CONFIGS)}, but got {name!r}")
    try:
        return CONFIGS[name](images)
    except UnsupportedCheckpoint as error:  # a rule of the networks, broken by the data's size
        size = f"{images.resolution}x{images.resolution}"
        raise SettingsError(f"`config` {name} is not for pictures of {size}: {error}") from error
