"""NVIDIA's StyleGAN3: the constructor arguments of its generator.

State dict names are the same as ours, so weights need no table. The discriminators of its
snapshots are StyleGAN2's.
"""

from collections.abc import Mapping
from typing import Any

from latentlab.checkpoints.assemble import config_from_dict
from latentlab.checkpoints.systems.arguments import (
    Names,
    arguments_back,
    no_matter,
    same,
    translate_arguments,
)
from latentlab.networks.stylegan3_config import StyleGAN3Config

# A weight that tells its generator, whose class has the name of StyleGAN2's, and only defaults.
STYLEGAN3_MARK = "synthesis.input.weight"

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


def stylegan3_config(
    kwargs: Mapping[str, Any], where: str, notes: list[str] | None = None
) -> StyleGAN3Config:
    """Translate the official Generator's constructor arguments; sentences go to ``notes``.

    Raises:
        UnsupportedCheckpoint: If an argument is unknown or does not fit.
    """
    values = translate_arguments(kwargs, _GENERATOR, {"mapping_kwargs": _MAPPING}, where, notes)
    return config_from_dict(StyleGAN3Config, values, where)


def stylegan3_arguments(config: StyleGAN3Config) -> dict[str, Any]:
    """Return the official Generator's constructor arguments, for float32."""
    arguments = arguments_back(config, _GENERATOR, {"mapping_kwargs": _MAPPING})
    return {**arguments, "num_fp16_res": 0}
