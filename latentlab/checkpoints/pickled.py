"""What a pickle holds: networks of a published system, or nothing that is opened here."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from latentlab.checkpoints import tensorflow_arrays
from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.nvidia_torch import official_kind, read_snapshot
from latentlab.checkpoints.pickle_reader import Record, read_pickle
from latentlab.checkpoints.tensorflow import read_networks
from latentlab.errors import UnsupportedCheckpoint
from latentlab.files import sha256_of

_SHOWN = 5  # keys in a message


def read_pickled(path: Path, allow_nonfinite: bool = False) -> Checkpoint:
    """Open a pickled checkpoint; nothing in it is run.

    Raises:
        CheckpointError: If it is damaged, asks for code, or is not one that is opened here.
    """
    found = read_pickle(path)
    if type(found) is dict and _is_record(found.get("G_ema"), "torch"):
        networks, metadata = read_snapshot(found, str(path), allow_nonfinite)
        return _checkpoint(path, official_kind(networks), networks, metadata)
    parts = found if type(found) is tuple else (found,)
    if parts and all(_is_record(part, "tensorflow") for part in parts):
        kind, networks, metadata = read_networks(parts, str(path), allow_nonfinite)
        return _checkpoint(path, kind, networks, metadata)
    if type(found) is dict and tensorflow_arrays.MARK in found:
        return _checkpoint(path, *tensorflow_arrays.read_arrays(found, str(path), allow_nonfinite))
    raise UnsupportedCheckpoint(f"{path}: not a StyleGAN checkpoint: found {outline(found)}")


def _checkpoint(
    path: Path, kind: str, networks: dict[str, nn.Module], metadata: dict[str, Any]
) -> Checkpoint:
    return Checkpoint(
        kind, sha256_of(path), path, MappingProxyType(networks), MappingProxyType(metadata)
    )


def _is_record(value: object, origin: str) -> bool:
    return type(value) is Record and value.origin == origin


def outline(found: Any) -> str:
    """Describe any object in a few words, without looking into it far."""
    if type(found) is not dict:
        size = f" of {len(found)}" if type(found) in (list, tuple, set) else ""
        name = found.class_name if type(found) is Record else type(found).__name__
        return f"an object of type {ascii(name)[1:-1][:40]}{size}"
    keys = [ascii(key)[:40] for key in list(found)[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"keys {', '.join(keys) or '(none)'}{more}"
