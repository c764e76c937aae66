"""Arrays of a TensorFlow generator alone: a pickled dict {name: array}, as yuuho saves it.

They are what ``Gs.vars`` holds, under full names. The arguments that made the network are not in
the file; sizes are read off the shapes, and everything else is taken to be as published.
"""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import nn

from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from latentlab.errors import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.stylegan1_config import StyleGAN1Config

MARK = "G_synthesis/4x4/Const/const"

_PARTS = {"G_synthesis/": "synthesis", "G_mapping/": "mapping", "": ""}
_FIRST = "G_synthesis/4x4/Const/StyleMod/weight"  # StyleGAN1 alone has it
_LABELS = "G_mapping/LabelConcat/weight"
_MOST = 12  # doublings of a pixel: 4096 px
_LEVEL = re.compile(r"G_synthesis/ToRGB_lod(\d{1,2})/(\w{1,20})")
_SINGLE = ("lod", "/noise_strength")  # ends of names of single numbers


def read_arrays(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False
) -> tuple[str, dict[str, nn.Module], dict[str, Any]]:
    """Build the generator of StyleGAN1 or StyleGAN2 whose variables these are.

    Returns:
        The kind of checkpoint, the generator by its name, and metadata.

    Raises:
        CheckpointError: If variables are missing, too many, or do not fit.
    """
    found, above = _numbered_from_zero({k: _single(k, value) for k, value in found.items()})
    variables: dict[str, list[tuple[Any, Any]]] = {"": [], "synthesis": [], "mapping": []}
    for name, value in found.items():
        prefix = next((p for p in _PARTS if type(name) is str and name.startswith(p)), "")
        variables[_PARTS[prefix]].append((name[len(prefix) :] if prefix else name, value))
    parts = {
        "synthesis": _record(_synthesis(found), variables["synthesis"]),
        "mapping": _record("G_mapping", variables["mapping"]),
    }
    top, sizes = "G_style" if _FIRST in found else "G_main", _sizes(found, where)
    whole = _record(top, variables[""], parts, sizes)
    kind, networks, facts = read_networks([whole], where, allow_nonfinite)
    del facts["static_kwargs"]  # they are ours
    facts["notes"].append(
        "The file holds variables alone; settings that their shapes do not show are as published."
    )
    if above:
        size = sizes["resolution"]
        facts["notes"].append(
            f"The network is the part up to {size} px of one of {size * 2**above} px."
        )
    return kind, networks, facts


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the generator as ``read_arrays`` does, without its kind; see ``foreign.Reader``."""
    _, networks, metadata = read_arrays(found, where, allow_nonfinite)
    return networks, metadata


def kind(networks: Mapping[str, nn.Module]) -> str:
    """Name the kind of checkpoint that these networks make."""
    config = networks["G_ema"].config
    return "stylegan1-tf" if isinstance(config, StyleGAN1Config) else "stylegan2-tf"


def _single(name: object, value: Any) -> Any:
    """Return what is a single number as one, whether it is an array of it or not."""
    is_array = type(name) is str and name.endswith(_SINGLE) and type(value) is np.ndarray
    return value.reshape(()) if is_array and value.shape == (1,) else value


def _numbered_from_zero(found: dict[Any, Any]) -> tuple[dict[Any, Any], int]:
    """Number the RGB layers from the highest that is there, and say how many are not.

    A network that was cut out of a larger one has the numbers of the larger one, and its level of
    detail.
    """
    named = {name: _LEVEL.fullmatch(name) for name in found if type(name) is str}
    levels = {int(match[1]) for match in named.values() if match}
    above = min(levels, default=0)
    if above == 0:
        return found, 0
    moved = {
        f"G_synthesis/ToRGB_lod{int(match[1]) - above}/{match[2]}" if match else name: found[name]
        for name, match in {**dict.fromkeys(found), **named}.items()
    }
    if _is_number(moved.get("lod")):
        moved["lod"] = max(float(moved["lod"]) - above, 0.0)
    return moved, above


def _is_number(value: Any) -> bool:
    if type(value) is np.ndarray:
        return bool(value.shape == () and value.dtype.kind == "f")
    return type(value) in (int, float)


def _levels(found: Mapping[Any, Any]) -> int:
    """Return how many RGB layers are numbered by their level of detail."""
    names = (name for name in found if type(name) is str and name.endswith("/weight"))
    return sum(1 for name in names if _LEVEL.fullmatch(name))


def _synthesis(found: Mapping[Any, Any]) -> str:
    """Name the function that built the synthesis network."""
    if _FIRST in found:
        return "G_synthesis"
    return "G_synthesis_stylegan_revised" if _levels(found) else "G_synthesis_stylegan2"


def _record(
    function: str,
    variables: list[tuple[Any, Any]],
    components: Mapping[str, Record] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
) -> Record:
    state: dict[str | int, Any] = {
        "name": "Gs", "static_kwargs": dict(arguments), "build_func_name": function,
        "components": dict(components), "variables": variables,
    }  # fmt: skip
    return Record("tensorflow", "Network", state)


def _sizes(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return the arguments of the network that its variables and their shapes show."""
    sizes = [2**i for i in range(2, _MOST + 1)]
    up = "G_synthesis/{0}x{0}/Conv0_up/weight"
    resolution = max([4, *(size for size in sizes if up.format(size) in found)])
    last = f"G_synthesis/{resolution}x{resolution}"
    top = f"{last}/{'Conv' if resolution == 4 else 'Conv0_up'}/weight"
    stage = int(math.log2(resolution)) - 1
    return {
        "resolution": resolution,
        "fmap_max": _shape(found, MARK, 4, where)[1],
        "fmap_base": _shape(found, top, 4, where)[3] * 2**stage,
        **_form(found, last, where),
        **_mapping(found, where),
    }


def _form(found: Mapping[Any, Any], last: str, where: str) -> dict[str, Any]:
    """Return which RGB layers there are, and how many channels they have."""
    levels = _levels(found)
    if levels:
        channels = _shape(found, "G_synthesis/ToRGB_lod0/weight", 4, where)[3]
        # One RGB layer has no other to be blended with.
        return {"num_channels": channels, "structure": "fixed" if levels == 1 else "auto"}
    architecture = "skip" if "G_synthesis/4x4/ToRGB/weight" in found else "orig"
    architecture = "resnet" if f"{last}/Skip/weight" in found else architecture
    channels = _shape(found, f"{last}/ToRGB/weight", 4, where)[3]
    return {"num_channels": channels, "architecture": architecture}


def _mapping(found: Mapping[Any, Any], where: str) -> dict[str, Any]:
    layers = 0
    while f"G_mapping/Dense{layers}/weight" in found:
        layers += 1
    w_dim = _shape(found, "dlatent_avg", 1, where)[0]
    widths = [_shape(found, f"G_mapping/Dense{i}/weight", 2, where) for i in range(layers)]
    labels, z_dim = 0, widths[0][0] if widths else w_dim
    if _LABELS in found:
        labels, z_dim = _shape(found, _LABELS, 2, where)
    elif z_dim > w_dim:
        raise UnsupportedCheckpoint(
            f"{where}: G_mapping/Dense0/weight takes {z_dim} numbers, and w has {w_dim}: of a "
            f"network with labels, whose {_LABELS} is not in the file, or with a longer z than "
            "w; give the pickle that the variables were taken from"
        )
    return {
        "dlatent_size": w_dim,
        "mapping_layers": layers,
        "latent_size": z_dim,
        "label_size": labels,
        "mapping_fmaps": widths[0][1] if len(widths) > 1 else w_dim,
    }


def _shape(found: Mapping[Any, Any], name: str, rank: int, where: str) -> tuple[int, ...]:
    value = found.get(name)
    if type(value) is not np.ndarray or value.ndim != rank:
        raise CheckpointError(f"{where}: {name} is missing, or not an array of {rank} dimensions")
    shape: tuple[int, ...] = value.shape
    return shape
