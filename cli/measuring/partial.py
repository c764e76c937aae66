"""Batches of a stopped measurement, kept on disk so that nothing is computed twice."""

import hashlib
import json
import shutil
import time
import zipfile
from collections import UserDict
from pathlib import Path
from typing import Any

import numpy as np

from cli.text import say
from latentlab import OutputError, distributed
from latentlab.files import atomic_write, make_directory
from metrics.sampling import Arrays

_PREFIX = ".partial-"
# What numpy and zipfile raise for a file in which one bit is wrong.
_DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile)
_PAUSE = 10.0  # seconds between writes: what a kill can cost


class PartialResults(UserDict[range, Arrays]):
    """Arrays of batches by their sample numbers, written one file at a time as they gather.

    A file holds the batches since the last one and appears whole. Files that cannot be read are
    left out: their batches are computed again.
    """

    def __init__(self, parent: Path, identity: dict[str, Any]) -> None:
        """Open the batches of one measurement; ``identity`` is all that decides their numbers."""
        super().__init__()
        text = json.dumps(identity, sort_keys=True, default=str)
        self.folder = parent / f"{_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        self._unwritten: list[range] = []
        self._written_at = time.monotonic()
        for file in sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else []:
            try:
                self.data.update(_read(file))
            except _DAMAGE as error:
                if distributed.is_main():
                    say(f"{file} is damaged and left out ({error})")

    def __setitem__(self, samples: range, arrays: Arrays) -> None:
        self.data[samples] = arrays
        self._unwritten.append(samples)
        if time.monotonic() - self._written_at >= _PAUSE:
            self.write()

    def write(self) -> None:
        """Write the batches that are not on disk yet."""
        self._written_at = time.monotonic()
        if not self._unwritten:
            return
        arrays = {
            f"{samples.start}-{samples.stop}/{name}": values
            for samples in self._unwritten
            for name, values in self.data[samples].items()
        }
        first = self._unwritten[0].start
        file = make_directory(self.folder) / f"{first:09d}-{distributed.rank():03d}.npz"
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        self._unwritten = []


def remove_all(parent: Path) -> None:
    """Remove what measurements have kept in a folder, once their results are written."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be removed ({error.strerror})") from error


def _read(file: Path) -> dict[range, Arrays]:
    parts: dict[range, Arrays] = {}
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        for key in arrays.files:
            numbers, name = key.split("/", 1)
            start, stop = map(int, numbers.split("-"))
            parts.setdefault(range(start, stop), {})[name] = arrays[key]
    return parts
