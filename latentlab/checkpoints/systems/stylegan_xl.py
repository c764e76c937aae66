"""StyleGAN-XL (autonomousvision/stylegan-xl): what its generator's modules say of themselves.

Names of weights are ours. The arguments that a network was made with are not used: a stage of
super-resolution changes the network of the stage before it in place, whose arguments stay, so that
the layers are described by their own attributes.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from latentlab.checkpoints.assemble import Contents, assemble, config_from_dict
from latentlab.checkpoints.pickles.plain import plain_copy
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems.nvidia_stylegan3 import STYLEGAN3_MARK
from latentlab.checkpoints.systems.nvidia_torch import snapshot_facts
from latentlab.checkpoints.systems.torch_modules import state_dict_of
from latentlab.errors import UnsupportedCheckpoint, quoted
from latentlab.networks.stylegan3_config import LayerGeometry
from latentlab.networks.stylegan_xl_config import LayerRow, StyleGANXLConfig

_TABLE = "mapping.embed.weight"  # of classes; it is there without labels, too
# Names that together only its generator has, and one that StyleGAN3's has beside the table's.
MARKS, ABSENT = (STYLEGAN3_MARK, _TABLE), ("mapping.embed.bias",)
ROLES = {"G_ema": "G_ema", "G": "G"}

_NAME = re.compile(r"L(0|[1-9][0-9]{0,2})_[0-9]+_[0-9]+")
_MAX_LAYERS = 128

Described = Mapping[Any, Any]  # the attributes of a module


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the generators of a snapshot, as ``foreign.Reader`` says.

    Metadata are "training_set", "training", and what was "ignored": the discriminator, which is
    made of other people's networks, too.
    """
    networks: dict[str, nn.Module] = {}
    for name in ROLES:
        if (part := found.get(name)) is None:
            continue
        place = f"{where}: {name}"
        if type(part) is not Record:
            raise UnsupportedCheckpoint(
                f"{place}: a bare state dict of StyleGAN-XL does not say how its layers resample; "
                "expected the pickled network, as its training writes it"
            )
        tensors = state_dict_of(part, place)
        config = _config(part, tensors, place)
        if config.c_dim == 0:
            tensors.pop(_TABLE, None)  # nothing looks it up
        networks[name] = assemble(config, tensors, place, allow_nonfinite)
    return networks, snapshot_facts(found, networks, where)


def _config(generator: Record, tensors: Mapping[str, Tensor], where: str) -> StyleGANXLConfig:
    """Describe a pickled generator of any stage.

    Args:
        generator: The outermost module.
        tensors: Its state dict.
        where: File and network, for messages.

    Raises:
        UnsupportedCheckpoint: If an attribute is missing, or does not fit the others.
    """
    mapping = _within(generator, "mapping", where)
    synthesis = _within(generator, "synthesis", where)
    place = f"{where}: synthesis"
    names = _layer_names(synthesis, place)
    layers = {name: _within(synthesis, name, place).state or {} for name in names}
    first = _within(synthesis, "input", place).state or {}
    described = {
        **_mapping_of(mapping, tensors, where),
        "resolution": _whole(synthesis, "img_resolution", place),
        "channels": _whole(synthesis, "img_channels", place),
        "input_size": _side(first, "size", f"{place}: input"),
        "input_rate": _whole(first, "sampling_rate", f"{place}: input"),
        "input_cutoff": _given(first, "bandwidth", f"{place}: input"),
        "input_maps": _whole(first, "channels", f"{place}: input"),
        "layer_table": tuple(_row(name, layers[name], tensors, place) for name in names),
        "output_scale": _given(synthesis, "output_scale", place),
        "conv_clamp": _given(layers[names[0]], "conv_clamp", f"{place}: {names[0]}"),
    }
    config = config_from_dict(StyleGANXLConfig, described, where)
    for geometry, layer in zip(config.layers(), layers.values(), strict=True):
        _check_layer(geometry, layer, config.conv_clamp, f"{place}: {geometry.name}")
    if _whole(synthesis, "num_ws", place) != config.num_ws:
        raise UnsupportedCheckpoint(f"{place}: num_ws is not {config.num_ws}, one for each layer")
    return config


def _mapping_of(mapping: Record, tensors: Mapping[str, Tensor], where: str) -> dict[str, Any]:
    place = f"{where}: mapping"
    c_dim, layers = (_whole(mapping, name, place) for name in ("c_dim", "num_layers"))
    dense = [_within(mapping, f"fc{i}", place) for i in range(min(layers, _MAX_LAYERS))]
    rates = [_given(layer, "bias_gain", place) for layer in dense]
    if c_dim > 0:
        dense.append(_within(mapping, "embed_proj", place))
        rates.append(_given(dense[-1], "bias_gain", place))
    if any(_given(layer, "activation", place) != "lrelu" for layer in dense):
        raise UnsupportedCheckpoint(f"{place}: only the lrelu activation is supported")
    if rates != [*rates[:1] * layers, *[1] * (c_dim > 0)]:
        raise UnsupportedCheckpoint(f"{place}: layers with a bias_gain of their own")
    return {
        "c_dim": c_dim,
        "z_dim": _whole(mapping, "z_dim", place),
        "w_dim": _whole(mapping, "w_dim", place),
        "mapping_layers": layers,
        "mapping_lr_multiplier": rates[0],
        "label_table": tuple(tensors[_TABLE].shape) if c_dim > 0 else None,
    }


def _layer_names(synthesis: Record, where: str) -> list[str]:
    names: list[str] = _given(synthesis, "layer_names", where)
    fits = type(names) is list and 2 <= len(names) <= _MAX_LAYERS
    if not fits or any(type(name) is not str or not _NAME.fullmatch(name) for name in names):
        raise UnsupportedCheckpoint(f"{where}: layer_names must be names such as L0_36_512")
    return names


def _row(name: str, layer: Described, tensors: Mapping[str, Tensor], where: str) -> LayerRow:
    place = f"{where}: {name}"
    filters = [tensors.get(f"synthesis.{name}.{which}_filter") for which in ("up", "down")]
    if any(taps is not None and taps.ndim not in (1, 2) for taps in filters):
        raise UnsupportedCheckpoint(f"{place}: a filter that is not [k] or [k,k]")
    up, down = filters
    return LayerRow(
        number=int(name[1:].partition("_")[0]),
        size=_side(layer, "out_size", place),
        maps=_whole(layer, "out_channels", place),
        kernel=_whole(layer, "conv_kernel", place),
        up=_whole(layer, "up_factor", place),
        down=_whole(layer, "down_factor", place),
        up_taps=0 if up is None else len(up),
        down_taps=0 if down is None else len(down),
        radial=int(down is not None and down.ndim == 2),
    )


def _check_layer(
    geometry: LayerGeometry, layer: Described, conv_clamp: float | None, where: str
) -> None:
    """Require that a layer is what the row of its config says, and follows the one before it."""
    for name, ours in (
        ("in_size", geometry.source.size), ("in_channels", geometry.source.maps),
        ("is_torgb", geometry.is_rgb), ("conv_clamp", conv_clamp),
        ("padding", [*geometry.pad, *geometry.pad]),
    ):  # fmt: skip
        found = _side(layer, name, where) if name == "in_size" else _given(layer, name, where)
        if found != ours:
            raise UnsupportedCheckpoint(
                f"{where}: {name} must be {ours} here, but got {quoted(found)}"
            )


def _within(module: Record, name: str, where: str) -> Record:
    """Return a module within another."""
    held = (module.state or {}).get("_modules")
    found = held.get(name) if type(held) is dict else None
    if type(found) is not Record or found.state is None:
        raise UnsupportedCheckpoint(f"{where}: the module {name} is missing")
    return found


def _given(module: Record | Described, name: str, where: str) -> Any:
    """Return an attribute of a module that is a plain value."""
    state = (module.state or {}) if isinstance(module, Record) else module
    if name not in state:
        raise UnsupportedCheckpoint(f"{where}: the attribute {name} is missing")
    return plain_copy(state[name], f"{where}: {name}")


def _whole(module: Record | Described, name: str, where: str) -> int:
    value = _given(module, name, where)
    if type(value) is float and value.is_integer() and abs(value) < 2**31:
        value = int(value)
    if type(value) is not int:
        raise UnsupportedCheckpoint(f"{where}: {name} must be a whole number, got {quoted(value)}")
    return value


def _side(module: Described, name: str, where: str) -> int:
    """Return a size that is given for both sides, as an array."""
    found = module.get(name)
    if type(found) is np.ndarray and found.shape == (2,):
        sides = found.tolist()
    else:
        sides = [_given(module, name, where)] * 2
    if any(type(side) is not int for side in sides) or sides[0] != sides[1]:
        raise UnsupportedCheckpoint(f"{where}: not square: {name} is {quoted(sides)}")
    return int(sides[0])
