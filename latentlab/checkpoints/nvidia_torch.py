"""NVIDIA's PyTorch StyleGAN2 (stylegan2-ada-pytorch): its snapshots and constructor arguments.

State dict names are the same as ours, so weights need no table.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from latentlab.checkpoints.assemble import assemble, config_from_dict
from latentlab.checkpoints.pickle_reader import Record
from latentlab.checkpoints.plain import plain_copy
from latentlab.checkpoints.torch_modules import state_dict_of
from latentlab.errors import UnsupportedCheckpoint
from latentlab.networks.config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.discriminators import StyleGAN2Discriminator
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

# Arguments by position, where a caller left out their names.
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Generator": (
        "z_dim", "c_dim", "w_dim", "img_resolution", "img_channels",
        "mapping_kwargs", "synthesis_kwargs",
    ),
    "Discriminator": (
        "c_dim", "img_resolution", "img_channels", "architecture", "channel_base", "channel_max",
        "num_fp16_res", "conv_clamp", "cmap_dim",
        "block_kwargs", "mapping_kwargs", "epilogue_kwargs",
    ),
}  # fmt: skip
_NETWORKS = {"G_ema": "Generator", "G": "Generator", "D": "Discriminator"}
# Arguments that only StyleGAN3's generator has.
_STYLEGAN3 = {"num_critical", "first_cutoff", "first_stopband", "last_stopband_rel", "margin_size",
              "magnitude_ema_beta", "use_radial_filters", "filter_size"}  # fmt: skip


def read_snapshot(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False
) -> tuple[dict[str, nn.Module], dict[str, Any]]:
    """Build the networks of a training snapshot.

    Args:
        found: The snapshot as data: Records under "G_ema", "G" and "D", and other facts.
        where: The file, for messages.
        allow_nonfinite: Accept NaN and infinite weights.

    Returns:
        The networks by name, and metadata: the settings of the training set, and under "ignored"
        what the snapshot holds besides.

    Raises:
        CheckpointError: If a network is of another kind, or its weights do not fit.
    """
    networks: dict[str, nn.Module] = {}
    for name, class_name in _NETWORKS.items():
        if found.get(name) is None:
            continue
        place = f"{where}: {name}"
        kwargs = _arguments(found[name], class_name, place)
        (build, config), *_ = networks_from_official({name: kwargs}, where).values()
        tensors = state_dict_of(found[name], place)
        networks[name] = assemble(build, config, tensors, place, allow_nonfinite)
    return networks, _facts(found, where)


def _facts(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return the training set's settings, and the names of what is left aside."""
    facts: dict[str, Any] = {}
    known = (*_NETWORKS, "training_set_kwargs")
    rest = [key for key, value in found.items() if key not in known and value is not None]
    ignored = [str(key)[:100] for key in rest[:100]]
    training_set = found.get("training_set_kwargs")
    if training_set is not None:
        try:
            facts["training_set"] = plain_copy(training_set, where)
        except UnsupportedCheckpoint:  # no reason to refuse the networks
            ignored.append("training_set_kwargs")
    return {**facts, "ignored": ignored} if ignored else facts


def _arguments(record: object, class_name: str, where: str) -> dict[str, Any]:
    """Return the arguments by name that a network was made with."""
    if type(record) is not Record or record.origin != "torch" or record.state is None:
        raise UnsupportedCheckpoint(f"{where}: expected a network")
    args = plain_copy(record.state.get("_init_args", ()), where)
    kwargs = plain_copy(record.state.get("_init_kwargs", {}), where)
    if not isinstance(kwargs, dict) or not isinstance(args, list | tuple):
        raise UnsupportedCheckpoint(f"{where}: the arguments of the network are not recorded")
    if _STYLEGAN3 & set(kwargs):
        raise UnsupportedCheckpoint(f"{where}: a StyleGAN3 network; StyleGAN1 and 2 are supported")
    if record.class_name != class_name:
        found = ascii(record.class_name)[:60]
        raise UnsupportedCheckpoint(f"{where}: expected the class {class_name}, but got {found}")
    names = _POSITIONS[class_name][: len(args)]
    if len(args) > len(names) or set(names) & set(kwargs):
        raise UnsupportedCheckpoint(f"{where}: an argument too many, or given twice")
    return {**dict(zip(names, args, strict=True)), **kwargs}


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
            described[name] = (StyleGAN2Discriminator, discriminator_config(values, place))
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
    if kwargs.get("c_dim", 0) == 0:
        kwargs = _without_labels(kwargs)
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


def _without_labels(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the settings of a mapping network that is not there.

    Snapshots converted from TensorFlow carry them all the same, with ``num_layers`` 0.
    """
    mapping = kwargs.get("mapping_kwargs")
    if not isinstance(mapping, dict):
        return dict(kwargs)
    unused = {"embed_features", "layer_features", "lr_multiplier", "w_avg_beta"}
    used = {k: v for k, v in mapping.items() if k not in unused and (k, v) != ("num_layers", 0)}
    return {**kwargs, "mapping_kwargs": used}


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
