"""Which checkpoint saved latents, noise maps and directions belong to, and whether it is open."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.models import Model
from cli.pictures.records import read_record
from cli.projecting.files import FILES, RECORD, Z
from cli.reports.tables import MANIFEST
from cli.text import one_line, plain_text, say
from latentlab import LatentError
from latentlab.foreign_files.opening import read_regular

_LEVELS = 3  # folders above a result in which its manifest is looked for
_MOST_BYTES = 2**27  # of a manifest
_SHOWN = 12  # digits of a digest
_LONGEST = 100  # characters of a name


@dataclass(frozen=True)
class Origin:
    """The checkpoint that something says it belongs to.

    Attributes:
        digests: SHA-256 of its file, and of the one that this was converted from; none where
            nothing is said.
        checkpoint: What it was called; "" if that is not said.
    """

    digests: frozenset[str] = frozenset()
    checkpoint: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Origin":
        """Read what settings, a record's row or a manifest say."""
        said = (facts.get("sha256"), facts.get("converted_from"))
        name = facts.get("checkpoint")
        digests = frozenset(each for each in said if isinstance(each, str) and each)
        return cls(digests, one_line(name)[:_LONGEST] if isinstance(name, str) else "")

    def fits(self, model: Model) -> bool:
        """Whether it is the model's; what says nothing is taken for it."""
        return not self.digests or bool(self.digests & set(model.digests.values()))

    def __str__(self) -> str:
        """Name it for a person."""
        digest = one_line(min(self.digests, default=""))[:_SHOWN]
        return f"{self.checkpoint} (SHA-256 {digest}...)".lstrip()


UNKNOWN = Origin()


def origin_of(file: Path) -> Origin:
    """Return what is said of a file by the record of its projection, or by the manifest above it.

    Those of the picture's own folder come first. What cannot be read says nothing.
    """
    if file.name in (*FILES, Z):
        record = read_record(file.with_name(RECORD))
        if record is not None:
            return Origin.of({**record.row, **record.identity})
    for folder in list(file.absolute().parents)[:_LEVELS]:
        manifest = _manifest(folder / MANIFEST)
        name = file.absolute().relative_to(folder).as_posix()
        if manifest is not None and name in manifest["files"]:
            return Origin.of(manifest["settings"])
    return UNKNOWN


def check_origins(origins: Mapping[Path, Origin], model: Model, any_checkpoint: bool) -> None:
    """Refuse files that belong to another checkpoint than the one that is open.

    With ``any_checkpoint`` they are taken for the open one's, which is said.

    Raises:
        LatentError: If there are such files.
    """
    strange = {path: origin for path, origin in origins.items() if not origin.fits(model)}
    if not strange:
        return
    path, origin = next(iter(strange.items()))
    more = f" (and {len(strange) - 1} more)" if len(strange) > 1 else ""
    open_one = f"{model.name} (SHA-256 {model.sha256[:_SHOWN]}...)"
    if any_checkpoint:
        say(f"{path}{more}: of another checkpoint, {origin}; taken for one of {open_one}")
        return
    raise LatentError(
        f"{plain_text(path)}{more}: belongs to another checkpoint, {origin}, not to {open_one}; "
        "open that one, or give --any-checkpoint to take it all the same"
    )


def told(origins: Mapping[Path, Origin], model: Model) -> list[dict[str, Any]]:
    """Return what a manifest says of where latents come from, and what they were taken for."""
    return [
        {
            "file": plain_text(path), "checkpoint": origin.checkpoint or None,
            "checkpoint_sha256": sorted(origin.digests) or None, "taken_for": model.sha256,
        }
        for path, origin in origins.items()
    ]  # fmt: skip


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(read_regular(path, _MOST_BYTES))
        fits = isinstance(found["settings"], dict) and isinstance(found["files"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if fits else None
