"""Foreign files, pickles and those of torch.save: which system made them, and its networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.pickles.reader import Record, read_pickle
from latentlab.checkpoints.pickles.torch_save import read_torch
from latentlab.checkpoints.systems import (
    genforce,
    genforce1,
    genforce2,
    genforce_pggan,
    huangzh13,
    mmgeneration,
    rosinality1,
    rosinality2,
    yuuho,
)
from latentlab.checkpoints.systems.nvidia_torch import official_kind, read_snapshot
from latentlab.checkpoints.systems.tensorflow import arrays
from latentlab.checkpoints.systems.tensorflow.networks import read_networks
from latentlab.errors import UnsupportedCheckpoint

# Builds the networks of a file: the file as data, its name, whether NaN is accepted -> contents.
# Raises CheckpointError if weights are missing, too many, or do not fit.
Reader = Callable[[Mapping[Any, Any], str, bool], Contents]

_SHOWN = 5  # keys in a message


@dataclass(frozen=True)
class _System:
    kind: str  # of the checkpoint
    mark: str  # a name that only its generator's state dict has
    places: tuple[str, ...]  # keys of a file that may hold one; it may also be the whole file
    read: Reader
    prefixes: tuple[str, ...] = ("",)  # that may stand before the name

    def is_in(self, found: Mapping[Any, Any]) -> bool:
        """Whether the file holds a generator, or discriminator, of this system."""
        tops = [found, *(found.get(nest) for nest in _NESTS)]
        parts: list[Any] = [top for top in tops if type(top) is dict]
        parts += [top.get(place) for top in parts for place in self.places]
        names = [f"{prefix}{self.mark}" for prefix in self.prefixes]
        return any(type(part) is dict and name in part for part in parts for name in names)


_NESTS = ("models", "state_dict")  # where some files hold what others have on top
_DISTRIBUTED = ("", "module.")
_GENFORCE = tuple(genforce.NETWORKS)
_SYSTEMS = (
    _System("stylegan2-rosinality", rosinality2.MARK, ("g_ema", "g"), rosinality2.read),
    _System("stylegan1-rosinality", rosinality1.MARK, ("g_running", "generator"), rosinality1.read),
    _System("stylegan1-yuuho", yuuho.MARK1, (), yuuho.read),
    _System("stylegan2-yuuho", yuuho.MARK2, (), yuuho.read),
    _System("stylegan2-genforce", genforce2.MARK, _GENFORCE, genforce2.read, _DISTRIBUTED),
    _System("stylegan1-genforce", genforce1.MARK, _GENFORCE, genforce1.read, _DISTRIBUTED),
    _System("progan-genforce", genforce_pggan.MARK, _GENFORCE, genforce_pggan.read, _DISTRIBUTED),
    _System("stylegan1-huangzh13", huangzh13.MARK, (), huangzh13.read),
    _System("stylegan1-huangzh13", huangzh13.MARK_D, (), huangzh13.read),
    _System(
        "stylegan2-mmgeneration", mmgeneration.MARK, (), mmgeneration.read, mmgeneration.PREFIXES
    ),
)


def read_torch_file(path: Path, allow_nonfinite: bool = False) -> Checkpoint:
    """Open a checkpoint that torch.save wrote; nothing in it is run.

    Raises:
        CheckpointError: If it is damaged, asks for code, or is not one that is opened here.
    """
    found = read_torch(path)
    for system in _SYSTEMS if type(found) is dict else ():
        if system.is_in(found):
            return _checkpoint(path, system.kind, *system.read(found, str(path), allow_nonfinite))
    raise UnsupportedCheckpoint(
        f"{path}: a file of torch.save with {outline(found)}; expected weights of rosinality/"
        "stylegan2-pytorch, rosinality/style-based-gan-pytorch or yuuho/stylegans-pytorch"
    )


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
        return _checkpoint(path, *read_networks(parts, str(path), allow_nonfinite))
    if type(found) is dict and arrays.MARK in found:
        return _checkpoint(path, *arrays.read_arrays(found, str(path), allow_nonfinite))
    raise UnsupportedCheckpoint(f"{path}: not a StyleGAN checkpoint: found {outline(found)}")


def _checkpoint(
    path: Path, kind: str, networks: Mapping[str, nn.Module], metadata: Mapping[str, Any]
) -> Checkpoint:
    known = {key: value for key, value in metadata.items() if value}
    return Checkpoint.of_file(path, kind, networks, known)


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
