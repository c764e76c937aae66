"""From a config and named tensors to a network, refusing weights that do not fit."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from latentlab.errors import (
    CheckpointError,
    SettingsError,
    UnsupportedCheckpoint,
    UnsupportedNetwork,
    shown,
)
from latentlab.networks.classifier import Classifier, ClassifierConfig
from latentlab.networks.config import MAX_PARAMETERS
from latentlab.networks.discriminators import StyleGAN1Discriminator, StyleGAN2Discriminator
from latentlab.networks.fastgan import FastGAN
from latentlab.networks.fastgan_config import FastGANConfig
from latentlab.networks.generator import Generator
from latentlab.networks.lucidrains import LucidrainsConfig
from latentlab.networks.progan import ProGAN
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config
from latentlab.networks.stylegan_xl_config import StyleGANXLConfig
from latentlab.weightless import weightless

# Name in a native file -> how to read the config, how to build the network.
NETWORK_TYPES: dict[str, tuple[type[Any], Callable[[Any], nn.Module]]] = {
    "stylegan2-generator": (StyleGAN2Config, Generator),
    "stylegan2-discriminator": (StyleGAN2DiscriminatorConfig, StyleGAN2Discriminator),
    "stylegan3-generator": (StyleGAN3Config, Generator),
    "stylegan1-generator": (StyleGAN1Config, Generator),
    "stylegan1-discriminator": (StyleGAN1DiscriminatorConfig, StyleGAN1Discriminator),
    "lucidrains-generator": (LucidrainsConfig, Generator),
    "stylegan-xl-generator": (StyleGANXLConfig, Generator),
    "progan-generator": (ProGANConfig, ProGAN),
    "fastgan-generator": (FastGANConfig, FastGAN),
    "classifier": (ClassifierConfig, Classifier),
}

Contents = tuple[dict[str, nn.Module], dict[str, Any]]  # of a file: networks by name, metadata

_ALWAYS_FINITE = "lod"  # says what is computed, and is no weight of it
_Config = TypeVar("_Config")
_RGB_LAYERS = (".torgb.weight", ".torgb.bias")


def build_network(config: Any) -> nn.Module:
    """Make the network that a config describes, with random weights."""
    return _network_type(config)[1](config)


def config_to_dict(network: nn.Module) -> dict[str, Any]:
    """Describe a network as plain data: its type and config."""
    config: Any = getattr(network, "config", None)
    return {"type": _network_type(config)[0], "config": asdict(config)}


def _network_type(config: Any) -> tuple[str, Callable[[Any], nn.Module]]:
    for name, (config_type, build) in NETWORK_TYPES.items():
        if type(config) is config_type:
            return name, build
    raise CheckpointError(f"{type(config).__name__} describes no network of latentlab")


def config_from_dict(config_type: type[_Config], values: Any, where: str) -> _Config:
    """Build a frozen config from plain data, refusing fields that are unknown, missing or unfit.

    Raises:
        UnsupportedCheckpoint: Naming the file, the network and the field.
    """
    if not isinstance(values, dict):
        raise UnsupportedCheckpoint(f"{where}: the config must be an object with named settings")
    settings = fields(config_type)  # type: ignore[arg-type]
    known = {item.name for item in settings}
    needed = {item.name for item in settings if item.default is MISSING}
    for problem, names in (("unknown", set(values) - known), ("no", needed - set(values))):
        if names:
            raise UnsupportedCheckpoint(f"{where}: {problem} setting {shown(sorted(names))}")
    frozen = {key: _as_tuple(value) for key, value in values.items()}
    try:
        return config_type(**frozen)
    except UnsupportedNetwork as error:
        raise UnsupportedCheckpoint(f"{where}: {error}") from error


def _as_tuple(value: Any) -> Any:
    """Turn a list, also of lists, to tuples, which frozen settings are made of."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def assemble(
    config: Any,
    tensors: Mapping[str, Tensor],
    where: str,
    allow_nonfinite: bool = False,
    taken: set[int] | None = None,
) -> nn.Module:
    """Build a network and give it copies of ``tensors``, which must be exactly its own.

    Args:
        config: A frozen config, whose type decides the network's.
        tensors: Weights by the network's own names.
        where: File and network, for messages.
        allow_nonfinite: Accept NaN and infinite weights, though never such a ``lod``.
        taken: If given, tensors become the network's own without a copy where they can; the set
            holds the memory that networks built earlier have taken. Not for memory that is mapped
            from a file, which may change later.

    Returns:
        The network in eval mode, float32, without gradients.

    Raises:
        CheckpointError: Naming the missing, extra, misshapen or non-finite weights.
    """
    return fill(blank(config, where), tensors, where, allow_nonfinite, taken)


def blank(config: Any, where: str) -> nn.Module:
    """Build a network on the meta device, where it has shapes and no memory.

    Raises:
        UnsupportedCheckpoint: If the config is not possible, or asks for too many weights.
    """
    try:
        with weightless():
            network = build_network(config)
    except UnsupportedNetwork as error:
        raise UnsupportedCheckpoint(f"{where}: {error}") from error
    count = sum(tensor.numel() for tensor in network.state_dict().values())
    if count > MAX_PARAMETERS:
        raise UnsupportedCheckpoint(f"{where}: the config asks for {count:,} weights")
    return network


def fill(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    where: str,
    allow_nonfinite: bool = False,
    taken: set[int] | None = None,
) -> nn.Module:
    """Give a network from ``blank`` its weights; everything else is as in ``assemble``."""
    expected = network.state_dict()
    if problems := _problems(expected, tensors, allow_nonfinite):
        raise CheckpointError(f"{where}: weights do not fit: {shown(problems, '; ')}")
    weights = {name: _own(tensors[name], taken) for name in expected}
    network.load_state_dict(weights, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _own(tensor: Tensor, taken: set[int] | None) -> Tensor:
    """Return a float32 tensor that shares its memory with no other, copied if need be."""
    own = tensor.to(torch.float32)
    memory = own.untyped_storage()
    alone = taken is not None and memory.data_ptr() not in taken and memory.nbytes() == own.nbytes
    if not alone or not own.is_contiguous():
        own = own.clone(memory_format=torch.contiguous_format)
    if taken is not None:
        taken.add(own.untyped_storage().data_ptr())
    return own


def _problems(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], allow_nonfinite: bool
) -> list[str]:
    problems = [f"{name} is missing" for name in expected if name not in tensors]
    problems += [f"{name} is not part of the network" for name in tensors if name not in expected]
    for name, want in expected.items():
        if (have := tensors.get(name)) is None:
            continue
        if have.shape != want.shape:
            problems.append(f"{name} has shape {list(have.shape)}, not {list(want.shape)}")
        elif not have.is_floating_point():
            problems.append(f"{name} has type {have.dtype}, not a float type")
        elif allow_nonfinite and name.rpartition(".")[2] != _ALWAYS_FINITE:
            continue
        # numpy's check takes one pass and a byte an element; torch's takes several of each.
        elif not np.isfinite(have.to(torch.float32).numpy()).all():
            problems.append(f"{name} holds NaN or infinity as float32")
    return problems


def in_colour(g: Generator) -> Generator:
    """Return a generator with three channels, each equal to the one of ``g``.

    Its last layers are linear in the channels, so repeating their weights is exact.

    Raises:
        SettingsError: If ``g`` is not grey, or has another kind of last layer (StyleGAN3).
    """
    weights = g.state_dict()
    if g.channels != 1 or not any(name.endswith(_RGB_LAYERS) for name in weights):
        raise SettingsError("only grey generators can be brought to three channels, "
                            "StyleGAN3's excepted")  # fmt: skip
    repeated = {
        name: weight.repeat_interleave(3, dim=0) if name.endswith(_RGB_LAYERS) else weight
        for name, weight in weights.items()
    }
    return cast(Generator, assemble(replace(g.config, channels=3), repeated, "in colour"))
