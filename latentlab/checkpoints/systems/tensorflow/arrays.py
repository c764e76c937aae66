"""Arrays of a TensorFlow generator alone: a pickled dict {name: array}, as yuuho saves it.

They are what ``Gs.vars`` holds, under full names. The arguments that made the network are not in
the file; sizes are read off the shapes, and everything else is taken to be as published.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import nn

from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from latentlab.errors import CheckpointError
from latentlab.networks.stylegan1_config import StyleGAN1Config

MARK = "G_synthesis/4x4/Const/const"

_PARTS = {"G_synthesis/": "synthesis", "G_mapping/": "mapping", "": ""}
_FIRST = "G_synthesis/4x4/Const/StyleMod/weight"  # StyleGAN1 alone has it
_MOST = 12  # doublings of a pixel: 4096 px


def read_arrays(
    found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False
) -> tuple[str, dict[str, nn.Module], dict[str, Any]]:
    """Build the generator of StyleGAN1 or StyleGAN2 whose variables these are.

    Returns:
        The kind of checkpoint, the generator by its name, and metadata.

    Raises:
        CheckpointError: If variables are missing, too many, or do not fit.
    """
    variables: dict[str, list[tuple[Any, Any]]] = {"": [], "synthesis": [], "mapping": []}
    for name, value in found.items():
        prefix = next((p for p in _PARTS if type(name) is str and name.startswith(p)), "")
        variables[_PARTS[prefix]].append((name[len(prefix) :] if prefix else name, value))
    is_first = _FIRST in found
    synthesis = "G_synthesis" if is_first else "G_synthesis_stylegan2"
    parts = {
        "synthesis": _record(synthesis, variables["synthesis"]),
        "mapping": _record("G_mapping", variables["mapping"]),
    }
    top = "G_style" if is_first else "G_main"
    whole = _record(top, variables[""], parts, _sizes(found, where))
    kind, networks, facts = read_networks([whole], where, allow_nonfinite)
    del facts["static_kwargs"]  # they are ours
    facts["notes"].append(
        "The file holds variables alone; settings that their shapes do not show are as published."
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
    """Return the arguments of the network that the shapes of its variables show."""
    sizes = [2**i for i in range(2, _MOST + 1)]
    up = "G_synthesis/{0}x{0}/Conv0_up/weight"
    resolution = max([4, *(size for size in sizes if up.format(size) in found)])
    last = f"G_synthesis/{resolution}x{resolution}"
    top = f"{last}/{'Conv' if resolution == 4 else 'Conv0_up'}/weight"
    colour = "G_synthesis/ToRGB_lod0" if _FIRST in found else f"{last}/ToRGB"
    layers = 0
    while f"G_mapping/Dense{layers}/weight" in found:
        layers += 1
    w_dim = _shape(found, "dlatent_avg", 1, where)[0]
    widths = [_shape(found, f"G_mapping/Dense{i}/weight", 2, where) for i in range(layers)]
    stage = int(math.log2(resolution)) - 1
    return {
        "resolution": resolution,
        "num_channels": _shape(found, f"{colour}/weight", 4, where)[3],
        "fmap_max": _shape(found, MARK, 4, where)[1],
        "fmap_base": _shape(found, top, 4, where)[3] * 2**stage,
        "dlatent_size": w_dim,
        "mapping_layers": layers,
        "latent_size": widths[0][0] if widths else w_dim,
        "mapping_fmaps": widths[0][1] if len(widths) > 1 else w_dim,
    }


def _shape(found: Mapping[Any, Any], name: str, rank: int, where: str) -> tuple[int, ...]:
    value = found.get(name)
    if type(value) is not np.ndarray or value.ndim != rank:
        raise CheckpointError(f"{where}: {name} is missing, or not an array of {rank} dimensions")
    shape: tuple[int, ...] = value.shape
    return shape
