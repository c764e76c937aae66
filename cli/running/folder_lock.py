"""One writer a folder: a second process that wants to write there is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latentlab import OutputError, distributed
from latentlab.files import make_directory

LOCK = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder and hold it; of processes that work together, the main one holds it for all.

    Raises:
        OutputError: If the folder cannot be written, or another process holds it.
    """
    make_directory(folder)
    if not distributed.is_main():
        yield
        return
    with _locked(folder / LOCK):
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file, which ends with the process however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows has none; there is no lock there
        yield
        return
    try:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
    except BlockingIOError as error:
        raise OutputError(
            f"{path.parent}: another latentlab is writing there; wait for it, or choose another "
            "--output"
        ) from error
