"""Aligning what is left of a plan; each picture is whole on disk when done."""

import hashlib
import io
from collections.abc import Generator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cli.options.pictures import AlignmentRequest
from cli.pictures.choice import Choice
from cli.pictures.faces import CutFace, FaceSource, cut_face
from cli.pictures.plan import Job, Layout, PicturePlan, make_plan
from cli.pictures.records import Record, opened_picture, set_damaged_aside, without_landmarks
from cli.pictures.report import Outcome, PictureReport, finished, refused, row_of
from cli.reports.tables import MANIFEST, table_of
from cli.running.announcement import announce
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from latentlab import ImageError, __version__
from latentlab.faces import FacePoints
from latentlab.files import atomic_write, make_directory
from latentlab.images import decode

REPORT = "alignment.csv"
RECORDS = ".alignment"  # a folder with one record for each picture

_POINTS = [f"{each.name}_{axis}" for each in fields(FacePoints) for axis in "xy"]
_QUAD = [f"quad_{axis}{i}" for i in range(4) for axis in "xy"]
COLUMNS = ["picture", "status", "note", "file", "width", "height", "scale", *_POINTS, *_QUAD]


class AlignmentReport(PictureReport):
    """The report of an alignment, whose table can serve as landmarks."""

    def table(self) -> pd.DataFrame:
        """Tabulate the rows: the same columns whatever there is in them."""
        return table_of(self.rows, COLUMNS)


class Cutting:
    """How faces are cut out of photos, and what reports say of it."""

    def __init__(self, request: AlignmentRequest) -> None:
        """Open what finds faces; raises as ``FaceSource``."""
        self.request, self.faces = request, FaceSource(request.faces)
        self.policy = request.decoding.policy()
        self.facts = {"latentlab": __version__, **request.facts()}
        self.identity = without_landmarks(self.facts)

    def plan(self, choice: Choice, output: Path, overwrite: bool) -> PicturePlan:
        """Plan to put faces side by side, with their records in a folder of their own.

        The faces that earlier runs have put there are not taken for photos.
        """
        files = Layout(
            output, [REPORT, MANIFEST], f"{RECORDS}/*.json", ["*.png"], [Path(REPORT).stem],
            (output / RECORDS).is_dir(),
        )  # fmt: skip
        own = {path.absolute() for name in files.names() for path in files.results(name)}
        names = {path: name for path, name in choice.names.items() if path.absolute() not in own}
        choice = replace(choice, names=names)
        plan = make_plan(choice, files, self.identity, overwrite, self.is_current)
        self.faces.check(choice.names)
        return plan

    def is_current(self, record: Record, _: Path) -> bool:
        """Whether landmarks still say of a photo what its record says; models say the same."""
        try:
            found = self.faces.recall(Path(record.source.path))
        except ImageError:
            return False
        known = [record.row.get(name) for name in _POINTS]
        return found is None or found.points.array().ravel().tolist() == known


def task_of(plan: PicturePlan) -> Task:
    """Return what is left to do, in words."""
    return Task("Aligning", len(plan.left), "photo")


def align_pictures(cutting: Cutting, plan: PicturePlan) -> Generator[Outcome, None, None]:
    """Align what is left, one by one, and yield what becomes of each picture."""
    make_directory(plan.layout.output / RECORDS)
    announce([task_of(plan)], "cpu")
    with ProgressBar(len(plan.left), "aligning", "picture") as bar:
        for job in plan.left:
            yield _aligned(job, cutting, plan.layout)
            bar.advance()


def _aligned(job: Job, cutting: Cutting, files: Layout) -> Outcome:
    path, request = job.picture, cutting.request
    try:
        with opened_picture(path) as (source, file):
            decoded = decode(file, str(path), cutting.policy)
        face = cut_face(decoded.picture, path, cutting.faces, request.size, request.max_upscale)
    except ImageError as error:
        _withdraw(job, files)
        return refused(path, error)
    note = "; ".join(filter(None, [*decoded.notes, face.note]))
    (result,) = files.results(job.name)
    row = row_of(path, "ok", note, file=result.name, **_facts(face, decoded.picture.size))
    content = io.BytesIO()
    face.picture.save(content, format="PNG")
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    record = Record(cutting.identity, source, row, {result.name: digest})
    # The record before the picture: after a kill in between it is not done, but ours.
    result.unlink(missing_ok=True)
    set_damaged_aside(files.record(job.name))
    record.write(files.record(job.name))
    with atomic_write(result) as temporary:
        temporary.write_bytes(content.getvalue())
    return finished(job.name, record)


def _withdraw(job: Job, files: Layout) -> None:
    """Remove what an earlier run has made of a picture, if it was one."""
    set_damaged_aside(files.record(job.name))
    if files.record(job.name).exists():
        for file in (*files.results(job.name), files.record(job.name)):
            file.unlink(missing_ok=True)


def _facts(face: CutFace, size: tuple[int, int]) -> dict[str, Any]:
    places = [*face.alignment.points.array().ravel(), *face.alignment.quad.ravel()]
    facts = {"width": size[0], "height": size[1], "scale": face.scale}
    return facts | dict(zip([*_POINTS, *_QUAD], map(float, places), strict=True))
