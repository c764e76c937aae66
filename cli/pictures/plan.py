"""Which file each aligned face goes into, and what is done already."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.pictures.choice import Choice, distinct
from cli.pictures.records import Record, read_record
from cli.reports.tables import MANIFEST, refuse_existing
from latentlab import OutputError
from latentlab.files import make_directory

REPORT = "alignment.csv"
RECORDS = ".alignment"  # a folder with a record a picture

_SUFFIX = ".png"


@dataclass(frozen=True)
class Job:
    """A photo, what its aligned face is called, and its record where it is done."""

    picture: Path
    name: str
    done: Record | None = None

    @property
    def file(self) -> str:
        """Name of the aligned picture."""
        return f"{self.name}{_SUFFIX}"


@dataclass(frozen=True)
class Plan:
    """All photos of a run, in order, and the records of earlier ones with the same settings."""

    output: Path
    jobs: list[Job]
    others: list[Record]

    @property
    def left(self) -> list[Job]:
        """The photos that are not done."""
        return [job for job in self.jobs if job.done is None]

    def file(self, job: Job) -> Path:
        """Return the place of a job's aligned face."""
        return self.output / job.file

    def record(self, job: Job) -> Path:
        """Return the place of a job's record."""
        return self.output / RECORDS / f"{job.name}.json"

    def begin(self) -> None:
        """Make the folders."""
        make_directory(self.output / RECORDS)

    def withdraw(self, job: Job) -> None:
        """Remove what an earlier run has made of a job, if it was one."""
        if self.record(job).exists():
            self.file(job).unlink(missing_ok=True)
            self.record(job).unlink()


def make_plan(
    choice: Choice,
    output: Path,
    identity: dict[str, Any],
    overwrite: bool,
    is_current: Callable[[Record], bool] = lambda record: True,
) -> Plan:
    """Give every photo its file, the same in every run, and find what is done.

    Args:
        choice: The photos; aligned faces among them are left out.
        output: Where all results go.
        identity: All that decides the pixels besides the photo.
        overwrite: Begin anew, and replace what is there.
        is_current: Whether what a record says of its photo's face still holds.

    Raises:
        OutputError: If something foreign, or of other settings, is in the way.
    """
    known = _records(output)
    own = {(output / f"{name}{_SUFFIX}").absolute() for name in known}
    known = {} if overwrite else known
    pictures = {path: name for path, name in choice.names.items() if path.absolute() not in own}
    named = {record.source.path: name for name, record in known.items()}
    new = {path: name for path, name in pictures.items() if str(path) not in named}
    taken = [*known, Path(REPORT).stem]
    new = dict(zip(new, distinct(new.values(), taken), strict=True))
    jobs = [Job(path, new[path] if path in new else named[str(path)]) for path in pictures]
    results = [output / job.file for job in jobs if job.name not in known]
    reports = [] if known or (output / RECORDS).is_dir() else [output / REPORT, output / MANIFEST]
    refuse_existing([*reports, *results], overwrite, keep=list(pictures))
    for job in jobs:
        _refuse_mixing(output, job, known.get(job.name), identity)
    names = {job.name for job in jobs}
    others = [each for name, each in known.items() if name not in names]
    current = {name: each for name, each in known.items() if is_current(each)}
    jobs = [_checked(output, job, current.get(job.name)) for job in jobs]
    return Plan(output, jobs, [each for each in others if each.identity == identity])


def _records(output: Path) -> dict[str, Record]:
    records = {path.stem: read_record(path) for path in sorted((output / RECORDS).glob("*.json"))}
    return {name: record for name, record in records.items() if record is not None}


def _refuse_mixing(output: Path, job: Job, record: Record | None, identity: dict[str, Any]) -> None:
    difference = "" if record is None else record.difference(identity)
    if difference:
        raise OutputError(
            f"{output / job.file} is of a run with other settings ({difference}); use --overwrite, "
            "or another --output"
        )


def _checked(output: Path, job: Job, record: Record | None) -> Job:
    """Return the job with its record if its files are there, and its photo has not changed."""
    if record is None or not record.is_complete(output):
        return job
    return Job(job.picture, job.name, record) if record.source.is_still(job.picture) else job
