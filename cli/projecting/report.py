"""The report of a projection run: a row a picture, the latents of all, and the manifest."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from cli.pictures.choice import Choice
from cli.pictures.records import RECORD, Record, read_record
from cli.projecting.files import FILES, REPORT
from cli.projecting.latent_table import write_latents
from cli.projecting.plan import Job, Plan
from cli.reports.tables import write_manifest, write_table
from cli.text import counted, plain_text
from latentlab import ImageError, LatentlabError, NoFaceError
from latentlab.files import sha256_of

_PARTLY_BAD, _DIVERGED = 4, 5  # exit codes
_PAUSE = 5.0  # seconds between writes
_SHARE = 0.05  # of the time, at most, goes into writing; a report of many pictures takes a while


class ProjectionReport:
    """Rows by picture, written as they come, in the order of the plan.

    Attributes:
        rows: A row for each picture that is done or cannot be used, by its path.
    """

    def __init__(self, output: Path, choice: Choice, plan: Plan, facts: dict[str, Any]) -> None:
        """Begin with what earlier runs have done; ``facts`` are the settings of this one."""
        self._output, self._plan, self._facts = output, plan, facts
        self._records = {job.folder: job.done for job in plan.jobs if job.done is not None}
        self._records |= plan.others
        self._order = [*map(str, choice.names), *(r.source.path for r in plan.others.values())]
        self.rows = {record.source.path: record.row for record in self._records.values()}
        self._next = time.monotonic()
        for source, error in choice.failures.items():
            self._order.append(source)
            self.refuse(source, error)

    def row(self, picture: Path | str, status: str, note: str, **facts: Any) -> dict[str, Any]:
        """Make a picture's row."""
        first = {"picture": plain_text(picture), "status": status, "note": plain_text(note)}
        return {**first, **facts, **self._facts}

    def add(self, job: Job, record: Record) -> None:
        """Take a finished picture; writes the report if the last time is long enough ago."""
        self._records[job.folder] = record
        self.rows[record.source.path] = record.row
        if time.monotonic() >= self._next:
            self.write()

    def refuse(self, picture: Path | str, error: LatentlabError) -> None:
        """Take a picture that cannot be used."""
        status = "skipped" if isinstance(error, NoFaceError) else "refused"
        self.rows[str(picture)] = self.row(picture, status, str(error))

    def diverge(self, picture: Path, error: LatentlabError) -> None:
        """Take a picture whose projection left the finite numbers."""
        self.rows[str(picture)] = self.row(picture, "diverged", str(error))

    @property
    def left_out(self) -> list[str]:
        """Why pictures have no projection, or none that can be trusted."""
        rows = [self.rows[picture] for picture in self._order if picture in self.rows]
        return [row["note"] for row in rows if row["status"] != "ok"]

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        statuses = {row["status"] for row in self.rows.values()}
        return _DIVERGED if "diverged" in statuses else _PARTLY_BAD if statuses - {"ok"} else 0

    def told(self) -> str:
        """Say how many pictures are projected."""
        done = sum(row["status"] == "ok" for row in self.rows.values())
        return f"{done} of {counted(len(self.rows), 'picture')} projected"

    @property
    def has_results(self) -> bool:
        """Whether any picture is done."""
        return bool(self._records)

    def refuse_emptiness(self) -> None:
        """Raise ImageError if no picture is done, or can be."""
        notes = self.left_out
        if self._records or not notes:
            return
        if len(notes) == 1:
            raise ImageError(notes[0])
        raise ImageError(f"none of the {len(notes)} pictures can be used; first: {notes[0]}")

    def merge(self, rows: dict[str, dict[str, Any]]) -> None:
        """Take the rows of another process; its records are on disk."""
        self.rows |= rows
        for job in self._plan.jobs:
            record = None if job.folder in self._records else read_record(job.folder / RECORD)
            if record is not None and self.rows.get(str(job.picture)) == record.row:
                self._records[job.folder] = record

    def write(self) -> Path:
        """Write the report of what there is so far."""
        started = time.monotonic()
        rows = [self.rows[picture] for picture in self._order if picture in self.rows]
        path = self._output / REPORT
        write_table(pd.DataFrame(rows), path)
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, (ended - started) / _SHARE)
        return path

    def finish(self, latents: str | None) -> None:
        """Write the report, the latents of all pictures in one file, and last the manifest."""
        files = {REPORT: sha256_of(self.write())}
        done = {
            record.source.path: folder / FILES[0]
            for folder, record in sorted(self._records.items())
        }
        if latents is not None and done:
            path = self._output / latents
            names = [picture for picture in self._order if picture in done]
            write_latents(path, {name: done[name] for name in names}, self._facts)
            files[latents] = sha256_of(path)
        for folder, record in self._records.items():
            inside = folder.relative_to(self._output)
            files |= {(inside / name).as_posix(): digest for name, digest in record.files.items()}
            files[(inside / RECORD).as_posix()] = sha256_of(folder / RECORD)
        write_manifest(self._output, self._facts, files)
