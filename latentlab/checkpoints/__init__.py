"""Opening and saving checkpoints; the content of a file decides its format."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from latentlab.checkpoints.assumptions import Given, answered
from latentlab.checkpoints.checkpoint import Checkpoint, licence_note
from latentlab.checkpoints.exporting import NATIVE, Exported, export_to, target_of
from latentlab.checkpoints.foreign import read_foreign
from latentlab.checkpoints.native import is_described, read_described, write_native
from latentlab.checkpoints.others.recognised import open_recognised
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.pickles.torch_save import STREAM_START, ZIP_START, read_torch
from latentlab.downloads import fetch, is_address
from latentlab.errors import (
    CheckpointError,
    SettingsError,
    TruncatedCheckpoint,
    UnsupportedCheckpoint,
)
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import open_regular, unchanging
from latentlab.models import builtin_path
from latentlab.networks.generator import Generator
from latentlab.tensor_files import read_safetensors
from latentlab.torchscript import TorchScriptClassifier, is_torchscript

_ENOUGH = 9  # bytes, to tell the format

__all__ = [
    "Checkpoint", "Exported", "export", "from_pretrained", "load", "load_classifier", "save",
]  # fmt: skip


def load(
    path: Path | str, *, allow_nonfinite: bool = False, assume: Given | None = None
) -> Checkpoint:
    """Open a checkpoint as plain data; nothing in the file is run.

    Args:
        path: A file, the name of a bundled model such as "builtin:digits-stylegan2", or an address
            on the network, see ``latentlab.fetch``.
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
    return open_recognised(file_of(path), lambda found: _read(found, allow_nonfinite, assume))


def _read(file: Path, allow_nonfinite: bool, assume: Given | None) -> Checkpoint:
    """Open a checkpoint; its SHA-256 is that of the file that was read."""
    start = _first_bytes(file)
    with unchanging(file, CheckpointError) as stream:
        checkpoint = _read_kind(file, start, allow_nonfinite, assume)
        return replace(checkpoint, sha256=sha256_of(stream))


def _read_kind(file: Path, start: bytes, allow_nonfinite: bool, assume: Given | None) -> Checkpoint:
    """Open a checkpoint whose first bytes decide its format."""
    # A safetensors file starts with the header's length, below 2^32, and then a JSON object.
    if start[8:9] == b"{" and (start[4:8] == bytes(4) or not _is_pickle(start)):
        return _read_safetensors(file, allow_nonfinite, assume)
    if start.startswith((ZIP_START, STREAM_START)):
        return read_foreign(file, "a file of torch.save", read_torch(file), allow_nonfinite, assume)
    if _is_pickle(start):
        return read_foreign(file, "a pickle", read_pickle(file), allow_nonfinite, assume)
    raise UnsupportedCheckpoint(
        f"{file}: not a checkpoint that this version opens (starts with {start[:8]!r}); expected "
        "a safetensors file, a pickle of a published StyleGAN, or weights saved by torch.save"
    )


def from_pretrained(
    repository: str, file_name: str = "model.safetensors", *, revision: str | None = None
) -> Checkpoint:
    """Open a checkpoint of the Hugging Face Hub; nothing in the file is run.

    It is ``load("hf://owner/name@revision/model.safetensors")``.

    Args:
        repository: "owner/name".
        file_name: The file in it; ``latentlab convert`` writes such a one.
        revision: A branch, a tag or a commit; None: the main branch.

    Raises:
        SettingsError: If there can be no such place.
        CheckpointError: If it cannot be fetched, or does not open.
    """
    place = repository if revision is None else f"{repository}@{revision}"
    return load(f"hf://{place}/{file_name}")


def _read_safetensors(file: Path, allow_nonfinite: bool, assume: Given | None) -> Checkpoint:
    header, tensors = read_safetensors(file)
    if not is_described(header):
        own = {name: tensor.clone() for name, tensor in tensors.items()}
        return read_foreign(file, "a safetensors file", own, allow_nonfinite, assume)
    answered((), assume or {}, str(file), "a file that describes its networks")
    return read_described(file, header, tensors, allow_nonfinite)


def load_classifier(path: Path | str, *, trust: bool = True) -> nn.Module:
    """Open a classifier: a module that maps images [N,C,R,R] in [-1,1] to logits [N,K].

    A TorchScript file will do as well. Unlike a checkpoint it is a program, which runs when it is
    opened and when the classifier is called, and may do whatever you may.

    Those published for StyleGAN give one logit, whose sign is the class. They have a minibatch
    standard deviation, so a logit depends slightly on its batch: the published linear separability
    runs them on batches of 4.

    Args:
        path: A checkpoint, the name of a bundled one, or a TorchScript file.
        trust: Run TorchScript; a checkpoint is opened without.

    Raises:
        CheckpointError: If the file is unreadable or holds no classifier; UnsafeCheckpoint if it
            is TorchScript and ``trust`` is not given.
    """
    file = file_of(path)
    return TorchScriptClassifier(file, trust) if is_torchscript(file) else load(file).classifier


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
    networks, facts = _held(source)
    write_native(networks, Path(path), {**facts, **(metadata or {})})


def export(
    source: Checkpoint | Generator,
    path: Path | str,
    to: str | None = None,
    *,
    approximate: bool = False,
) -> Exported:
    """Write a checkpoint, or a generator alone, so that another code base opens it.

    The file holds tensors and plain values. It is opened again before it is kept: its images are
    those of ``source`` to 1e-5 of their largest value, or nothing is written.

    Args:
        source: What to write.
        path: The file; a folder that exists.
        to: "rosinality" (stylegan2-pytorch, or style-based-gan-pytorch for a StyleGAN1), "yuuho"
            (stylegans-pytorch), "nvidia-state" (state dicts and settings for NVIDIA's PyTorch
            releases; with a name in .safetensors in such a file), or "safetensors" (latentlab's
            own, as ``save``). None: "safetensors" where the name ends so.
        approximate: Accept what the other code computes nearly the same; the notes say what.

    Returns:
        What was written, what was left out, and the difference measured.

    Raises:
        SettingsError: If ``to`` is unknown, does not fit the name, or is not clear from it.
        UnsupportedCheckpoint: If the other code has no such network; the message names the setting.
        OutputError: If ``path`` cannot be written.
    """
    path, where = Path(path), source.path.name if isinstance(source, Checkpoint) else "generator"
    networks, facts = _held(source)
    if (to := target_of(path, to)) != NATIVE:
        return export_to(networks, path, to, where, approximate, facts, load)
    write_native(networks, path, facts)
    names = {name: name for name in networks}
    return Exported(path, to, names, (), f'latentlab.load("{path}")', 0.0)


def _held(source: Checkpoint | Generator) -> tuple[Mapping[str, nn.Module], dict[str, Any]]:
    """Return networks by name, and what a file that they are written to says of them.

    Raises:
        SettingsError: If ``source`` is something else.
    """
    if isinstance(source, Generator):
        return {"G_ema": source}, {}
    if not isinstance(source, Checkpoint):
        kind = type(source).__name__
        raise SettingsError(f"`source` must be a Checkpoint or a Generator, but got a {kind}")
    origin = {"kind": source.kind, "file": source.path.name, "sha256": source.sha256}
    note = licence_note(source)
    licence = {} if note is None else {"licence": note}
    return source.networks, {"source": origin, **licence, **source.metadata}


def file_of(name: Path | str) -> Path:
    """Return the file that a checkpoint's name means, fetching one of the network.

    Raises:
        CheckpointError: If there is no such bundled model, or it cannot be fetched.
    """
    if str(name).startswith("builtin:"):
        return builtin_path(name)
    return fetch(str(name)) if is_address(name) else Path(name)


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
        with open_regular(file) as stream:
            start = stream.read(_ENOUGH)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    if len(start) < _ENOUGH and not _is_pickle(start):
        raise TruncatedCheckpoint(f"{file}: ends after {len(start)} bytes; get the file again")
    return start
