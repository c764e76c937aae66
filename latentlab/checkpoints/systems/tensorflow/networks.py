"""Pickles of the published TensorFlow systems: Progressive GAN, StyleGAN1 and 2, classifiers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from torch import nn

from latentlab.checkpoints.assemble import blank, fill
from latentlab.checkpoints.pickles.reader import Record
from latentlab.checkpoints.systems.forks import note_of
from latentlab.checkpoints.systems.substitutes import resample_filters
from latentlab.checkpoints.systems.tensorflow import config as configs
from latentlab.checkpoints.systems.tensorflow import names
from latentlab.checkpoints.systems.tensorflow.arguments import DEFAULTS, Arguments
from latentlab.checkpoints.systems.tensorflow.records import FoundNetwork, identify, roles
from latentlab.checkpoints.systems.tensorflow.variables import (
    Row,
    check_variables,
    take_tensors,
)
from latentlab.checkpoints.systems.tensorflow.variants import prepare
from latentlab.errors import UnsupportedCheckpoint


@dataclass(frozen=True)
class _System:
    """How the networks of one kind are translated."""

    kind: str  # of the checkpoint, where this is its generator
    config: Callable[[Arguments], Any]
    rows: Callable[[Any, Arguments], Iterator[Row]]


_G1 = _System("stylegan1-tf", configs.stylegan1_generator, names.stylegan1_generator)
_G2 = _System("stylegan2-tf", configs.stylegan2_generator, names.stylegan2_generator)
_D1 = _System("classifier-tf", configs.stylegan1_discriminator, names.stylegan1_discriminator)
_D2 = _System("classifier-tf", configs.stylegan2_discriminator, names.stylegan2_discriminator)
_SYSTEMS: Mapping[str, _System] = MappingProxyType(
    {
        "G_style": _G1,
        "D_basic": _D1,
        "G_paper": _System("progan-tf", configs.progan_generator, names.progan_generator),
        "D_paper": replace(_D1, config=configs.progan_discriminator),
        "G_synthesis_stylegan2": _G2,
        "G_synthesis_stylegan_revised": _G2,
        "G_synthesis": _G2,  # ADA
        "D_stylegan": _D2,
        "D_stylegan2": _D2,
        "D_main": _D2,
    }
)
_ORDER = ("G_ema", "G", "D", "classifier")


def read_networks(
    records: Sequence[Record], where: str, allow_nonfinite: bool = False
) -> tuple[str, dict[str, nn.Module], dict[str, Any]]:
    """Build the networks of a pickle: (G, D, Gs) as training writes them, or fewer.

    Returns what a ``foreign.Reader`` does, with the kind of checkpoint before it. Variables of the
    records, which are in the file's order, are used up. Metadata are "static_kwargs" of each
    network, the default "truncation" of the generator, and "notes".

    Raises:
        CheckpointError: If a network is of another kind, or its weights do not fit.
    """
    once = list({id(record): record for record in records}.values())
    found = [identify(record, where) for record in once]
    by_role = dict(zip(roles(found, where), found, strict=True))
    named = {role: by_role[role] for role in _ORDER if role in by_role}
    plans = {role: _translate(network, f"{where}: {role}") for role, network in named.items()}
    defaults = [configs.truncation(arguments) for arguments, _ in plans.values()]
    facts: dict[str, Any] = {
        "static_kwargs": {role: dict(network.given) for role, network in named.items()},
        "truncation": next(filter(None, defaults), None),
    }
    networks, notes = {}, []
    for role, network in named.items():
        networks[role], said = _build(network, *plans[role], f"{where}: {role}", allow_nonfinite)
        notes += [f"{role}: {note}" for note in said]
    main = next(iter(named.values()))
    return _SYSTEMS[main.function].kind, networks, {**facts, "notes": notes}


def _translate(network: FoundNetwork, where: str) -> tuple[Arguments, Any]:
    """Return the arguments with their defaults, and the config they mean."""
    try:
        arguments = Arguments(network.arguments, DEFAULTS[network.function])
        configs.truncation(arguments)
        return arguments, _SYSTEMS[network.function].config(arguments)
    except UnsupportedCheckpoint as error:
        raise UnsupportedCheckpoint(f"{where}: {error}") from error


def _build(
    network: FoundNetwork, arguments: Arguments, config: Any, where: str, allow_nonfinite: bool
) -> tuple[nn.Module, list[str]]:
    """Return the network, and sentences for a person."""
    empty = blank(config, where)
    shapes = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    rows = list(_SYSTEMS[network.function].rows(config, arguments))
    variables, twice = network.take_variables(where)
    notes = prepare(network, arguments, variables) + note_of(arguments.off)
    variables.pop("synthesis/lod", None)  # running a whole network sets it anyway
    if not config.growing:
        variables.pop("lod", None)
    check_variables(rows, shapes, variables, twice, where)
    equalised = bool(arguments.values.get("use_wscale", True))
    tensors = dict(take_tensors(rows, variables, equalised)) | resample_filters(empty)
    return fill(empty, tensors, where, allow_nonfinite, taken=set()), notes
