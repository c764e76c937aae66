"""What a training set holds, as one digest: equal for equal names, pictures and labels.

All of it is read once. Of a large set the digest is remembered in the cache, by the size and time
of each file, so that the next command does not read it again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.datasets.picture_files import PictureFiles
from latentlab.errors import DataError, OutputError
from latentlab.files import atomic_write, make_directory

_REMEMBERED = 2**26  # bytes, from which on a set takes long to read
_DIGITS = 64  # of a SHA-256


def content_of(files: PictureFiles, labels: NDArray[np.generic]) -> str:
    """Return the SHA-256 of the names and bytes of all pictures, and of their labels.

    A picture that cannot be read counts as such, as long as it cannot.

    Args:
        files: The pictures.
        labels: Theirs, in the same order; of length 0 where they are not used.
    """
    stamp, size = _stamp(files)
    remembered = Path(torch.hub.get_dir(), "latentlab", "data", stamp)
    content = _remembered(remembered) if size >= _REMEMBERED else None
    if content is None:
        unread: list[str] = []
        content = _sha256(_parts(files, unread))
        if size >= _REMEMBERED and not unread:  # what could not be read may be, and look the same
            with suppress(OutputError):  # read again the next time
                make_directory(remembered.parent)
                with atomic_write(remembered) as temporary:
                    temporary.write_text(content, encoding="ascii")
    if not labels.size:
        return content
    kept = np.ascontiguousarray(labels)
    return _sha256([content.encode(), str((kept.dtype.str, kept.shape)).encode(), kept.tobytes()])


def _parts(files: PictureFiles, unread: list[str]) -> Iterator[bytes]:
    """Yield what a data set is made of; names of what cannot be read are noted."""
    for name in files.names:
        yield name.encode("utf-8", "surrogatepass")
        try:
            yield files.bytes_of(name)
        except DataError:
            unread.append(name)
            yield b"cannot be read"


def _sha256(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of the SHA-256 of each part, so that none can pass for two."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _stamp(files: PictureFiles) -> tuple[str, int]:
    """Return what changes when a file is written, and how many bytes there are in all."""
    inside = [files.path] if files.path.is_file() else [files.path / name for name in files.names]
    facts, size = [str(files.path.resolve())], 0
    for file in inside:
        try:
            found = file.stat()
        except OSError:  # gone since it was listed
            facts.append(f"{file} gone")
            continue
        size += found.st_size
        facts.append(f"{file} {found.st_size} {found.st_mtime_ns}")
    return _sha256(fact.encode("utf-8", "surrogatepass") for fact in facts), size


def _remembered(file: Path) -> str | None:
    try:
        with file.open(encoding="ascii") as opened:
            text = opened.read(_DIGITS + 1)
    except (OSError, ValueError):
        return None
    whole = len(text) == _DIGITS and not set(text) - set("0123456789abcdef")
    return text if whole else None
