"""One writer for each folder: a second process that wants to write there is refused."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from latentlab import OutputError, distributed
from latentlab.files import make_directory

LOCK = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make a folder and hold it; of processes that work together, the main one holds it for all.

    One that was made for nothing, as the block failed before it wrote a file, goes again.

    The lock ends with the process, however that ends; a file that a kill leaves behind holds
    nobody up.

    Raises:
        OutputError: If the folder cannot be written, or another process holds it.
    """
    made = distributed.is_main() and not folder.exists()
    make_directory(folder)
    if not distributed.is_main():
        yield
        return
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise OutputError(
            f"{folder}: another latentlab is writing there",
            advice=["wait for it", "give another `output`"],
        ) from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be locked ({error.strerror or error})") from error
    try:
        yield
    finally:
        # The file goes while it is still ours. Whoever has opened it before finds, once it is
        # free, that it is no longer there, and does not take it for the lock.
        with suppress(OSError):  # Windows keeps open files
            (folder / LOCK).unlink()
        lock.release()
        if made:
            with suppress(OSError):  # there is something in it
                folder.rmdir()
