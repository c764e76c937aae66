"""Where each picture's results go, and what is done already."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.pictures.choice import Choice, distinct
from cli.pictures.records import Record, read_record
from cli.reports.tables import refuse_existing
from latentlab import OutputError


@dataclass(frozen=True)
class Layout(ABC):
    """Where the results of a run go, by the name of each picture.

    Attributes:
        output: The folder for all results.
        alone: Whether those of a single picture go into it as they are, under no name.
    """

    output: Path
    alone: bool = False

    @property
    @abstractmethod
    def reports(self) -> list[Path]:
        """The files that are about all pictures; the table comes first."""

    @property
    @abstractmethod
    def reserved(self) -> list[str]:
        """Names that no picture's results may have."""

    @property
    def is_begun(self) -> bool:
        """Whether an earlier run has been here, even if it finished no picture."""
        return False

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the pictures that have a record."""

    @abstractmethod
    def folder(self, name: str) -> Path:
        """Return the folder of a picture's files."""

    @abstractmethod
    def record(self, name: str) -> Path:
        """Return the file of a picture's record."""

    @abstractmethod
    def results(self, name: str) -> list[Path]:
        """Return the files that a picture's results may replace."""

    def place(self, name: str) -> Path:
        """Return what stands for a picture's results in a message."""
        return self.folder(name)


@dataclass(frozen=True)
class Job:
    """A picture, the name of its results, and its record where it is done."""

    picture: Path
    name: str
    done: Record | None = None


@dataclass(frozen=True)
class PicturePlan:
    """All pictures of a run, in order.

    Attributes:
        layout: Where their results go.
        jobs: The pictures.
        others: Records, by name, of earlier runs with the same settings, of pictures that are
            not among the jobs.
    """

    layout: Layout
    jobs: list[Job]
    others: dict[str, Record]

    @property
    def left(self) -> list[Job]:
        """The pictures that are not done."""
        return [job for job in self.jobs if job.done is None]

    @property
    def done(self) -> int:
        """How many of the pictures are done."""
        return len(self.jobs) - len(self.left)

    def batches(self, size: int) -> list[list[Job]]:
        """Return what is left in batches, cut where a run from the beginning cuts them."""
        slices = [self.jobs[start : start + size] for start in range(0, len(self.jobs), size)]
        left = [[job for job in batch if job.done is None] for batch in slices]
        return [batch for batch in left if batch]


def make_plan(
    choice: Choice,
    layout: Layout,
    identity: dict[str, Any],
    overwrite: bool,
    is_current: Callable[[Record, Path], bool] = lambda record, folder: True,
) -> PicturePlan:
    """Give every picture its place, the same in every run, and find what is done.

    Args:
        choice: The pictures.
        layout: Where results go.
        identity: All that decides them besides the picture and the device.
        overwrite: Begin anew, and replace what is there.
        is_current: Whether what a record says of its picture still holds, given the folder of
            its files.

    Raises:
        OutputError: If something of another run, or foreign, is in the way.
    """
    identity = json.loads(json.dumps(identity))  # as it comes back from a record
    refuse_existing(layout.reports[:1], overwrite=True)  # an output that is no folder
    found = {} if overwrite else _records(layout)
    jobs = _named(choice, layout, found)
    for job in jobs:
        _refuse_mixing(layout, job, found.get(job.name), identity)
    ours = {  # with one identity for all, as there may be many
        name: replace(record, identity=identity)
        for name, record in found.items()
        if record.identity == identity
    }
    reports = [] if not overwrite and (ours or layout.is_begun) else layout.reports
    results = [file for job in jobs if job.name not in ours for file in layout.results(job.name)]
    refuse_existing([*reports, *results], overwrite, keep=list(choice.names))
    known = {job.name for job in jobs}
    others = {name: record for name, record in ours.items() if name not in known}
    jobs = [_checked(layout, job, ours.get(job.name), is_current) for job in jobs]
    return PicturePlan(layout, jobs, others)


def _records(layout: Layout) -> dict[str, Record]:
    records = {name: read_record(layout.record(name)) for name in layout.names()}
    return {name: record for name, record in records.items() if record is not None}


def _named(choice: Choice, layout: Layout, found: Mapping[str, Record]) -> list[Job]:
    """Return the pictures with the names that their results have, or new ones."""
    if layout.alone:
        return [Job(picture, "") for picture in choice.names]
    names = {record.source.path: name for name, record in found.items()}
    new = {path: name for path, name in choice.names.items() if str(path) not in names}
    new = dict(zip(new, distinct(new.values(), [*found, *layout.reserved]), strict=True))
    return [Job(path, new[path] if path in new else names[str(path)]) for path in choice.names]


def _refuse_mixing(
    layout: Layout, job: Job, record: Record | None, identity: dict[str, Any]
) -> None:
    """Refuse to continue a run of other settings, or of another picture."""
    if record is None:
        return
    hint = "use --overwrite, or another --output"
    if record.source.path != str(job.picture):
        raise OutputError(
            f"{layout.reports[0]} is of another picture, {record.source.path}; {hint}"
        )
    if difference := record.difference(identity):
        place = layout.place(job.name)
        raise OutputError(f"{place} is of a run with other settings ({difference}); {hint}")


def _checked(
    layout: Layout, job: Job, record: Record | None, is_current: Callable[[Record, Path], bool]
) -> Job:
    """Return the job with its record if all files are there, and nothing has changed since."""
    folder = layout.folder(job.name)
    if record is None or not record.is_complete(folder):
        return job
    stays = record.source.is_still(job.picture) and is_current(record, folder)
    return replace(job, done=record) if stays else job
