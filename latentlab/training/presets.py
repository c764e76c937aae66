"""The named training configs: the published ones, and small ones for small pictures."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from latentlab.checks import check_choice
from latentlab.errors import SettingsError, UnsupportedNetwork
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.training.changes import with_mapping_layers
from latentlab.training.config import TrainingConfig
from latentlab.training.schedule import Growth

_SMALL: dict[str, Any] = {"channel_base": 1024, "channel_max": 64}  # of both networks
_GROWING: dict[str, Any] = {"channel_base": 16384, "architecture": "orig", "growing": True}
_BEFORE_STYLEGAN2: dict[str, Any] = {"discriminator_first": True, "path_length_weight": 0.0}
_WASSERSTEIN: dict[str, Any] = {"loss": "wgan-gp", "r1_gamma": 0.0}

# Karras et al. 2019 for eight GPUs, which StyleGAN2's configs A to D repeat.
_STYLEGAN1_GROWTH = Growth(
    batches=((4, 512), (8, 256), (16, 128), (32, 64)),
    learning_rates=((128, 0.0015), (256, 0.002), (512, 0.003), (1024, 0.003)),
)
# What the generators of Table 1 (Karras et al. 2019) lack of config F's. B is the traditional
# generator: z enters the first layer, and pixel norm stands for instance norm and styles.
_TRADITIONAL: dict[str, Any] = {
    "styles": False, "instance_norm": False, "pixel_norm": True, "const_input": False,
    "use_noise": False,
}  # fmt: skip
_ABLATIONS: dict[str, dict[str, Any]] = {
    "b": _TRADITIONAL,
    "c": {"const_input": False, "use_noise": False},
    "d": {"use_noise": False},
    "e": {},
}
# Appendix A.1, Karras et al. 2018.
_PROGAN_GROWTH = Growth(4, 800.0, 800.0, batches=((256, 14), (512, 6), (1024, 3)))


class ImageFormat(NamedTuple):
    """What the data decides about the networks."""

    resolution: int
    channels: int
    c_dim: int


def _stylegan2(name: str, images: ImageFormat, channel_base: int, gamma: float) -> TrainingConfig:
    """Karras et al. 2020, Table 1: E and F differ in the number of feature maps and in gamma."""
    return TrainingConfig(
        name,
        StyleGAN2Config(*images, channel_base=channel_base),
        StyleGAN2DiscriminatorConfig(*images, channel_base=channel_base),
        r1_gamma=gamma,
    )


def _stylegan2_small(name: str, images: ImageFormat) -> TrainingConfig:
    return TrainingConfig(
        name,
        StyleGAN2Config(*images, **_SMALL, z_dim=64, w_dim=64),
        StyleGAN2DiscriminatorConfig(*images, **_SMALL),
        r1_gamma=0.1,
        ema_kimg=3.0,
    )


def _stylegan2_growing(
    name: str, images: ImageFormat, lazy: bool, path_length_weight: float
) -> TrainingConfig:
    """Karras et al. 2020, Table 1, B to D: networks with demodulation that grow."""
    return TrainingConfig(
        name,
        StyleGAN2Config(*images, **_GROWING, label_input="concat"),
        StyleGAN2DiscriminatorConfig(*images, **_GROWING, label_output="sum"),
        growth=_STYLEGAN1_GROWTH,
        learning_rate=0.001,
        r1_interval=16 if lazy else 1,
        path_length_weight=path_length_weight,
    )


def _stylegan1(name: str, images: ImageFormat) -> TrainingConfig:
    """Karras et al. 2019, config F."""
    return TrainingConfig(
        name,
        StyleGAN1Config(*images),
        StyleGAN1DiscriminatorConfig(*images),
        growth=_STYLEGAN1_GROWTH,
        learning_rate=0.001,
        r1_interval=1,
        **_BEFORE_STYLEGAN2,
    )


def _stylegan1_wgan(name: str, images: ImageFormat) -> TrainingConfig:
    """As for CelebA-HQ: another loss, and lower rates for large pictures."""
    return _stylegan1(name, images).changed(loss="wgan-gp")


def _stylegan1_ablation(name: str, images: ImageFormat, letter: str) -> TrainingConfig:
    """Karras et al. 2019, Table 1, configs B to E: all before mixing regularisation."""
    config = _stylegan1(name, images)
    own = StyleGAN1Config(*images, **_ABLATIONS[letter])
    generator = with_mapping_layers(own, 0) if letter == "b" else own
    return replace(config, generator=generator, mixing_probability=0.0)


def _stylegan1_a(name: str, images: ImageFormat) -> TrainingConfig:
    """Karras et al. 2019, config A: the Progressive GAN as that paper trained it anew.

    Its networks and loss, with the batches and rates for eight GPUs that all configs share, and
    with their average of G; ``progan`` is as in its own paper, for one GPU.
    """
    return TrainingConfig(
        name,
        ProGANConfig(*images),
        StyleGAN1DiscriminatorConfig(*images, blur_filter=None, fused_from=8),
        growth=replace(_STYLEGAN1_GROWTH, start_resolution=4),
        learning_rate=0.001,
        mixing_probability=0.0,
        **_BEFORE_STYLEGAN2,
        **_WASSERSTEIN,
    )


def _stylegan1_small(name: str, images: ImageFormat) -> TrainingConfig:
    return TrainingConfig(
        name,
        StyleGAN1Config(*images, **_SMALL, z_dim=64, w_dim=64),
        StyleGAN1DiscriminatorConfig(*images, **_SMALL),
        growth=Growth(8, 80.0, 80.0),
        r1_gamma=1.0,
        ema_kimg=3.0,
        **_BEFORE_STYLEGAN2,
    )


def _progan(name: str, images: ImageFormat) -> TrainingConfig:
    """Karras et al. 2018, appendix A.1."""
    return TrainingConfig(
        name,
        ProGANConfig(*images),
        StyleGAN1DiscriminatorConfig(*images, blur_filter=None, fused_from=8, mbstd_group_size=16),
        growth=_PROGAN_GROWTH,
        batch=16,
        learning_rate=0.001,
        ema_decay=0.999,
        **_BEFORE_STYLEGAN2,
        **_WASSERSTEIN,
    )


def _progan_small(name: str, images: ImageFormat) -> TrainingConfig:
    return TrainingConfig(
        name,
        ProGANConfig(*images, **_SMALL, z_dim=64),
        StyleGAN1DiscriminatorConfig(*images, **_SMALL, blur_filter=None, fused_from=8),
        growth=Growth(4, 25.0, 25.0),
        learning_rate=0.001,
        ema_kimg=3.0,
        **_BEFORE_STYLEGAN2,
        **_WASSERSTEIN,
    )


CONFIGS: dict[str, Callable[[str, ImageFormat], TrainingConfig]] = {
    # StyleGAN1's networks, trained by StyleGAN2's code.
    "stylegan2-a": lambda *given: replace(_stylegan1(*given), discriminator_first=False),
    "stylegan2-b": partial(_stylegan2_growing, lazy=False, path_length_weight=0.0),
    "stylegan2-c": partial(_stylegan2_growing, lazy=True, path_length_weight=0.0),
    "stylegan2-d": partial(_stylegan2_growing, lazy=True, path_length_weight=2.0),
    "stylegan2-e": partial(_stylegan2, channel_base=16384, gamma=100.0),
    "stylegan2-f": partial(_stylegan2, channel_base=32768, gamma=10.0),
    "stylegan2-small": _stylegan2_small,
    "stylegan1": _stylegan1,
    "stylegan1-a": _stylegan1_a,
    **{f"stylegan1-{each}": partial(_stylegan1_ablation, letter=each) for each in _ABLATIONS},
    "stylegan1-f": _stylegan1,  # by its letter
    "stylegan1-wgan": _stylegan1_wgan,
    "stylegan1-small": _stylegan1_small,
    "progan": _progan,
    "progan-small": _progan_small,
}


def named_config(name: str, images: ImageFormat) -> TrainingConfig:
    """Return a named config for images of the given format.

    Raises:
        SettingsError: If there is no such config, or it is not for images of that size.
    """
    check_choice(name, "config", list(CONFIGS))
    try:
        return CONFIGS[name](name, images)
    except UnsupportedNetwork as error:  # which knows nothing of the data
        size = f"{images.resolution}x{images.resolution}"
        raise SettingsError(f"`config` {name} is not for pictures of {size}: {error}") from error
