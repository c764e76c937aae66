"""What a result says of itself, from which a later run learns that it is done, and how."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from latentlab import ImageError
from latentlab.checks import check_whole
from latentlab.files import atomic_write, set_aside, sha256_of
from latentlab.foreign_files.opening import open_regular, read_regular

_FORMAT = 1
_MOST_BYTES = 2**20
_TOLD = ("picture", "status", "note")  # in every row of a report
_LONGEST_NAME = 200  # characters of a file's name


@dataclass(frozen=True)
class Source:
    """A picture file as it was when it was read."""

    path: str
    size: int
    modified: int  # nanoseconds
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Look at a file; raises ImageError if it cannot be read."""
        with opened_picture(path) as (source, _):
            return source

    def is_still(self, path: Path) -> bool:
        """Whether the file is as it was; one that is gone counts as unchanged."""
        try:
            facts = path.stat()
            if (facts.st_size, facts.st_mtime_ns) == (self.size, self.modified):
                return True
            return facts.st_size == self.size and sha256_of(path) == self.sha256
        except OSError:
            return True


@contextmanager
def opened_picture(path: Path) -> Iterator[tuple[Source, BufferedReader]]:
    """Open a picture once, so that what it is known by and what it shows are of one file.

    Raises:
        ImageError: If it cannot be read.
    """
    try:
        with open_regular(path) as file:
            facts = os.fstat(file.fileno())
            source = Source(str(path), facts.st_size, facts.st_mtime_ns, sha256_of(file))
            file.seek(0)
            yield source, file
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error


@dataclass(frozen=True)
class Record:
    """One finished picture: projected, or aligned.

    Attributes:
        identity: All that decides it besides the picture and the device.
        source: The picture.
        row: Its row of the report.
        files: SHA-256 by name of the files beside the record.
        batch: Paths of all pictures that it was computed with at once, its own among them, in
            their order; none where it was computed alone.
    """

    identity: dict[str, Any]
    source: Source
    row: dict[str, Any]
    files: dict[str, str]
    batch: list[str] = field(default_factory=list)

    def difference(self, identity: dict[str, Any]) -> str:
        """Say what differs there from ``identity``; "" if nothing does."""
        there, here = self.identity.get, identity.get
        names = [name for name in {**self.identity, **identity} if there(name) != here(name)]
        return ", ".join(f"{name} {there(name)} there, {here(name)} here" for name in names[:3])

    def write(self, path: Path) -> None:
        """Write it as JSON, whole."""
        facts = {"format": _FORMAT, **asdict(self)}
        if not self.batch:
            del facts["batch"]
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")


def without_landmarks(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what decides a result, out of what a report says, but for its picture.

    Landmarks may grow and be corrected: pictures whose own are the same stay as they are.
    """
    return {name: value for name, value in facts.items() if not name.startswith("landmarks")}


def read_record(path: Path) -> Record | None:
    """Read a record; None if there is none, or what is there is no record."""
    return look_at_record(path)[0]


def look_at_record(path: Path) -> tuple[Record | None, bool]:
    """Read a record, and say whether it is damaged.

    Damaged is what is no JSON, has parts of another type, names files that lie elsewhere, or lacks
    what a report needs; a record of another version is not, and neither is none.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode("utf-8")
        facts = json.loads(text, object_pairs_hook=_interned, parse_constant=_refuse_constant)
        if facts["format"] != _FORMAT and type(facts["format"]) is int:
            return None, False
        check_whole(facts["format"], "format", _FORMAT)
        source, batch = Source(**facts["source"]), facts.get("batch", [])
        record = Record(facts["identity"], source, facts["row"], facts["files"], batch)
    except FileNotFoundError:
        return None, False
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, True
    if not _fits(record):
        return None, True
    return record, not all(type(record.row.get(name)) is str for name in _TOLD)


def set_damaged_aside(path: Path) -> None:
    """Rename a record that is damaged, before another is written; raises OutputError."""
    if look_at_record(path)[1]:
        set_aside(path)


def _fits(record: Record) -> bool:
    kinds = {"path": str, "size": int, "modified": int, "sha256": str}
    fits = all(type(getattr(record.source, name)) is kind for name, kind in kinds.items())
    fits = fits and all(isinstance(each, dict) for each in (record.identity, record.row))
    fits = (
        fits and isinstance(record.batch, list) and all(type(each) is str for each in record.batch)
    )
    return fits and isinstance(record.files, dict) and all(map(_is_own, record.files.items()))


def _is_own(entry: tuple[str, Any]) -> bool:
    """Whether a file and its digest may be of a result: a plain name, in the folder itself."""
    name, digest = entry
    plain = name.isprintable() and Path(name).name == name and 0 < len(name) <= _LONGEST_NAME
    return plain and name != ".." and type(digest) is str


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep equal text once: the records of a large folder say the same, but for numbers."""
    return {
        sys.intern(key): sys.intern(value) if isinstance(value, str) else value
        for key, value in pairs
    }
