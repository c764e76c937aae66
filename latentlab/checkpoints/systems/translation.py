"""Translation: weights under foreign names to our own, with none left over."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.checkpoints.pickles.records import class_of
from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted, shown

LABEL_RATE = 0.01  # learning rate multiplier of the label's mapping in our discriminators


def renamed(ours: str, theirs: str, *parts: str) -> "dict[str, Rule]":
    """Return rules for parts of a layer that differ in the name of the layer alone."""
    return {f"{ours}.{part}": Rule(f"{theirs}.{part}") for part in parts}


def check_for_lost_label(taken: int, w_dim: int, where: str) -> None:
    """Refuse a first mapping layer without labels that takes twice as many numbers as w has.

    A label's embedding is as long as z; without it, a network with labels looks as one of a long z.

    Raises:
        UnsupportedCheckpoint: Naming ``where``, the file and the layer.
    """
    if taken == 2 * w_dim:
        raise _lost_label(taken, w_dim, where)


def _lost_label(taken: int, w_dim: int, where: str) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{where} takes {taken} numbers, and w has {w_dim}: the file was exported from a network "
        "with labels, and the label embedding is not in the file; give the checkpoint that it was "
        "exported from"
    )


def names_shortened(keys: Iterable[object]) -> list[str]:
    """Name what is left aside of a file, at no more length than a report can show."""
    return [str(key)[:100] for key in keys][:100]


def size_after(times: int) -> int:
    """Return the size after doubling 4x4 so often, or one too large for any config."""
    return int(4 * 2 ** min(times, 20))


@dataclass(frozen=True)
class Change:
    """A change of shape or gain, and the one back: from their weight to ours, from ours to it."""

    here: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return their weight as ours."""
        return self.here(tensor)


# Drops the leading dimension of a batch of one.
only_one = Change(lambda tensor: tensor.squeeze(0), lambda tensor: tensor.unsqueeze(0))


def scaled(gain: float) -> Change:
    """Make a change that multiplies by ``gain``, in float32; back it rounds once, no more."""
    single = float(torch.tensor(gain, dtype=torch.float32))
    return Change(lambda tensor: tensor * gain, lambda tensor: (tensor.double() / single).float())


def reshaped(*shape: int, theirs: tuple[int, ...] | None = None) -> Callable[[Tensor], Tensor]:
    """Make a change that adds or drops axes of length one, and no other.

    With the shape of ``theirs`` it knows the way back. No sizes are the shape of a number.
    """

    def change(tensor: Tensor) -> Tensor:
        if [size for size in tensor.shape if size != 1] != [size for size in shape if size != 1]:
            raise RuntimeError("another shape of as many elements would mix them up")
        return tensor.reshape(shape)

    return change if theirs is None else Change(change, lambda tensor: tensor.reshape(theirs))


@dataclass(frozen=True)
class Rule:
    """Where a weight of ours comes from: a foreign name, and a change of shape or gain."""

    source: str
    change: Callable[[Tensor], Tensor] | None = None
    shape: tuple[int, ...] | None = None  # in the file, where the change would take others as well


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

    def z_dim(self, first: str, w_dim: int) -> int:
        """Return the length of z, of a system in which it is always that of w.

        Args:
            first: The weight [w_dim,z_dim] of the first mapping layer, if there is one.
            w_dim: Length of w, as other weights have it.

        Raises:
            CheckpointError: If the layer takes more, or less.
        """
        taken = self.shape(first, 2)[1] if first in self.tensors else w_dim
        if taken > w_dim:
            raise _lost_label(taken, w_dim, f"{self.where}: {first}")
        if taken < w_dim:
            raise CheckpointError(
                f"{self.where}: {first} takes {taken} numbers, and w has {w_dim}; in networks of "
                "this kind z is as long as w"
            )
        return w_dim

    def count(self, pattern: str, start: int = 0, step: int = 1) -> int:
        """Count the names that ``pattern`` gives for start, start + step, ... without a gap."""
        number = 0
        while pattern.format(start + number * step) in self.tensors:
            number += 1
        return number

    def last(self, pattern: str) -> int:
        """Return the highest number that ``pattern`` has in a name, or -1 if it is in none.

        Unlike ``count`` it goes past a gap, so that what is missing there can be named.
        """
        start, end = pattern.split("{}")
        found = re.compile(f"{re.escape(start)}([0-9]{{1,3}}){re.escape(end)}")
        numbers = [int(match[1]) for match in map(found.match, self.tensors) if match]
        return max(numbers, default=-1)

    def check(self, name: str, expected: Tensor, *copies: int) -> None:
        """Require a weight that our networks give no choice of to be ``expected``.

        Args:
            name: The weight.
            expected: Its value.
            copies: Lengths of axes before those of ``expected``, along which it is repeated.

        Raises:
            UnsupportedCheckpoint: If it is something else.
        """
        self._used.add(name)
        if name not in self.tensors:
            self._missing.append(name)
            return
        have = self.tensors[name].to(torch.float32)
        fits = tuple(have.shape) == (*copies, *expected.shape)
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
            if rule.shape is not None and tuple(own.shape) != rule.shape:
                raise RuntimeError(f"not {list(rule.shape)}")
            return rule.change(own) if rule.change else own
        except (RuntimeError, IndexError) as error:
            shape = list(tensor.shape)
            raise CheckpointError(f"{place} has shape {shape}, which does not fit") from error


def check_agreement(networks: Mapping[str, nn.Module], where: str) -> None:
    """Refuse networks of one file that were not made for each other.

    Their configs are read off shapes, and a network that lacks its last layers has the shapes of a
    smaller one.

    Raises:
        CheckpointError: Naming the networks, and what differs.
    """
    configs: dict[str, Any] = {name: network.config for name, network in networks.items()}
    first = next(iter(configs), "")
    for name, config in configs.items():
        alike = ("resolution", "channels") if name == "D" else [f.name for f in fields(config)]
        for field in alike:
            here, there = getattr(config, field), getattr(configs[first], field, None)
            if here != there:
                raise CheckpointError(
                    f"{where}: weights are missing from {first} or {name}: the {field} of one is "
                    f"{quoted(there)}, of the other {quoted(here)}"
                )


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
