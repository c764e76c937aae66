"""Batches of a measurement, kept on disk so that nothing is computed twice.

While it is measured they gather in files of a hidden folder. Once the results are written, they are
put together in one file beside the saved results: from there a longer measurement goes on.

In a file, batches with arrays of the same names, types and shapes form a group, so that thousands
of batches are few arrays. Of a group there are the sample numbers of each batch, the names, and of
each name the rows of all batches with their counts.
"""

import hashlib
import json
import shutil
import time
from collections import UserDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cli.measuring.saved import FOLDER
from cli.text import say
from latentlab import LatentError, OutputError, distributed
from latentlab.errors import reason
from latentlab.files import atomic_write, make_directory, set_aside
from latentlab.tensor_files import read_all_npz
from metrics.sampling import Arrays

_SAMPLES, _NAMES = "samples", "names"
_PREFIX, _KEPT = ".partial-", "batches-"
# Of a file in which a bit is wrong, or whose arrays are of another kind than they were.
_DAMAGE = (LatentError, ValueError, TypeError, KeyError, IndexError)
_PAUSE = 10.0  # seconds between writes: what a kill can cost
MOST_KEPT = 64 * 2**20  # bytes of one model's batches by one metric, once they are measured


class PartialResults(UserDict[range, Arrays]):
    """Arrays of batches by their sample numbers, written one file at a time as they gather.

    A file holds the batches since the last one and appears whole. Files that cannot be read are
    set aside in the folder of saved results: their batches are computed again.

    Attributes:
        folder: Of the files of a measurement that is not finished.
        stopped: Whether there were any.
    """

    def __init__(self, parent: Path, identity: dict[str, Any], afresh: bool = False) -> None:
        """Open the batches of one measurement; ``identity`` is all that decides their numbers.

        Those of a finished one are left alone where it is to be measured ``afresh``.
        """
        super().__init__()
        text = json.dumps(identity, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder = parent / f"{_PREFIX}{digest}"
        self._unwritten: list[range] = []
        self._written_at = time.monotonic()
        kept = [] if afresh else [_kept(parent, digest)]
        self._aside = parent / FOLDER
        self.data.update(_read_all([file for file in kept if file.is_file()], self._aside))
        files = sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else []
        self.data.update(_read_all(files, self._aside))
        self.stopped = len(files) > 0

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
        first = self._unwritten[0].start
        file = make_directory(self.folder) / f"{first:09d}-{distributed.rank():03d}.npz"
        _write(file, {part: self.data[part] for part in self._unwritten})
        self._unwritten = []


def keep_small(parent: Path, afresh: bool) -> None:
    """Put the batches in a folder together, once the results are written; drop what is large.

    Args:
        parent: The measurement's folder.
        afresh: Whether what an earlier measurement has kept is of no more use.
    """
    before = sorted((parent / FOLDER).glob(f"{_KEPT}*.npz"))
    for folder in sorted(parent.glob(f"{_PREFIX}*")):
        file = _kept(parent, folder.name.removeprefix(_PREFIX))
        parts = _read_all([] if afresh or not file.is_file() else [file], file.parent)
        parts.update(_read_all(sorted(folder.glob("*.npz")), file.parent))
        size = sum(rows.nbytes for arrays in parts.values() for rows in arrays.values())
        if size <= MOST_KEPT:
            make_directory(file.parent)
            _write(file, parts)
            before = [other for other in before if other != file]
        else:
            _remove(file)
            say(f"{size / 2**20:,.0f} MiB of batches are not kept: more samples would have to be "
                "measured from the first one.")  # fmt: skip
        _remove(folder)
    for file in before if afresh else []:
        _remove(file)


def _kept(parent: Path, digest: str) -> Path:
    return parent / FOLDER / f"{_KEPT}{digest}.npz"


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed ({error.strerror})") from error


def _write(file: Path, parts: dict[range, Arrays]) -> None:
    with atomic_write(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **pack(parts))  # type: ignore[arg-type]


def _read_all(files: list[Path], aside: Path) -> dict[range, Arrays]:
    """Return the batches in files; damaged ones are set aside in a folder, which is said once."""
    parts: dict[range, Arrays] = {}
    for file in files:
        try:
            parts.update(unpack(read_all_npz(file)))
        except _DAMAGE as error:
            if distributed.is_main():
                now = set_aside(file, make_directory(aside))
                say(f"{file} is damaged and left out ({reason(error)}): it is set aside as {now}, "
                    "and its batches are computed again.")  # fmt: skip
    return parts


def pack(parts: Mapping[range, Arrays]) -> Arrays:
    """Return batches as arrays, which ``unpack`` takes apart again."""
    groups: dict[tuple[object, ...], list[range]] = {}
    for samples, arrays in parts.items():
        kind = tuple((name, rows.dtype.str, rows.shape[1:]) for name, rows in arrays.items())
        groups.setdefault(kind, []).append(samples)
    packed: Arrays = {}
    for i, batches in enumerate(groups.values()):
        names = list(parts[batches[0]])
        packed[f"{i}/{_SAMPLES}"] = np.array([[part.start, part.stop] for part in batches])
        packed[f"{i}/{_NAMES}"] = np.array(names, dtype=np.str_)
        for j, name in enumerate(names):
            rows = [parts[part][name] for part in batches]
            packed[f"{i}/{j}/counts"] = np.array([len(each) for each in rows])
            packed[f"{i}/{j}/rows"] = np.concatenate(rows)
    return packed


def unpack(packed: Arrays) -> dict[range, Arrays]:
    """Return the batches that were packed.

    Raises:
        ValueError, KeyError, IndexError: If the arrays are not as ``pack`` makes them.
    """
    parts: dict[range, Arrays] = {}
    for key in packed:
        group, _, kind = key.partition("/")
        if kind != _SAMPLES:
            continue
        batches = [range(int(start), int(stop)) for start, stop in packed[key].tolist()]
        for j, name in enumerate(packed[f"{group}/{_NAMES}"].tolist()):
            counts, rows = packed[f"{group}/{j}/counts"], packed[f"{group}/{j}/rows"]
            if len(counts) != len(batches) or counts.min() < 0 or counts.sum() != len(rows):
                raise ValueError("its batches and their rows do not fit")
            cut = np.split(rows, counts.cumsum()[:-1])
            for samples, mine in zip(batches, cut, strict=True):
                parts.setdefault(samples, {})[str(name)] = mine
    return parts
