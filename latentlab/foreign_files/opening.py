"""Files that somebody else wrote, opened once and without waiting for anybody.

Opening a named pipe waits for its writer, and what is read from a path twice may be two files. So
every file that a user or another file names is opened here: a regular file or nothing, and what is
said of its content (its SHA-256) is said of the opening that the content came from.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

from latentlab.errors import DataError, LatentlabError

# No waiting for the writer of a pipe, and no terminal that takes this process over; Windows has
# neither, and would change line ends.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
_NO_FILE = "not a file"
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_CHANGED = "was changed, or replaced, while it was read; give it again"


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file for reading, at once.

    Raises:
        OSError: If there is none that can be opened, also for a name that no file can have; a
            folder, a pipe, a socket or a device is none. ``strerror`` says which.
    """
    try:
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - whoever asks closes it
    except ValueError as error:  # a zero byte, or half a character
        raise OSError(errno.EINVAL, "no name that a file can have", str(path)) from error
    except OSError as error:
        if error.errno == errno.ENXIO:  # how a socket answers
            raise OSError(errno.EINVAL, _NO_FILE, str(path)) from error
        raise
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        kind = _KINDS.get(stat.S_IFMT(mode))
        said = f"{kind}, and {_NO_FILE}" if kind else _NO_FILE
        raise OSError(errno.EINVAL, said, str(path))
    return file


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | _FLAGS)


def size_of(file: BufferedReader) -> int:
    """Return the bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def read_regular(path: Path | str, most: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: As ``open_regular``, and if it has more than ``most`` bytes.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"over {most:,} bytes", str(path))
    return content


@contextmanager
def unchanging(path: Path | str, error: type[LatentlabError]) -> Iterator[BufferedReader]:
    """Open a regular file, for a block in which others open it by its path as well.

    Whoever reads the content by the path, and its SHA-256 from what is open here, has both of one
    file: a path that leads to another one at the end, and a file that was written, renamed or
    linked meanwhile, is an error. (What a folder in the path was exchanged for, and exchanged back
    before the end, is not seen.)

    Raises:
        LatentlabError: Of the kind that is given, if there is no such file, or if it is no longer
            the same at the end.
    """
    try:
        file = open_regular(path)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from problem
    with file:
        before = _identity(os.fstat(file.fileno()))
        yield file
        try:
            after = _identity(os.fstat(file.fileno())), _identity(os.stat(path))
        except OSError as problem:
            raise error(f"{path}: {_CHANGED}") from problem
        if after != (before, before):
            raise error(f"{path}: {_CHANGED}")


@contextmanager
def all_unchanging(*paths: Path | None) -> Iterator[None]:
    """Do as ``unchanging`` with several files; what is no file is left to whoever reads it.

    Raises:
        DataError: If one is no longer the same at the end.
    """
    with ExitStack() as held:
        for path in paths:
            if path is not None and os.path.isfile(path):  # False for names that are too long
                held.enter_context(unchanging(path, DataError))
        yield


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
