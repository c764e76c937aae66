"""Opening and saving checkpoints; the content of a file decides its format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from latentlab.checkpoints.assumptions import Given, answered
from latentlab.checkpoints.checkpoint import Checkpoint, licence_note
from latentlab.checkpoints.foreign import read_foreign
from latentlab.checkpoints.native import is_described, read_described, write_native
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import STREAM_START, ZIP_START, read_torch
from latentlab.errors import (
    CheckpointError,
    SettingsError,
    TruncatedCheckpoint,
    UnsupportedCheckpoint,
)
from latentlab.models import builtin_path
from latentlab.networks.generator import Generator
from latentlab.tensor_files import read_safetensors
from latentlab.torchscript import TorchScriptClassifier, is_torchscript

_ENOUGH = 9  # bytes, to tell the format
_TAR = slice(257, 262)  # where a tar archive says what it is

__all__ = ["Checkpoint", "load", "load_classifier", "save"]


def load(
    path: Path | str, *, allow_nonfinite: bool = False, assume: Given | None = None
) -> Checkpoint:
    """Open a checkpoint as plain data; nothing in the file is run.

    Args:
        path: A file, or the name of a bundled model such as "builtin:digits-stylegan2".
        allow_nonfinite: Accept NaN and infinite weights.
        assume: What a bare state dict does not say of its network, by name, such as
            ``{"mapping_lr_multiplier": 0.01}``. Files that need it are refused without, and the
            error names each setting with its usual value.

    Returns:
        The checkpoint; its networks are in eval mode, float32, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged or of no supported kind.
        SettingsError: If something is assumed that the file says, or that no network has.
    """
    file = builtin_path(path) if str(path).startswith("builtin:") else Path(path)
    start = _first_bytes(file)
    # A safetensors file starts with the header's length, below 2^32, and then a JSON object.
    if start[8:9] == b"{" and (start[4:8] == bytes(4) or not _is_pickle(start)):
        return _read_safetensors(file, allow_nonfinite, assume)
    if start.startswith((ZIP_START, STREAM_START)):
        return read_foreign(file, "a file of torch.save", read_torch(file), allow_nonfinite, assume)
    if _is_pickle(start):
        return read_foreign(file, "a pickle", read_pickle(file), allow_nonfinite, assume)
    if start[_TAR] == b"ustar":
        raise UnsupportedCheckpoint(
            f"{file}: a tar archive; if torch.save wrote it before 2017, save it again with a "
            "newer PyTorch"
        )
    raise UnsupportedCheckpoint(
        f"{file}: not a checkpoint that this version opens (starts with {start[:8]!r}); expected "
        "a safetensors file, a pickle of a published StyleGAN, or weights saved by torch.save"
    )


def _read_safetensors(file: Path, allow_nonfinite: bool, assume: Given | None) -> Checkpoint:
    header, tensors = read_safetensors(file)
    if not is_described(header):
        own = {name: tensor.clone() for name, tensor in tensors.items()}
        return read_foreign(file, "a safetensors file", own, allow_nonfinite, assume)
    answered((), assume or {}, str(file), "a file that describes its networks")
    return read_described(file, header, tensors, allow_nonfinite)


def load_classifier(path: Path | str) -> nn.Module:
    """Open a classifier: a module that maps images [N,C,R,R] in [-1,1] to logits [N,K].

    A TorchScript file will do as well; unlike a checkpoint it is a program, which runs when the
    classifier is called.

    Those published for StyleGAN give one logit, whose sign is the class. They have a minibatch
    standard deviation, so a logit depends slightly on its batch: the published linear separability
    runs them on batches of 4.

    Raises:
        CheckpointError: If the file is unreadable or holds no classifier.
    """
    if not str(path).startswith("builtin:") and is_torchscript(Path(path)):
        return TorchScriptClassifier(Path(path))
    return load(path).classifier


def save(
    source: Checkpoint | Generator, path: Path | str, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint, or a generator alone, as latentlab's own safetensors file.

    The header keeps the kind and SHA-256 of the file that a Checkpoint came from, and a note on
    the licence of its weights. Loading the file again gives bit-equal images.

    Raises:
        SettingsError: If ``source`` is something else.
        OutputError: If ``path`` cannot be written.
    """
    if isinstance(source, Checkpoint):
        origin = {"kind": source.kind, "file": source.path.name, "sha256": source.sha256}
        note = licence_note(source)
        licence = {} if note is None else {"licence": note}
        facts = {"source": origin, **licence, **source.metadata, **(metadata or {})}
        write_native(source.networks, Path(path), facts)
    elif isinstance(source, Generator):
        write_native({"G_ema": source}, Path(path), metadata)
    else:
        kind = type(source).__name__
        raise SettingsError(f"`source` must be a Checkpoint or a Generator, but got a {kind}")


def _is_pickle(start: bytes) -> bool:
    """Whether a file starts as pickles of protocols 2 to 5 do."""
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


def _first_bytes(file: Path) -> bytes:
    try:
        if not file.is_file():
            found = "is not a file" if file.exists() else "no such file"
            raise CheckpointError(
                f"{file}: {found}; give a checkpoint, or a name such as builtin:digits-stylegan2"
            )
        with file.open("rb") as stream:
            start = stream.read(_TAR.stop)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    if len(start) < _ENOUGH and not _is_pickle(start):
        raise TruncatedCheckpoint(f"{file}: ends after {len(start)} bytes; get the file again")
    return start
