"""One writer for each folder: a second process that wants to write there is refused."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from cli.running.invocation import current_command
from latentlab import OutputError, distributed
from latentlab.files import make_directory
from latentlab.locks import locked

LOCK = ".lock"

_ELSEWHERE = "give another `output`"
_LONGEST_NAME = 240  # bytes, of 255 that file systems take


@contextmanager
def claimed(folder: Path, *, dry_run: bool = False) -> Iterator[None]:
    """Make a folder and hold it; of processes that work together, the main one holds it for all.

    Whatever a command learns of the folder counts from then on: it is asked inside the block.

    Folders that were made for nothing, as the block failed before it wrote a file, go again.

    Args:
        folder: Where the block writes.
        dry_run: Whether it writes nothing: nothing is made or held then.

    Raises:
        OutputError: If the folder cannot be written, or another process holds it.
    """
    if dry_run:
        yield
        return
    if not distributed.is_main():
        make_directory(folder)
        yield
        return
    made = _missing(folder)
    try:
        make_directory(folder)
        with locked(folder / LOCK, folder, elsewhere=_ELSEWHERE, command=current_command()):
            yield
    except click.exceptions.Exit:  # an end that was meant
        raise
    except BaseException:
        with suppress(OSError):  # there is something in it
            for each in made:
                each.rmdir()
        raise


@contextmanager
def claimed_file(file: Path) -> Iterator[None]:
    """Hold a single file that a command writes, by a lock beside it.

    Raises:
        OutputError: If another process holds it, or the folder cannot be written.
    """
    if not file.parent.is_dir():  # whoever writes it says so, or makes it
        yield
        return
    with locked(_beside(file), file, elsewhere=_ELSEWHERE, command=current_command()):
        yield


def _beside(file: Path) -> Path:
    name = os.fsencode(file.name)
    short = len(name) < _LONGEST_NAME
    return file.with_name(f".{file.name if short else hashlib.sha256(name).hexdigest()[:16]}{LOCK}")


def _missing(folder: Path) -> list[Path]:
    """Return the folder and those that it is in, as far as they are not there; its own first."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file, not a folder", advice=[_ELSEWHERE])
        return [each for each in (folder, *folder.parents) if not each.exists()]
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{folder}: {reason}", advice=[_ELSEWHERE]) from error
