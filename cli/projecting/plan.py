"""Which folder each picture's projection goes into, and what is done already."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.pictures.choice import Choice, distinct
from cli.pictures.records import RECORD, Record, read_record
from cli.projecting.files import FILES, REPORT
from cli.reports.tables import refuse_existing
from latentlab import OutputError


@dataclass(frozen=True)
class Job:
    """A picture, the folder for its results, and its record where it is done."""

    picture: Path
    folder: Path
    done: Record | None = None


@dataclass(frozen=True)
class Plan:
    """All pictures of a run, in order.

    Attributes:
        jobs: The pictures.
        others: Records of earlier runs with the same settings, of pictures that are not among
            the jobs, by folder.
    """

    jobs: list[Job]
    others: dict[Path, Record]

    @property
    def left(self) -> list[Job]:
        """The pictures that are not done."""
        return [job for job in self.jobs if job.done is None]

    def batches(self, size: int) -> list[list[Job]]:
        """What is left in batches, cut where a run from the beginning cuts them."""
        slices = [self.jobs[start : start + size] for start in range(0, len(self.jobs), size)]
        left = [[job for job in batch if job.done is None] for batch in slices]
        return [batch for batch in left if batch]


def make_plan(
    choice: Choice,
    output: Path,
    identity: dict[str, Any],
    overwrite: bool,
    reports: Sequence[Path],
    is_current: Callable[[Path, Path], bool] = lambda picture, folder: True,
) -> Plan:
    """Give every picture its folder, and find what is done.

    The results of a file that was named alone go into ``output`` itself, others into a folder
    each, which is the same in every run.

    Args:
        choice: The pictures.
        output: Where all results go.
        identity: All that decides the numbers besides the picture and the device.
        overwrite: Begin anew, and replace what is there.
        reports: Files that the run writes besides those of the pictures.
        is_current: Tells of a picture and its folder whether what is there can stay.

    Raises:
        OutputError: If something of another run, or foreign, is in the way.
    """
    identity = json.loads(json.dumps(identity))  # as it comes back from a record
    refuse_existing([output / RECORD], overwrite=True)  # an ``output`` that is no folder
    found = _records(output, choice.alone)
    jobs = _assigned(choice, output, {} if overwrite else found, [*reports, output / RECORD])
    if overwrite:
        _refuse_replacing(jobs, choice, reports, overwrite)
        return Plan(jobs, {})
    _refuse_mixing(jobs, found, identity, output)
    ours = {  # with one identity for all, as there may be many
        folder: replace(record, identity=identity)
        for folder, record in found.items()
        if record.identity == identity
    }
    new = [job for job in jobs if job.folder not in ours]
    _refuse_replacing(new, choice, [] if ours else reports, overwrite)
    known = {job.folder for job in jobs}
    others = {folder: record for folder, record in ours.items() if folder not in known}
    return Plan([_checked(job, ours.get(job.folder), is_current) for job in jobs], others)


def _records(output: Path, alone: bool) -> dict[Path, Record]:
    # Not those of stages, which a kill has left behind complete perhaps, but never in their place.
    paths = [output / RECORD] if alone else sorted(output.glob(f"[!.]*/{RECORD}"))
    records = {path.parent: read_record(path) for path in paths}
    return {folder: record for folder, record in records.items() if record is not None}


def _assigned(
    choice: Choice, output: Path, found: dict[Path, Record], reserved: Sequence[Path]
) -> list[Job]:
    """Return the pictures with their folders: those that they have, or new ones."""
    if choice.alone:
        return [Job(picture, output) for picture in choice.names]
    folders = {record.source.path: folder for folder, record in found.items()}
    new = {path: name for path, name in choice.names.items() if str(path) not in folders}
    taken = [each.name for each in (*folders.values(), *reserved)]
    named = dict(zip(new, distinct(new.values(), taken), strict=True))
    return [
        Job(path, output / named[path] if path in named else folders[str(path)])
        for path in choice.names
    ]


def _refuse_mixing(
    jobs: Sequence[Job], found: dict[Path, Record], identity: dict[str, Any], output: Path
) -> None:
    """Refuse to continue a run of other settings, or of another picture."""
    for job in jobs:
        record = found.get(job.folder)
        if record is None:
            continue
        if record.source.path != str(job.picture):
            raise OutputError(
                f"{output / REPORT} is of another picture, {record.source.path}; use --overwrite, "
                "or another --output"
            )
        if difference := record.difference(identity):
            raise OutputError(
                f"{job.folder} is of a run with other settings ({difference}); use --overwrite, or "
                "another --output"
            )


def _refuse_replacing(
    jobs: Sequence[Job], choice: Choice, reports: Sequence[Path], overwrite: bool
) -> None:
    """Refuse to replace what is there, unless asked, and the pictures themselves in any case."""
    results = [job.folder / n for job in jobs if job.folder.exists() for n in (*FILES, RECORD)]
    refuse_existing([*reports, *results], overwrite, keep=list(choice.names))


def _checked(job: Job, record: Record | None, is_current: Callable[[Path, Path], bool]) -> Job:
    """Return the job with its record if all files are there, and nothing has changed since."""
    if record is None or not record.is_complete(job.folder):
        return job
    stays = record.source.is_still(job.picture) and is_current(job.picture, job.folder)
    return replace(job, done=record) if stays else job
