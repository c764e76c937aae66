"""Aligning what is left of a plan; each picture is whole on disk when done."""

import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cli.pictures.faces import CutFace, FaceSource, cut_face
from cli.pictures.plan import REPORT, Job, Plan
from cli.pictures.records import Record, Source
from cli.reports.tables import write_manifest, write_table
from cli.running.folder_lock import claimed
from cli.running.interrupt import unwind_on_sigterm
from cli.running.progress import ProgressBar
from cli.text import plain_text
from latentlab import ImageError, NoFaceError
from latentlab.faces import FacePoints
from latentlab.files import atomic_write, sha256_of
from latentlab.images import DecodePolicy, decode

_PAUSE = 5.0  # seconds between reports
_POINTS = [f"{each.name}_{axis}" for each in fields(FacePoints) for axis in "xy"]
_QUAD = [f"quad_{axis}{i}" for i in range(4) for axis in "xy"]
COLUMNS = ["picture", "status", "note", "file", "width", "height", "scale", *_POINTS, *_QUAD]


@dataclass(frozen=True)
class Cutting:
    """How faces are cut out of photos."""

    faces: FaceSource
    policy: DecodePolicy
    size: int
    max_upscale: float

    def is_current(self, record: Record) -> bool:
        """Whether landmarks still say of a photo what its record says; models say the same."""
        try:
            found = self.faces.recall(Path(record.source.path))
        except ImageError:
            return False
        row = record.row
        return found is None or found.points.array().ravel().tolist() == [
            row.get(name) for name in _POINTS
        ]


class AlignmentRun:
    """Aligns pictures one by one, and keeps a row of each.

    Attributes:
        rows: A row for each picture, by its path.
    """

    def __init__(
        self,
        plan: Plan,
        cutting: Cutting,
        identity: dict[str, Any],
        facts: dict[str, Any],
        failures: Mapping[str, ImageError],
    ) -> None:
        """Begin with what is done.

        Args:
            plan: What there is to do.
            cutting: How.
            identity: What records say of it.
            facts: What the manifest says of it.
            failures: Sources that hold no pictures.
        """
        self._plan, self._cutting = plan, cutting
        self._identity, self._facts = identity, facts
        self._records = {job.name: job.done for job in plan.jobs if job.done is not None}
        self.rows: dict[str, dict[str, Any]] = {}
        self._order = [str(job.picture) for job in plan.jobs]
        for record in (*self._records.values(), *plan.others):
            self.rows[record.source.path] = record.row
        self._order += [record.source.path for record in plan.others]
        for source, error in failures.items():
            self._order.append(source)
            self.rows[source] = _row(source, "refused", str(error))

    def __call__(self) -> None:
        """Align what is left, and write the report and the manifest."""
        left = self._plan.left
        with claimed(self._plan.output), unwind_on_sigterm():
            self._plan.begin()
            written = time.monotonic()
            try:
                with ProgressBar(len(left), "aligning", "picture") as bar:
                    for job in left:
                        self._align(job)
                        bar.advance()
                        if time.monotonic() - written > _PAUSE:
                            self._write()
                            written = time.monotonic()
            except BaseException:
                if self.rows:
                    self._write()
                raise
            self._finish()

    def _align(self, job: Job) -> None:
        path, how = job.picture, self._cutting
        try:
            source = _source(path)
            decoded = decode(path, policy=how.policy)
            face = cut_face(decoded.picture, path, how.faces, how.size, how.max_upscale)
        except ImageError as error:
            self._plan.withdraw(job)
            status = "skipped" if isinstance(error, NoFaceError) else "refused"
            self.rows[str(path)] = _row(path, status, str(error))
            return
        note = "; ".join(filter(None, [*decoded.notes, face.note]))
        row = _row(path, "ok", note, **_facts(job, face, decoded.picture.size))
        self._publish(job, face.picture, source, row)

    def _publish(self, job: Job, picture: Image.Image, source: Source, row: dict[str, Any]) -> None:
        """Write the record, then the picture: after a kill in between it is not done, but ours."""
        content = io.BytesIO()
        picture.save(content, format="PNG")
        digest = hashlib.sha256(content.getvalue()).hexdigest()
        record = Record(self._identity, source, row, {job.file: digest})
        file = self._plan.file(job)
        file.unlink(missing_ok=True)
        record.write(self._plan.record(job))
        with atomic_write(file) as temporary:
            temporary.write_bytes(content.getvalue())
        self._records[job.name] = record
        self.rows[str(job.picture)] = row

    @property
    def left_out(self) -> list[str]:
        """Why pictures have not been aligned."""
        rows = [self.rows[picture] for picture in self._order if picture in self.rows]
        return [row["note"] for row in rows if row["status"] != "ok"]

    def _write(self) -> Path:
        rows = [self.rows[picture] for picture in self._order if picture in self.rows]
        path = self._plan.output / REPORT
        table = pd.DataFrame(rows, columns=COLUMNS)
        write_table(table.astype(dict.fromkeys(("width", "height"), "Int64")), path)
        return path

    def _finish(self) -> None:
        files = {REPORT: sha256_of(self._write())}
        for record in (*self._records.values(), *self._plan.others):
            files |= record.files
        write_manifest(self._plan.output, self._facts, files)


def _source(path: Path) -> Source:
    try:
        return Source.of(path)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path}: cannot be read ({reason})") from error


def _row(picture: Path | str, status: str, note: str, **facts: Any) -> dict[str, Any]:
    first = {"picture": plain_text(picture), "status": status, "note": plain_text(note)}
    return first | facts


def _facts(job: Job, face: CutFace, size: tuple[int, int]) -> dict[str, Any]:
    points, quad = face.alignment.points.array(), face.alignment.quad
    facts = {"file": job.file, "width": size[0], "height": size[1], "scale": face.scale}
    facts |= dict(zip(_POINTS, points.ravel().tolist(), strict=True))
    return facts | dict(zip(_QUAD, quad.ravel().tolist(), strict=True))
