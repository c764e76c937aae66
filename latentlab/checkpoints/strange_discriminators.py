"""Discriminators of strangers: a generator opens without one that is of no kind known here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from latentlab.errors import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint


def read_with_or_without(
    found: dict[Any, Any],
    discriminators: Sequence[str],
    mark: str | None,
    read: Callable[[dict[Any, Any]], Contents],
    where: str,
) -> Contents:
    """Read a file, without its discriminator if that is a stranger.

    It is one if its system says that it does not support it, or if it lacks a weight that all of
    the system's have. A known one that is damaged is not.

    Args:
        found: The file, arranged as ``read`` takes it.
        discriminators: Names of its discriminators.
        mark: The weight that all of the system's discriminators have, if there is one.
        read: Builds the networks.
        where: The file, for messages.

    Raises:
        CheckpointError: As ``read``, about the generator or a known discriminator.
    """
    if not discriminators:
        return read(found)
    try:
        return read(found)
    except UnsafeCheckpoint:
        raise
    except CheckpointError as error:
        strange = any(_lacks(found[name], mark) for name in discriminators)
        if not strange and not isinstance(error, UnsupportedCheckpoint):
            raise
        refused = error
    rest = {key: value for key, value in found.items() if key not in discriminators}
    networks, metadata = read(rest)
    return networks, _noting(metadata, refused, discriminators, where)


def _lacks(part: object, mark: str | None) -> bool:
    return mark is not None and type(part) is dict and len(part) > 0 and mark not in part


def _noting(
    metadata: Mapping[str, Any], refused: CheckpointError, names: Sequence[str], where: str
) -> dict[str, Any]:
    """Add to metadata which discriminator was left aside, and why."""
    why = str(refused).removeprefix(f"{where}: ")
    note = f"The discriminator is left aside, for it is of no kind that is known here: {why}"
    ignored = [*metadata.get("ignored", ()), *names]
    return {**metadata, "notes": [*metadata.get("notes", ()), note], "ignored": ignored}


def read_tensorflow(
    records: Sequence[Record], where: str, allow_nonfinite: bool
) -> tuple[str, dict[str, nn.Module], dict[str, Any]]:
    """Read networks of a TensorFlow release as ``read_networks`` does, without a stranger."""
    try:
        return read_networks(records, where, allow_nonfinite)
    except UnsupportedCheckpoint as error:
        generators = [record for record in records if not _is_discriminator(record)]
        if not generators or len(generators) != len(records) - 1:
            raise
        refused = error
    try:
        kind, networks, metadata = read_networks(generators, where, allow_nonfinite)
    except CheckpointError:  # it is the generator that does not fit
        raise refused from None
    return kind, networks, _noting(metadata, refused, ["D"], where)


def _is_discriminator(record: Record) -> bool:
    called = (record.state or {}).get("build_func_name")
    return type(called) is str and called.startswith("D_")
