"""Translation: arguments and weights under foreign names to our own, with none left over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlab.checkpoints.pickles.records import class_of
from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted, shown

# Their argument -> our field; None marks arguments that do not change a float32 computation.
Names = Mapping[str, str | None]
LABEL_RATE = 0.01  # learning rate multiplier of the label's mapping in our discriminators


def same(*names: str) -> Names:
    """Name arguments that are called as our fields are."""
    return {name: name for name in names}


def no_matter(*names: str) -> Names:
    """Name arguments that do not change a float32 computation."""
    return dict.fromkeys(names)


def renamed(ours: str, theirs: str, *parts: str) -> "dict[str, Rule]":
    """Return rules for parts of a layer that differ in the name of the layer alone."""
    return {f"{ours}.{part}": Rule(f"{theirs}.{part}") for part in parts}


def translate_arguments(
    kwargs: Mapping[str, Any], top: Names, nested: Mapping[str, Names], where: str
) -> dict[str, Any]:
    """Rename top-level and nested arguments to our fields, refusing those that have none.

    Args:
        kwargs: The arguments of a foreign network.
        top: Our fields for them.
        nested: The same for arguments that are groups of arguments themselves.
        where: File and network, for messages.

    Raises:
        UnsupportedCheckpoint: Naming ``where`` and the argument.
    """
    places = [(where, {k: v for k, v in kwargs.items() if k not in nested}, top)]
    places += [(f"{where}: {name}", kwargs.get(name, {}), nested[name]) for name in nested]
    translated: dict[str, Any] = {}
    for place, values, names in places:
        if not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected named settings, got {quoted(values)}")
        if values.get("activation", "lrelu") != "lrelu":
            raise UnsupportedCheckpoint(f"{place}: only the lrelu activation is supported")
        if unknown := sorted(set(values) - {*names, "activation"}):
            raise UnsupportedCheckpoint(f"{place}: unknown setting {shown(unknown)}")
        translated |= {ours: values[key] for key, ours in names.items() if ours and key in values}
    return translated


def names_shortened(keys: Iterable[object]) -> list[str]:
    """Name what is left aside of a file, at no more length than a report can show."""
    return [str(key)[:100] for key in keys][:100]


def size_after(times: int) -> int:
    """Return the size after doubling 4x4 so often, or one too large for any config."""
    return int(4 * 2 ** min(times, 20))


def only_one(tensor: Tensor) -> Tensor:
    """Drop the leading dimension of a batch of one."""
    return tensor.squeeze(0)


def scaled(gain: float) -> Callable[[Tensor], Tensor]:
    """Make a change that multiplies by ``gain``."""
    return lambda tensor: tensor * gain


def reshaped(*shape: int) -> Callable[[Tensor], Tensor]:
    """Make a change to another shape of as many elements."""
    return lambda tensor: tensor.reshape(shape)


@dataclass(frozen=True)
class Rule:
    """Where a weight of ours comes from: a foreign name, and a change of shape or gain."""

    source: str
    change: Callable[[Tensor], Tensor] | None = None


class ForeignWeights:
    """The weights of one network in a foreign file, as a state dict holds them."""

    def __init__(self, found: Mapping[str | int, object], where: str) -> None:
        """Check that ``found`` holds tensors by names.

        Raises:
            CheckpointError: Naming ``where`` and the entry that does not.
        """
        self.where = where
        self.tensors: dict[str, Tensor] = {}
        for name, value in found.items():
            if type(name) is not str or type(value) is not Tensor:
                found_is = f"is not a named tensor, but an object of {quoted(class_of(value))}"
                raise CheckpointError(f"{where}: {quoted(str(name))} {found_is}")
            self.tensors[name] = value
        self._used: set[str] = set()
        self._missing: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """Return the shape of a weight that the network cannot do without.

        Raises:
            CheckpointError: If it is missing or has another number of dimensions.
        """
        if name not in self.tensors:
            raise CheckpointError(f"{self.where}: the weight {name} is missing")
        shape = tuple(self.tensors[name].shape)
        if len(shape) != rank:
            raise CheckpointError(f"{self.where}: {name} has shape {list(shape)}, not {rank} sizes")
        return shape

    def count(self, pattern: str, start: int = 0, step: int = 1) -> int:
        """Count the names that ``pattern`` gives for start, start + step, ... without a gap."""
        number = 0
        while pattern.format(start + number * step) in self.tensors:
            number += 1
        return number

    def check(self, name: str, expected: Tensor) -> None:
        """Require a weight that our networks give no choice of to be ``expected``.

        Raises:
            UnsupportedCheckpoint: If it is something else.
        """
        self._used.add(name)
        if name not in self.tensors:
            self._missing.append(name)
            return
        have = self.tensors[name].to(torch.float32)
        fits = have.shape[-expected.ndim :] == expected.shape
        if not fits or not torch.allclose(have, expected, rtol=0, atol=1e-6):
            raise UnsupportedCheckpoint(f"{self.where}: {name} is not the usual filter")

    def ignore(self, *names: str) -> None:
        """Allow names that have no part in the computation."""
        self._used.update(names)

    def translate(self, rules: Mapping[str, Rule]) -> dict[str, Tensor]:
        """Return weights by our names.

        Raises:
            CheckpointError: Naming those that are missing, or those that no rule knows.
        """
        wanted = {rule.source for rule in rules.values()}
        missing = [*self._missing, *sorted(wanted - self.tensors.keys())]
        unknown = sorted(self.tensors.keys() - wanted - self._used)
        for problem, names in (("are missing", missing), ("belong to no known layer", unknown)):
            if names:
                raise CheckpointError(f"{self.where}: weights that {problem}: {shown(names)}")
        return {ours: self._changed(rule) for ours, rule in rules.items()}

    def _changed(self, rule: Rule) -> Tensor:
        tensor = self.tensors[rule.source]
        place = f"{self.where}: {rule.source}"
        if not tensor.is_floating_point():
            raise CheckpointError(f"{place} has type {tensor.dtype}, not a float type")
        try:
            own = tensor.to(torch.float32)
            return rule.change(own) if rule.change else own
        except (RuntimeError, IndexError) as error:
            shape = list(tensor.shape)
            raise CheckpointError(f"{place} has shape {shape}, which does not fit") from error


def weights_by_network(
    found: Mapping[Any, Any], names: Mapping[str, str], where: str
) -> dict[str, ForeignWeights]:
    """Return the weights of each network in a file, by our name of it; ``names`` has theirs first.

    Raises:
        CheckpointError: If something under one of the names is not a state dict.
    """
    parts = {theirs: found[theirs] for theirs in names if found.get(theirs) is not None}
    for theirs, part in parts.items():
        if type(part) is not dict:
            raise CheckpointError(f"{where}: {theirs} is not a state dict")
    return {names[key]: ForeignWeights(part, f"{where}: {key}") for key, part in parts.items()}
