"""Where each picture's results go, and what is done already."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.pictures.choice import Choice, distinct
from cli.pictures.records import Record, look_at_record
from cli.reports.tables import refuse_existing
from cli.text import say
from latentlab import OutputError, distributed

_NAMED = 10  # damaged records


@dataclass(frozen=True)
class Layout:
    """Where the results of a run go; in patterns, * stands for the name of a picture.

    Without it they are those of a single picture, whose name is empty.

    Attributes:
        output: The folder for all of them.
        reports: Names of the files about all pictures; that of the table comes first.
        pattern: Where a picture's record is.
        files: Where a picture's files may be; those that it has lie beside the first.
        reserved: Names that no picture's results may have.
        is_begun: Whether an earlier run has been here, even if it has finished no picture.
    """

    output: Path
    reports: Sequence[str]
    pattern: str
    files: Sequence[str]
    reserved: Sequence[str]
    is_begun: bool = False

    def names(self) -> list[str]:
        """Return the names of the pictures that have a record; hidden folders are no results."""
        before, _, after = self.pattern.partition("*")
        found = sorted(self.output.glob(self.pattern))
        names = [path.relative_to(self.output).as_posix() for path in found]
        names = [name.removeprefix(before).removesuffix(after) for name in names]
        return [name for name in names if not name.startswith(".")]

    def record(self, name: str) -> Path:
        """Return the file of a picture's record."""
        return self.output / self.pattern.replace("*", name)

    def results(self, name: str) -> list[Path]:
        """Return the files that a picture may have."""
        return [self.output / file.replace("*", name) for file in self.files]

    def folder(self, name: str) -> Path:
        """Return the folder of a picture's files."""
        return self.results(name)[0].parent


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

    @cached_property
    def numbers(self) -> dict[Path, int]:
        """The number of each picture, from 1; looked up for every batch."""
        return {job.picture: number for number, job in enumerate(self.jobs, 1)}

    def batches(self, size: int) -> list[list[Job]]:
        """Return what is left in batches, as the run that began it cut them.

        What is computed together decides the last digits. Of a batch that was stopped half-way,
        what is done is computed once more beside what is left, see ``Record.batch``. No batch of
        the others was begun: cut in their order, they are those of a run from the beginning.
        """
        jobs = {str(job.picture): job for job in self.jobs}
        begun = {tuple(job.done.batch): None for job in self.jobs if job.done is not None}
        batches, taken = [], set[str]()
        for names in (names for names in begun if len(names) <= size):
            known = [name for name in names if name in jobs and name not in taken]
            taken |= {*known}
            batches.append([jobs[name] for name in known])
        rest = [job for job in self.left if str(job.picture) not in taken]
        batches += [rest[start : start + size] for start in range(0, len(rest), size)]
        left = [batch for batch in batches if any(job.done is None for job in batch)]
        return sorted(left, key=lambda batch: self.numbers[batch[0].picture])


def make_plan(
    choice: Choice,
    layout: Layout,
    identity: dict[str, Any],
    overwrite: bool,
    is_current: Callable[[Record, Path], bool],
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
    tables = [layout.output / name for name in layout.reports]
    refuse_existing(tables, overwrite=True)  # an output that is no folder
    names = [] if overwrite else layout.names()
    read = {name: look_at_record(layout.record(name)) for name in names}
    damaged = {name for name, (_, is_damaged) in read.items() if is_damaged}
    found = {name: record for name, (record, _) in read.items()
             if record is not None and name not in damaged}  # fmt: skip
    jobs = _named(choice, layout, found)
    _say_damaged(layout, [job.name for job in jobs if job.name in damaged])
    for job in jobs:
        if job.name in found:
            _refuse_mixing(layout, job, found[job.name], identity)
    ours = {  # with one identity for all, as there may be many
        name: replace(record, identity=identity)
        for name, record in found.items()
        if record.identity == identity
    }
    if not overwrite and (ours or damaged or layout.is_begun):
        tables = []
    new = [job.name for job in jobs if job.name not in ours and job.name not in damaged]
    new = [name for name in new if layout.folder(name).exists()]
    results = [file for name in new for file in layout.results(name)]
    refuse_existing([*tables, *results], overwrite, keep=list(choice.names))
    again = [file for name in damaged for file in layout.results(name)]
    refuse_existing(again, overwrite=True, keep=list(choice.names))  # inputs never are
    known = {job.name for job in jobs}
    others = {name: record for name, record in ours.items() if name not in known}
    jobs = [_checked(layout, job, ours.get(job.name), is_current) for job in jobs]
    return PicturePlan(layout, jobs, others)


def _say_damaged(layout: Layout, names: Sequence[str]) -> None:
    """Say which pictures' records are damaged; they are set aside once the pictures are done."""
    for name in names[:_NAMED] if distributed.is_main() else ():
        say(f"{layout.record(name)} is damaged: it is set aside, and the picture is done again.")
    if len(names) > _NAMED and distributed.is_main():
        say(f"So are {len(names) - _NAMED:,} more.")


def _named(choice: Choice, layout: Layout, found: Mapping[str, Record]) -> list[Job]:
    """Return the pictures with the names that their results have, or new ones."""
    if "*" not in layout.pattern:
        return [Job(picture, "") for picture in choice.names]
    names = {record.source.path: name for name, record in found.items()}
    new = {path: name for path, name in choice.names.items() if str(path) not in names}
    new = dict(zip(new, distinct(new.values(), [*found, *layout.reserved]), strict=True))
    return [Job(path, new[path] if path in new else names[str(path)]) for path in choice.names]


def _refuse_mixing(layout: Layout, job: Job, record: Record, identity: dict[str, Any]) -> None:
    """Refuse to continue a run with other settings, or of another picture."""
    advice = ["use --overwrite", "give another `output`"]
    if record.source.path != str(job.picture):
        table = layout.output / layout.reports[0]
        raise OutputError(
            f"{table} belongs to another picture, {record.source.path}", advice=advice
        )
    if difference := record.difference(identity):
        file = layout.results(job.name)[0]
        raise OutputError(
            f"{file} belongs to a run with other settings ({difference})", advice=advice
        )


def _checked(
    layout: Layout, job: Job, record: Record | None, is_current: Callable[[Record, Path], bool]
) -> Job:
    """Return the job with its record if all files are there, and nothing has changed since."""
    folder = layout.folder(job.name)
    stays = (
        record is not None
        and all((folder / name).is_file() for name in record.files)
        and record.source.is_still(job.picture)
        and is_current(record, folder)
    )
    return replace(job, done=record) if stays else job
