"""Opening a file that may be no checkpoint, or a compressed one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.checkpoints.others import archives, folders, formats, texts
from latentlab.checkpoints.others.compressed import compression_of, unpacked
from latentlab.errors import (
    CheckpointError,
    TruncatedCheckpoint,
    UnsupportedCheckpoint,
    visible,
)
from latentlab.files import is_file, sha256_of
from latentlab.foreign_files.opening import open_regular, unchanging

Reader = Callable[[Path], Checkpoint]

_ZIP = b"PK\x03\x04"
# Endings that programs give to what they have not finished downloading.
_UNFINISHED = (
    ".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".incomplete",
    ".aria2", ".tmp", ".!ut", ".!qb", ".unconfirmed",
)  # fmt: skip


def open_recognised(file: Path, read: Reader) -> Checkpoint:
    """Open a checkpoint with ``read``, unpacked if need be.

    Raises:
        CheckpointError: As ``read`` does; and if the file is known to be something else, which the
            message then names, with what to do.
    """
    try:
        start = _checked_start(file)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    kind = compression_of(start)
    try:
        return read(file) if kind is None else _open_compressed(file, kind, read)
    except CheckpointError as error:
        ending = file.suffix.lower()
        if ending not in _UNFINISHED:
            raise
        hint = f"a name that ends in {ending} is that of a download which did not finish"
        raise type(error)(f"{error.message}; {hint}", advice=error.advice) from error


def _open_compressed(file: Path, kind: str, read: Reader) -> Checkpoint:
    with unchanging(file, CheckpointError) as stream:
        checkpoint = _read_inside(file, kind, read)
        # It is known by the file that its owner has.
        return replace(checkpoint, path=file, sha256=sha256_of(stream))


def _read_inside(file: Path, kind: str, read: Reader) -> Checkpoint:
    with unpacked(file, kind) as inside:
        try:
            start = _checked_start(inside)
            if again := compression_of(start):
                raise UnsupportedCheckpoint(
                    f"{inside}: compressed twice ({again} in {kind}); unpack it and give what is "
                    "inside"
                )
            return read(inside)
        except CheckpointError as error:
            place = f"{file} ({kind}, unpacked)"
            words = error.message.replace(visible(str(inside), len(error.message)), place)
            raise type(error)(words, advice=error.advice) from error


def _checked_start(file: Path) -> bytes:
    """Return the first bytes of a file that may be a checkpoint; none where there is no file."""
    if not is_file(file):
        words = folders.folder_told(file) if _is_folder(file) else folders.link_told(file)
        if words is not None:
            raise CheckpointError(f"{file}: {words}")
        return b""
    with open_regular(file) as stream:
        start = stream.read(texts.LOOKED_AT)
        stream.seek(-min(8, len(start)), 2)
        end = stream.read(8)
    if not start:
        raise TruncatedCheckpoint(
            f"{file}: an empty file (0 bytes), as a download or copy that failed leaves it; get it "
            "again"
        )
    words = None if _has_a_reader(start) else _told(file, start, end)
    if words is not None:
        raise UnsupportedCheckpoint(f"{file}: {words}")
    return start


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _has_a_reader(start: bytes) -> bool:
    """Whether a file starts as a pickle does, a safetensors file, or what is compressed."""
    is_pickle = start[0] == 0x80
    is_safetensors = start[8:9] == b"{" and start[4:8] == bytes(4)
    return is_pickle or is_safetensors or compression_of(start) is not None


def _told(file: Path, start: bytes, end: bytes) -> str | None:
    if start.startswith(_ZIP):
        return archives.zip_told(file)
    if archives.is_tar(start):
        return archives.tar_told(file)
    text = texts.text_of(start)
    words = texts.told(file, text) if text is not None else None
    return words or formats.told(file, start, end)
