"""What a file of torch.save holds: networks of a known system, or nothing that is opened here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from latentlab.checkpoints import rosinality, rosinality1, yuuho
from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.pickled import outline
from latentlab.checkpoints.torch_archive import read_torch
from latentlab.errors import UnsupportedCheckpoint
from latentlab.files import sha256_of

_Reader = Callable[
    [Mapping[Any, Any], str, bool], tuple[dict[str, nn.Module], dict[str, Any]]
]  # data, file, whether NaN is accepted -> networks, metadata


@dataclass(frozen=True)
class _System:
    kind: str  # of the checkpoint
    mark: str  # a name that only its generator's state dict has
    places: tuple[str, ...]  # where a file holds that; it may also be all of the file
    read: _Reader


_SYSTEMS = (
    _System("stylegan2-rosinality", rosinality.MARK, ("g_ema", "g"), rosinality.read_rosinality),
    _System(
        "stylegan1-rosinality",
        rosinality1.MARK,
        ("g_running", "generator"),
        rosinality1.read_rosinality1,
    ),
    _System("stylegan1-yuuho", yuuho.MARK1, (), yuuho.read_yuuho),
    _System("stylegan2-yuuho", yuuho.MARK2, (), yuuho.read_yuuho),
)


def read_torch_file(path: Path, allow_nonfinite: bool = False) -> Checkpoint:
    """Open a checkpoint that torch.save wrote; nothing in it is run.

    Raises:
        CheckpointError: If it is damaged, asks for code, or is not one that is opened here.
    """
    found = read_torch(path)
    for system in _SYSTEMS if type(found) is dict else ():
        parts = [found, *(found.get(place) for place in system.places)]
        if any(type(part) is dict and system.mark in part for part in parts):
            networks, metadata = system.read(found, str(path), allow_nonfinite)
            return Checkpoint(
                system.kind,
                sha256_of(path),
                path,
                MappingProxyType(networks),
                MappingProxyType(metadata),
            )
    raise UnsupportedCheckpoint(
        f"{path}: a file of torch.save with {outline(found)}; expected weights of rosinality/"
        "stylegan2-pytorch, rosinality/style-based-gan-pytorch or yuuho/stylegans-pytorch"
    )
