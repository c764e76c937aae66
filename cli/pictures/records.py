"""What a result says of itself, from which a later run learns that it is done, and how."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from latentlab import ImageError
from latentlab.files import atomic_write, sha256_of

_FORMAT = 1
_MOST_BYTES = 2**20


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
        try:
            facts = path.stat()
            return cls(str(path), facts.st_size, facts.st_mtime_ns, sha256_of(path))
        except FileNotFoundError as error:
            raise ImageError(f"{path}: no such file") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ImageError(f"{path}: cannot be read ({reason})") from error

    def is_still(self, path: Path) -> bool:
        """Whether the file is as it was; one that is gone counts as unchanged."""
        try:
            facts = path.stat()
            if (facts.st_size, facts.st_mtime_ns) == (self.size, self.modified):
                return True
            return facts.st_size == self.size and sha256_of(path) == self.sha256
        except OSError:
            return True


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
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        facts = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_interned)
        if facts["format"] != _FORMAT:
            return None
        source, batch = Source(**facts["source"]), facts.get("batch", [])
        record = Record(facts["identity"], source, facts["row"], facts["files"], batch)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    kinds = (record.identity, record.row, record.files)
    fits = all(isinstance(each, dict) for each in kinds) and isinstance(batch, list)
    fits = fits and all(isinstance(path, str) for path in batch)
    return record if fits and all(Path(name).name == name for name in record.files) else None


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep equal text once: the records of a large folder say the same, but for numbers."""
    return {
        sys.intern(key): sys.intern(value) if isinstance(value, str) else value
        for key, value in pairs
    }
