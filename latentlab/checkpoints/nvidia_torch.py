"""NVIDIA's PyTorch StyleGAN2 (stylegan2-ada-pytorch): its constructor arguments to our configs.

State dict names are the same as ours, so weights need no table.
"""

from collections.abc import Mapping
from typing import Any

from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.generator import Generator

# Their argument -> our field; None marks arguments that do not change a float32 computation.
_SHARED = {
    "c_dim": "c_dim",
    "img_resolution": "resolution",
    "img_channels": "channels",
}
_GENERATOR = {**_SHARED, "z_dim": "z_dim", "w_dim": "w_dim"}
_GENERATOR_MAPPING = {
    "num_layers": "mapping_layers",
    "embed_features": "embed_features",
    "layer_features": "layer_features",
    "lr_multiplier": "mapping_lr_multiplier",
    "w_avg_beta": None,
}
_SYNTHESIS = {
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "architecture": "architecture",
    "resample_filter": "resample_filter",
    "conv_clamp": "conv_clamp",
    "use_noise": "use_noise",
    "num_fp16_res": None,
    "fp16_channels_last": None,
}
_DISCRIMINATOR = {
    **_SHARED,
    "architecture": "architecture",
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "conv_clamp": "conv_clamp",
    "cmap_dim": "cmap_dim",
    "num_fp16_res": None,
}
_BLOCK = {"resample_filter": "resample_filter", "fp16_channels_last": None, "freeze_layers": None}
_EPILOGUE = {
    "mbstd_group_size": "mbstd_group_size",
    "mbstd_num_channels": "mbstd_num_channels",
}
_DISCRIMINATOR_MAPPING = {"num_layers": "mapping_layers"}


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
    top = dict(kwargs)
    mapping, synthesis = top.pop("mapping_kwargs", {}), top.pop("synthesis_kwargs", {})
    return StyleGAN2Config(
        **_translate(top, _GENERATOR, where),
        **_translate(mapping, _GENERATOR_MAPPING, where),
        **_translate(synthesis, _SYNTHESIS, where),
    )


def discriminator_config(kwargs: Mapping[str, Any], where: str) -> StyleGAN2DiscriminatorConfig:
    """Translate the official Discriminator's constructor arguments."""
    top = dict(kwargs)
    block, mapping = top.pop("block_kwargs", {}), top.pop("mapping_kwargs", {})
    epilogue = top.pop("epilogue_kwargs", {})
    return StyleGAN2DiscriminatorConfig(
        **_translate(top, _DISCRIMINATOR, where),
        **_translate(block, _BLOCK, where),
        **_translate(mapping, _DISCRIMINATOR_MAPPING, where),
        **_translate(epilogue, _EPILOGUE, where),
    )


def _translate(
    values: Mapping[str, Any], names: Mapping[str, str | None], where: str
) -> dict[str, Any]:
    values = dict(values)
    if values.pop("activation", "lrelu") != "lrelu":
        raise UnsupportedCheckpoint(f"{where}: only the lrelu activation is supported")
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise UnsupportedCheckpoint(f"{where}: unknown settings {', '.join(unknown)}")
    translated = {}
    for key, value in values.items():
        field = names[key]
        if field is not None:
            translated[field] = tuple(value) if isinstance(value, list) else value
    return translated
