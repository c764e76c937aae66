"""NVIDIA's PyTorch StyleGAN2 (stylegan2-ada-pytorch): its constructor arguments to our configs.

State dict names are the same as ours, so weights need no table.
"""

from collections.abc import Mapping
from typing import Any

from latentlab.checkpoints.assemble import config_from_dict
from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.generator import Generator

_Names = Mapping[str, str | None]

# Their argument -> our field; None marks arguments that do not change a float32 computation.
_SHARED: _Names = {
    "c_dim": "c_dim",
    "img_resolution": "resolution",
    "img_channels": "channels",
}
_GENERATOR: _Names = {**_SHARED, "z_dim": "z_dim", "w_dim": "w_dim"}
_GENERATOR_MAPPING: _Names = {
    "num_layers": "mapping_layers",
    "embed_features": "embed_features",
    "layer_features": "layer_features",
    "lr_multiplier": "mapping_lr_multiplier",
    "w_avg_beta": None,
}
_SYNTHESIS: _Names = {
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "architecture": "architecture",
    "resample_filter": "resample_filter",
    "conv_clamp": "conv_clamp",
    "use_noise": "use_noise",
    "num_fp16_res": None,
    "fp16_channels_last": None,
}
_DISCRIMINATOR: _Names = {
    **_SHARED,
    "architecture": "architecture",
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "conv_clamp": "conv_clamp",
    "cmap_dim": "cmap_dim",
    "num_fp16_res": None,
}
_BLOCK: _Names = {
    "resample_filter": "resample_filter",
    "fp16_channels_last": None,
    "freeze_layers": None,
}
_EPILOGUE: _Names = {
    "mbstd_group_size": "mbstd_group_size",
    "mbstd_num_channels": "mbstd_num_channels",
}
_DISCRIMINATOR_MAPPING: _Names = {"num_layers": "mapping_layers"}


def networks_from_official(kwargs: Mapping[str, Any], where: str) -> dict[str, tuple[Any, Any]]:
    """Translate the constructor arguments of G, G_ema and D to (build, config) by name.

    Raises:
        UnsupportedCheckpoint: If an argument is unknown or asks for what is not supported.
    """
    described: dict[str, tuple[Any, Any]] = {}
    for name, values in kwargs.items():
        place = f"{where}: {name}"
        if name not in ("G", "G_ema", "D") or not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected the settings of G, G_ema or D")
        if name == "D":
            described[name] = (Discriminator, discriminator_config(values, place))
        else:
            described[name] = (Generator, generator_config(values, place))
    return described


def generator_config(kwargs: Mapping[str, Any], where: str) -> StyleGAN2Config:
    """Translate the official Generator's constructor arguments."""
    tables = {"mapping_kwargs": _GENERATOR_MAPPING, "synthesis_kwargs": _SYNTHESIS}
    values = _translate(kwargs, _GENERATOR, tables, where)
    config: StyleGAN2Config = config_from_dict(StyleGAN2Config, values, where)
    return config


def discriminator_config(kwargs: Mapping[str, Any], where: str) -> StyleGAN2DiscriminatorConfig:
    """Translate the official Discriminator's constructor arguments."""
    tables = {
        "block_kwargs": _BLOCK,
        "mapping_kwargs": _DISCRIMINATOR_MAPPING,
        "epilogue_kwargs": _EPILOGUE,
    }
    values = _translate(kwargs, _DISCRIMINATOR, tables, where)
    config: StyleGAN2DiscriminatorConfig = config_from_dict(
        StyleGAN2DiscriminatorConfig, values, where
    )
    return config


def _translate(
    kwargs: Mapping[str, Any], top: _Names, nested: Mapping[str, _Names], where: str
) -> dict[str, Any]:
    """Rename top-level and nested arguments to our fields, refusing what has no place there."""
    places = [(where, {k: v for k, v in kwargs.items() if k not in nested}, top)]
    places += [(f"{where}: {name}", kwargs.get(name, {}), nested[name]) for name in nested]
    translated: dict[str, Any] = {}
    for place, values, names in places:
        if not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected named settings, but got {values!r}")
        if values.get("activation", "lrelu") != "lrelu":
            raise UnsupportedCheckpoint(f"{place}: only the lrelu activation is supported")
        unknown = sorted(set(values) - {*names, "activation"})
        if unknown:
            raise UnsupportedCheckpoint(f"{place}: unknown setting {', '.join(unknown)}")
        translated |= {
            field: values[key] for key, field in names.items() if field and key in values
        }
    return translated
