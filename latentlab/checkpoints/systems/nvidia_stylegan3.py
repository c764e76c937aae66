"""NVIDIA's StyleGAN3: the constructor arguments of its generator.

State dict names are the same as ours, so weights need no table. The discriminators of its
snapshots are StyleGAN2's.
"""

from collections.abc import Collection, Mapping
from typing import Any

from latentlab.checkpoints.assemble import config_from_dict
from latentlab.checkpoints.systems.translation import (
    Names,
    no_matter,
    same,
    translate_arguments,
)
from latentlab.networks.stylegan3_config import StyleGAN3Config

_GENERATOR: Names = {
    "img_resolution": "resolution",
    "img_channels": "channels",
    **same("c_dim", "z_dim", "w_dim", "channel_base", "channel_max", "num_layers", "num_critical"),
    **same("first_cutoff", "first_stopband", "last_stopband_rel", "margin_size", "output_scale"),
    **same("conv_kernel", "filter_size", "lrelu_upsampling", "use_radial_filters", "conv_clamp"),
    **no_matter("num_fp16_res", "magnitude_ema_beta"),
}
_MAPPING: Names = {
    "num_layers": "mapping_layers",
    "lr_multiplier": "mapping_lr_multiplier",
    **no_matter("w_avg_beta"),
}


def is_stylegan3(tensor_names: Collection[str]) -> bool:
    """Whether a generator is StyleGAN3's, by the names of its weights.

    Its class has the same name as StyleGAN2's, and every argument has a default.
    """
    return "synthesis.input.weight" in tensor_names


def stylegan3_config(kwargs: Mapping[str, Any], where: str) -> StyleGAN3Config:
    """Translate the official Generator's constructor arguments.

    Raises:
        UnsupportedCheckpoint: If an argument is unknown or does not fit.
    """
    values = translate_arguments(kwargs, _GENERATOR, {"mapping_kwargs": _MAPPING}, where)
    return config_from_dict(StyleGAN3Config, values, where)


def stylegan3_kind(config: StyleGAN3Config) -> str:
    """Name the published config, T or R, and the origin."""
    return f"stylegan3-{'r' if config.use_radial_filters else 't'}-nvidia"
