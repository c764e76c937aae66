"""What pivotal tuning gives: a small difference to a generator's weights, and its file.

The change of a weight is kept as signed bytes with one float32 scale for each row (an output
channel). The file is safetensors: ``NAME.change`` (int8, of the weight's shape) and ``NAME.scale``
[rows]; its metadata holds ``format``, ``format_version``, ``base_sha256`` and ``settings`` (JSON).
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.errors import CheckpointError, UnsupportedCheckpoint, quoted
from latentlab.foreign_files.json_texts import parse_json
from latentlab.networks.generator import Generator
from latentlab.tensor_files import read_safetensors, write_safetensors

FORMAT = "latentlab-tuning"
FORMAT_VERSION = "1"

_CHANGE, _SCALE = ".change", ".scale"
_LARGEST = 127  # of a signed byte, with as much room on either side of zero


@dataclass(frozen=True)
class Tuning:
    """A change of synthesis weights.

    Attributes:
        changes: By a weight's name in the synthesis network: bytes of the weight's shape (int8),
            and scales [rows] (float32).
        base_sha256: Of the checkpoint that it is a change of.
        settings: How it was made.
    """

    changes: Mapping[str, tuple[Tensor, Tensor]]
    base_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def difference(
    g: Generator, tuned: Generator, base_sha256: str, settings: Mapping[str, Any]
) -> Tuning:
    """Return what turns the weights of one generator into those of another of its kind.

    Each number is rounded to 1/127 of the largest in its row; weights that are equal are left out.
    """
    before = dict(g.synthesis.named_parameters())
    changes = {}
    for name, weight in tuned.synthesis.named_parameters():
        change = (weight - before[name]).detach().cpu().float()
        if bool(change.any()):
            changes[name] = _to_bytes(change)
    return Tuning(changes, base_sha256, dict(settings))


def apply_tuning(g: Generator, tuning: Tuning, base_sha256: str) -> Generator:
    """Return a copy of a generator with its synthesis weights changed.

    Args:
        g: The generator; it is left as it was.
        tuning: The change.
        base_sha256: Of the checkpoint that ``g`` came from.

    Raises:
        CheckpointError: If the change was made to another checkpoint, or does not fit.
    """
    if base_sha256 != tuning.base_sha256:
        raise CheckpointError(
            f"the tuning was made for the checkpoint with SHA-256 {tuning.base_sha256[:12]}..., "
            f"not {base_sha256[:12]}...; open that one"
        )
    tuned = copy.deepcopy(g)
    weights = dict(tuned.synthesis.named_parameters())
    for name, (change, scale) in tuning.changes.items():
        weight = weights.get(name)
        if weight is None or change.shape != weight.shape or scale.shape != (_rows(change),):
            raise CheckpointError(f"the tuning changes {quoted(name)}, which this generator lacks")
        with torch.no_grad():
            weight.add_(_from_bytes(change, scale).to(weight))
    return tuned


def save_tuning(tuning: Tuning, path: Path | str) -> None:
    """Write a tuning as safetensors, whole or not at all.

    Raises:
        OutputError: If ``path`` cannot be written.
    """
    tensors = {}
    for name, (change, scale) in tuning.changes.items():
        tensors[name + _CHANGE], tensors[name + _SCALE] = change.contiguous(), scale.contiguous()
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "base_sha256": tuning.base_sha256,
        "settings": json.dumps(dict(tuning.settings)),
    }
    write_safetensors(tensors, Path(path), header)


def load_tuning(path: Path | str) -> Tuning:
    """Read a tuning that ``save_tuning`` wrote.

    Raises:
        CheckpointError: If the file is missing, damaged, or something else.
    """
    path = Path(path)
    header, tensors = read_safetensors(path)
    if header.get("format") != FORMAT:
        raise UnsupportedCheckpoint(f"{path}: not a tuning; `latentlab tune` writes one")
    if header.get("format_version") != FORMAT_VERSION:
        raise UnsupportedCheckpoint(
            f"{path}: format version {header.get('format_version')}, this latentlab reads "
            f"{FORMAT_VERSION}; update it"
        )
    names = [key.removesuffix(_CHANGE) for key in tensors if key.endswith(_CHANGE)]
    wanted = {name + end for name in names for end in (_CHANGE, _SCALE)}
    if wanted != tensors.keys() or not header.get("base_sha256"):
        raise CheckpointError(f"{path}: not a whole tuning: something in it has no counterpart")
    changes = {name: (tensors[name + _CHANGE], tensors[name + _SCALE]) for name in names}
    for name, (change, scale) in changes.items():
        if change.dtype != torch.int8 or scale.dtype != torch.float32:
            raise CheckpointError(f"{path}: {name} is not of the type that a tuning has")
        if not bool(torch.isfinite(scale * _LARGEST).all()):
            raise CheckpointError(f"{path}: {name} holds NaN, infinity, or values beyond float32")
    return Tuning(changes, header["base_sha256"], _settings(header, path))


def _settings(header: Mapping[str, str], path: Path) -> dict[str, Any]:
    try:
        settings = parse_json(header.get("settings", "{}"))
    except ValueError as error:
        raise CheckpointError(f"{path}: the header is not valid JSON ({error})") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path}: the header's settings must be a JSON object")
    return settings


def _rows(change: Tensor) -> int:
    """Return the number of scales: one for each output channel, one in all for a vector."""
    return change.shape[0] if change.ndim > 1 else 1


def _to_bytes(change: Tensor) -> tuple[Tensor, Tensor]:
    flat = change.reshape(_rows(change), -1)
    scale = flat.abs().amax(dim=1) / _LARGEST
    steps = flat / scale.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    return steps.round().clamp(-_LARGEST, _LARGEST).to(torch.int8).reshape(change.shape), scale


def _from_bytes(change: Tensor, scale: Tensor) -> Tensor:
    flat = change.reshape(_rows(change), -1).float()
    return (flat * scale[:, None]).reshape(change.shape)
