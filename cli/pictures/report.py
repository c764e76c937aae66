"""The report of a run: one row for each picture, written as they come."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cli.pictures.plan import PicturePlan
from cli.pictures.records import Record
from cli.reports.tables import MANIFEST, table_of, write_manifest, write_table
from cli.running.announcement import open_first
from cli.running.exit_codes import DIVERGED, PARTLY_BAD, leave
from cli.running.interrupt import unwind_on_sigterm
from cli.running.wording import told
from cli.text import counted, plain_text, say
from latentlab import ImageError, LatentlabError, NoFaceError, distributed
from latentlab.files import is_file, set_aside, sha256_of
from latentlab.foreign_files.opening import read_regular

COMPARISON = "comparison.png"  # of a projection: the picture beside it

_LARGEST_MANIFEST = 2**28  # bytes; some 300 for each file of a picture
_PAUSE = 5.0  # seconds between writes
_SHARE = 0.05  # of the time, at most, goes into writing; a report of many pictures takes a while


@dataclass(frozen=True)
class Outcome:
    """What has become of a picture, or of a source that holds none.

    Attributes:
        picture: Its path.
        row: Its row of the report.
        name: That of its results.
        record: What is said beside its results; None where it has none.
    """

    picture: str
    row: dict[str, Any]
    name: str = ""
    record: Record | None = None


def row_of(picture: Path | str, status: str, note: str, **facts: Any) -> dict[str, Any]:
    """Make a picture's row of a report."""
    first = {"picture": plain_text(picture), "status": status, "note": plain_text(note)}
    return first | facts


def finished(name: str, record: Record) -> Outcome:
    """Return the outcome of a picture whose results are there."""
    return Outcome(record.source.path, record.row, name, record)


def refused(picture: Path | str, error: LatentlabError, **facts: Any) -> Outcome:
    """Return the outcome of a picture that cannot be used."""
    status = "skipped" if isinstance(error, NoFaceError) else "refused"
    return Outcome(str(picture), row_of(picture, status, told(error), **facts))


class PictureReport:
    """Outcomes by picture, in the order of the plan, and the files that say so."""

    def __init__(
        self, plan: PicturePlan, failures: Mapping[str, ImageError], facts: dict[str, Any]
    ) -> None:
        """Begin with what earlier runs have done, and with ``failures``: sources of no pictures."""
        self.layout, self.facts = plan.layout, facts
        self.path = plan.layout.output / plan.layout.reports[0]
        self._outcomes: dict[str, Outcome | None] = {str(job.picture): None for job in plan.jobs}
        done = {job.name: job.done for job in plan.jobs if job.done is not None}
        for name, record in (done | plan.others).items():
            self.add(finished(name, record))
        for source, error in failures.items():
            self.add(refused(source, error, **facts))
        self._next = time.monotonic()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of what there is so far."""
        return [outcome.row for outcome in self._outcomes.values() if outcome is not None]

    @property
    def notes(self) -> list[str]:
        """Why pictures were left out so far."""
        return [row["note"] for row in self.rows if row["status"] != "ok"]

    @property
    def records(self) -> dict[str, Record]:
        """The records of all results, by name."""
        found = [each for each in self._outcomes.values() if each is not None]
        return {each.name: each.record for each in found if each.record is not None}

    def add(self, outcome: Outcome) -> None:
        """Take an outcome."""
        self._outcomes[outcome.picture] = outcome

    def write_if_due(self) -> None:
        """Write the table if the last time is long enough ago, and there are results."""
        if time.monotonic() >= self._next and self.records:
            self.write()

    def write(self) -> Path:
        """Write the table of what there is so far."""
        started = time.monotonic()
        write_table(self.table(), self.path)
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, (ended - started) / _SHARE)
        return self.path

    def table(self) -> pd.DataFrame:
        """Tabulate the rows."""
        return table_of(self.rows)

    def finish(self) -> None:
        """Write the table, other files about all pictures, and last the manifest."""
        files = {self.path.name: sha256_of(self.write())} | self.files()
        before, path = self.manifest(), self.layout.output / MANIFEST
        if not before and is_file(path):
            set_aside(path)  # nothing can be read from it
        if (before.get("settings"), before.get("files")) != (as_json(self.facts), files):
            write_manifest(self.layout.output, self.facts, files)

    def manifest(self) -> dict[str, Any]:
        """Read what an earlier run says of its files; empty where there is nothing to read."""
        try:
            found = json.loads(read_regular(self.layout.output / MANIFEST, _LARGEST_MANIFEST))
        except (OSError, ValueError, RecursionError):
            return {}
        fits = isinstance(found, dict) and isinstance(found.get("files"), dict)
        return found if fits else {}

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of all other files by their path in the output."""
        layout = self.layout
        return {
            (layout.folder(name).relative_to(layout.output) / file).as_posix(): digest
            for name, record in self.records.items()
            for file, digest in record.files.items()
        }

    def close(self, verb: str | None) -> None:
        """Say what was left out, and end the command with the code that says so.

        Args:
            verb: What has been done to the others, which is said first; None says nothing.
        """
        rows, notes = self.rows, self.notes
        if verb is not None and distributed.is_main():
            total = counted(len(rows), "picture")
            say(f"{len(rows) - len(notes)} of {total} {verb}; see {self.path}")
            for file in self.shown()[:1]:
                open_first(file)
        diverged = any(row["status"] == "diverged" for row in rows)
        leave(notes, DIVERGED if diverged else PARTLY_BAD)

    def shown(self) -> list[Path]:
        """Return what shows the results best: of each the comparison, or its only picture."""
        shown = [(name, COMPARISON if COMPARISON in record.files else next(iter(record.files)))
                 for name, record in self.records.items() if record.files]  # fmt: skip
        return [self.layout.folder(name) / file for name, file in shown]


def as_json(facts: dict[str, Any]) -> Any:
    """Return settings as they come back from a manifest."""
    return json.loads(json.dumps(facts))


def carry_out(outcomes: Generator[Outcome, None, None], report: PictureReport) -> None:
    """Do the work that ``outcomes`` stand for, and write the report of it.

    The caller holds the folder. Where processes work together, all must call it with the outcomes
    of their own; the main one writes. A run that is stopped leaves the table of what is done.
    """
    own = []
    with unwind_on_sigterm(), closing(outcomes):
        try:
            for outcome in outcomes:
                own.append(outcome)
                report.add(outcome)
                if distributed.is_main():
                    report.write_if_due()
        except BaseException:
            if distributed.is_main() and report.records:
                report.write()
            raise
        for others in distributed.gather(own):
            for outcome in others:
                report.add(outcome)
        if distributed.is_main():
            report.finish()
