"""Projecting what is left of a plan, batch by batch; each picture is whole on disk when done."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from latentlab.alignment import save_alignment
from torch import Tensor

from cli.folder_lock import claimed
from cli.interrupt import unwind_on_sigterm
from cli.progress import ProgressBar
from cli.projection_files import (
    ALIGNMENT,
    digests,
    measured,
    publish,
    remove_stages,
    staged,
    write_files,
)
from cli.projection_plan import Job, Plan
from cli.projection_records import Record
from cli.projection_report import ProjectionReport
from cli.target_reader import Target, TargetReader
from latentlab import (
    Generator,
    ImageError,
    NumericalError,
    Projection,
    ProjectorSettings,
    distributed,
    project,
)
from latentlab.perceptual import PerceptualDistance


@dataclass(frozen=True)
class Search:
    """How a batch is projected, and what in it decides the numbers."""

    g: Generator
    distance: PerceptualDistance
    settings: ProjectorSettings
    c: Tensor | None
    batch: int
    identity: dict[str, Any]


def first_usable(reader: TargetReader, plan: Plan, report: ProjectionReport) -> Target | None:
    """Read up to the first picture that can be projected; None if there is none left.

    Raises:
        ImageError: If no picture can be used, and none has been.
    """
    for job in plan.left:
        try:
            return reader(job.picture)
        except ImageError as error:
            report.refuse(job.picture, error)
    report.refuse_emptiness()
    return None


def run_projections(
    search: Search,
    reader: TargetReader,
    plan: Plan,
    report: ProjectionReport,
    output: Path,
    latents: str | None,
) -> None:
    """Project what is left, and write reports; a run that is stopped keeps what is done.

    Args:
        search: How a batch is projected.
        reader: Reads the pictures.
        plan: What there is to do.
        report: What has been done.
        output: Where all results go.
        latents: Name of the file for the latents of all pictures; None writes none.
    """
    with claimed(output), unwind_on_sigterm():
        if distributed.is_main():
            remove_stages(output)
        distributed.barrier()  # nobody makes a stage before the old ones are gone
        try:
            _Worker(search, reader, report, output).work_on(plan.batches(search.batch))
        except BaseException:
            if distributed.is_main() and report.has_results:
                report.write()
            raise
        for rows in distributed.gather(report.rows):
            report.merge(rows)
        if distributed.is_main():
            report.finish(latents)


class _Worker:
    """One process's part of a run."""

    def __init__(
        self, search: Search, reader: TargetReader, report: ProjectionReport, output: Path
    ) -> None:
        self._search, self._reader = search, reader
        self._report, self._output = report, output

    def work_on(self, batches: Sequence[Sequence[Job]]) -> None:
        """Project the pictures of this process's share of the batches."""
        steps = self._search.settings.steps
        hidden = not distributed.is_main()
        with ProgressBar(len(batches) * steps, "projecting", "step", hidden) as bar:
            for i, batch in enumerate(distributed.share(batches)):
                self._project(batch, bar)
                # The other processes are about as far as the one that shows it.
                bar.move_to(min((i + 1) * distributed.size(), len(batches)) * steps)

    def _project(self, batch: Sequence[Job], bar: ProgressBar) -> None:
        targets: dict[Path, tuple[Job, Target]] = {}
        with ExitStack() as stages:
            for job in batch:
                try:
                    target = self._reader(job.picture)
                except ImageError as error:
                    self._report.refuse(job.picture, error)
                else:
                    targets[stages.enter_context(staged(self._output))] = job, target
            if not targets:
                return
            started = time.perf_counter()
            try:
                result = self._search_for([target for _, target in targets.values()], bar)
            except NumericalError as error:
                for job, _ in targets.values():
                    self._report.diverge(job.picture, error)
                return
            seconds = (time.perf_counter() - started) / len(targets)
            for i, (stage, (job, target)) in enumerate(targets.items()):
                write_files(result, i, target.image, stage)
                numbers = {**measured(result, i, target.image), "seconds": seconds}
                self._finish(job, target, numbers, stage)

    def _search_for(self, targets: Sequence[Target], bar: ProgressBar) -> Projection:
        def show(_: int, distances: Tensor) -> None:
            bar.advance(distributed.size(), distance=float(distances.mean()))

        search = self._search
        images = torch.stack([target.image for target in targets])
        return project(
            search.g, images, search.distance, settings=search.settings, batch=len(images),
            c=search.c, progress=show,
        )  # fmt: skip

    def _finish(self, job: Job, target: Target, numbers: dict[str, Any], stage: Path) -> None:
        """Add what is known of the picture to its files, and let them appear."""
        if target.alignment is not None:
            save_alignment(stage / ALIGNMENT, target.alignment)
        row = self._report.row(job.picture, "ok", target.note, **target.facts, **numbers)
        record = Record(self._search.identity, target.source, row, digests(stage))
        publish(stage, record, job.folder)
        self._report.add(job, record)
