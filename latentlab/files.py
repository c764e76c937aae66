"""Writing files whole or not at all, and identifying them by content."""

import errno
import hashlib
import itertools
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from latentlab.errors import OutputError
from latentlab.foreign_files.opening import open_regular

STAGE = ".tmp-"  # how names of files and folders in the making begin

_WINDOWS = os.name == "nt"
# How a full disk, a quota, or a limit on files is told; some libraries keep the number to
# themselves.
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC), None)


@contextmanager
def atomic_write(path: Path | str, size: int = 0) -> Iterator[Path]:
    """Yield a temporary path in the same directory; it replaces ``path`` if the block succeeds.

    A kill or a full disk leaves the previous file intact. A failure removes the temporary file.
    The names in a folder whose own name begins with ``STAGE`` are not brought to the disk: whoever
    moves its files does that, once for all of them.

    Args:
        path: The file.
        size: Bytes that it takes at least, where that is known: told where the disk is full.

    Raises:
        OutputError: If the directory or file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f"{STAGE}{secrets.token_hex(8)}{path.suffix}")
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        os.close(handle)
        yield temporary
        os.chmod(temporary, mode)  # some writers replace the file, with permissions of their own
        sync(temporary)
        os.replace(temporary, path)
        if not path.parent.name.startswith(STAGE):  # whose files appear elsewhere, all at once
            sync(path.parent)
    except OSError as error:
        raise _output_error(path, error, max(size, _size_of(temporary))) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)


def make_directory(path: Path | str) -> Path:
    """Create a directory and its parents, and check that files can be made in it.

    Raises:
        OutputError: If it cannot be made or written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _output_error(path, error) from error
    if not os.access(path, os.W_OK):
        raise OutputError(f"{path}: the folder is read-only; choose another place")
    return path


def set_aside(path: Path, folder: Path | None = None) -> Path:
    """Rename what is damaged, so that it is in nobody's way and nothing is lost.

    Args:
        path: The file; of a link, the link itself.
        folder: Where it is put; None leaves it where it is.

    Returns:
        Its new path, which nothing else had: ``NAME.damaged``, or with a number behind it.

    Raises:
        OutputError: If it cannot be renamed.
    """
    place = path.parent if folder is None else folder
    names = (f"{path.name}.damaged{f'-{n}' * (n > 1)}" for n in itertools.count(1))
    aside = next(place / name for name in names if not os.path.lexists(place / name))
    try:
        os.rename(path, aside)
    except OSError as error:
        raise OutputError(
            f"{path}: is damaged, and cannot be renamed ({error.strerror}); move it away"
        ) from error
    return aside


def remove_unfinished(folder: Path) -> None:
    """Remove what a writer that was killed has left; only who holds the folder may do so."""
    for stage in folder.glob(f"{STAGE}*"):
        if stage.is_dir() and not stage.is_symlink():
            shutil.rmtree(stage, ignore_errors=True)
        else:
            stage.unlink(missing_ok=True)


def is_file(path: Path) -> bool:
    """Whether there is a file; never for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def sha256_of(file: Path | BufferedReader) -> str:
    """Return the SHA-256 of a file, by its path or open for reading, as hex digits."""
    if isinstance(file, Path):
        with open_regular(file) as opened:
            return sha256_of(opened)
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _output_error(path: Path, error: OSError, size: int = 0) -> OutputError:
    reason = error.strerror or str(error)
    if size and error.errno in _FULL:
        reason += f"; it takes at least {size:,} bytes"
    return OutputError(f"{path}: cannot be written ({reason}); choose another place or free space")


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, reach the disk.

    Windows opens no folder, and flushes only files that are open for writing.
    """
    if _WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
