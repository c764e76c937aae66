"""Aligning what is left of a plan; each picture is whole on disk when done."""

import hashlib
import io
from collections.abc import Generator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cli.options.pictures import AlignmentRequest
from cli.pictures.choice import Choice
from cli.pictures.faces import CutFace, FaceSource, cut_face, open_faces
from cli.pictures.plan import Job, Layout, PicturePlan
from cli.pictures.records import Record, Source
from cli.pictures.report import Outcome, PictureReport, finished, refused, row_of
from cli.reports.tables import MANIFEST
from cli.running.progress import ProgressBar
from latentlab import ImageError, __version__
from latentlab.faces import FacePoints
from latentlab.files import atomic_write, make_directory
from latentlab.images import DecodePolicy, decode

REPORT = "alignment.csv"
RECORDS = ".alignment"  # a folder with one record for each picture

_POINTS = [f"{each.name}_{axis}" for each in fields(FacePoints) for axis in "xy"]
_QUAD = [f"quad_{axis}{i}" for i in range(4) for axis in "xy"]
COLUMNS = ["picture", "status", "note", "file", "width", "height", "scale", *_POINTS, *_QUAD]


def aligned_files(output: Path) -> Layout:
    """Return where aligned faces go: side by side, with their records in a folder of their own."""
    return Layout(
        output, [REPORT, MANIFEST], f"{RECORDS}/*.json", ["*.png"], [Path(REPORT).stem],
        (output / RECORDS).is_dir(),
    )  # fmt: skip


def without_aligned(choice: Choice, files: Layout) -> Choice:
    """Return a choice without the faces that earlier runs have cut out."""
    own = {path.absolute() for name in files.names() for path in files.results(name)}
    names = {path: name for path, name in choice.names.items() if path.absolute() not in own}
    return replace(choice, names=names)


class AlignmentReport(PictureReport):
    """The report of an alignment, whose table can serve as landmarks."""

    def table(self) -> pd.DataFrame:
        """Tabulate the rows: the same columns whatever there is in them."""
        frame = pd.DataFrame(self.rows, columns=COLUMNS)
        return frame.astype(dict.fromkeys(("width", "height"), "Int64"))


@dataclass(frozen=True)
class Cutting:
    """How faces are cut out of photos."""

    faces: FaceSource
    policy: DecodePolicy
    size: int
    max_upscale: float
    facts: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides a face besides its photo.

        Landmarks may grow and be corrected: photos whose own are the same stay as they are.
        """
        return {k: v for k, v in self.facts.items() if not k.startswith("landmarks")}

    def is_current(self, record: Record, _: Path) -> bool:
        """Whether landmarks still say of a photo what its record says; models say the same."""
        try:
            found = self.faces.recall(Path(record.source.path))
        except ImageError:
            return False
        row = record.row
        return found is None or found.points.array().ravel().tolist() == [
            row.get(name) for name in _POINTS
        ]


def open_cutting(request: AlignmentRequest) -> Cutting:
    """Open what finds faces.

    Raises:
        click.UsageError: If it is unclear what that is.
        DataError: If the landmarks cannot be used.
        SettingsError: If the model cannot be used.
    """
    faces = open_faces(request.faces)
    facts = {"latentlab": __version__, **request.facts()}
    return Cutting(faces, request.decoding.policy(), request.size, request.max_upscale, facts)


def align_pictures(cutting: Cutting, plan: PicturePlan) -> Generator[Outcome, None, None]:
    """Align what is left, one by one, and yield what becomes of each picture."""
    make_directory(plan.layout.output / RECORDS)
    with ProgressBar(len(plan.left), "aligning", "picture") as bar:
        for job in plan.left:
            yield _aligned(job, cutting, plan.layout)
            bar.advance()


def _aligned(job: Job, cutting: Cutting, files: Layout) -> Outcome:
    path = job.picture
    try:
        source = _source(path)
        decoded = decode(path, policy=cutting.policy)
        face = cut_face(decoded.picture, path, cutting.faces, cutting.size, cutting.max_upscale)
    except ImageError as error:
        _withdraw(job, files)
        return refused(path, error)
    note = "; ".join(filter(None, [*decoded.notes, face.note]))
    (file,) = files.results(job.name)
    row = row_of(path, "ok", note, file=file.name, **_facts(face, decoded.picture.size))
    content = io.BytesIO()
    face.picture.save(content, format="PNG")
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    record = Record(cutting.identity, source, row, {file.name: digest})
    # The record before the picture: after a kill in between it is not done, but ours.
    file.unlink(missing_ok=True)
    record.write(files.record(job.name))
    with atomic_write(file) as temporary:
        temporary.write_bytes(content.getvalue())
    return finished(job.name, record)


def _withdraw(job: Job, files: Layout) -> None:
    """Remove what an earlier run has made of a picture, if it was one."""
    if files.record(job.name).exists():
        for file in (*files.results(job.name), files.record(job.name)):
            file.unlink(missing_ok=True)


def _source(path: Path) -> Source:
    try:
        return Source.of(path)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path}: cannot be read ({reason})") from error


def _facts(face: CutFace, size: tuple[int, int]) -> dict[str, Any]:
    points, quad = face.alignment.points.array(), face.alignment.quad
    facts: dict[str, Any] = {"width": size[0], "height": size[1], "scale": face.scale}
    facts |= dict(zip(_POINTS, points.ravel().tolist(), strict=True))
    return facts | dict(zip(_QUAD, quad.ravel().tolist(), strict=True))
