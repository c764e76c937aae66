"""Projecting what is left of a plan, batch by batch; each picture is whole on disk when done."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cli.pictures.records import Record
from cli.projecting.files import (
    ALIGNMENT,
    MASK,
    digests,
    measured,
    publish,
    remove_stages,
    staged,
    write_files,
)
from cli.projecting.plan import Job, Plan
from cli.projecting.report import ProjectionReport
from cli.projecting.saved_latents import SavedStarts, together
from cli.projecting.targets import Target, TargetReader
from cli.projecting.video import VideoOrder, projection_videos
from cli.running.folder_lock import claimed
from cli.running.interrupt import unwind_on_sigterm
from cli.running.progress import ProgressBar
from latentlab import (
    Generator,
    ImageError,
    NumericalError,
    Projection,
    ProjectorSettings,
    distributed,
    project,
)
from latentlab.faces import save_alignment
from latentlab.images import save_image
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.start import ProjectionStart, StartSearch


@dataclass(frozen=True)
class Method:
    """How pictures are projected, and what of it decides the numbers."""

    g: Generator
    distance: PerceptualDistance
    settings: ProjectorSettings
    c: Tensor | None
    batch: int
    identity: dict[str, Any]
    saved: SavedStarts | None = None
    video: VideoOrder | None = None


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
    method: Method,
    reader: TargetReader,
    plan: Plan,
    report: ProjectionReport,
    output: Path,
    latents: str | None,
) -> None:
    """Project what is left, and write reports; a run that is stopped keeps what is done.

    Args:
        method: How pictures are projected.
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
        batches = plan.batches(method.batch)
        try:
            if batches:
                _Worker(method, reader, report, output).work_on(batches)
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
        self, method: Method, reader: TargetReader, report: ProjectionReport, output: Path
    ) -> None:
        self._method, self._reader = method, reader
        self._report, self._output = report, output
        self._starts = StartSearch(method.g, method.distance, method.settings, method.c)

    def work_on(self, batches: Sequence[Sequence[Job]]) -> None:
        """Project the pictures of this process's share of the batches."""
        steps = self._method.settings.steps
        hidden = not distributed.is_main()
        with ProgressBar(len(batches) * steps, "projecting", "step", hidden) as bar:
            for i, batch in enumerate(distributed.share(batches)):
                with ExitStack() as stages:
                    pieces = [self._read(job, stages) for job in batch]
                    self._project([piece for piece in pieces if piece is not None], bar)
                # The other processes are about as far as the one that shows it.
                bar.move_to(min((i + 1) * distributed.size(), len(batches)) * steps)

    def _read(self, job: Job, stages: ExitStack) -> "_Piece | None":
        """Read a picture and what goes with it; None if it cannot be used, which is reported."""
        try:
            target = self._reader(job.picture)
            saved = self._method.saved
            start = None if saved is None else saved.of(job.folder.name)
        except ImageError as error:
            self._report.refuse(job.picture, error)
            return None
        return _Piece(job, target, start, stages.enter_context(staged(self._output)))

    def _project(self, pieces: Sequence["_Piece"], bar: ProgressBar) -> None:
        if not pieces:
            return
        started = time.perf_counter()
        try:
            result = self._search(pieces, bar)
        except NumericalError as error:
            for piece in pieces:
                self._report.diverge(piece.job.picture, error)
            return
        seconds = (time.perf_counter() - started) / len(pieces)
        for i, piece in enumerate(pieces):
            self._finish(piece, result, i, seconds)

    def _search(self, pieces: Sequence["_Piece"], bar: ProgressBar) -> Projection:
        def show(_: int, distances: Tensor) -> None:
            bar.advance(distributed.size(), distance=float(distances.mean()))

        method = self._method
        images = torch.stack([piece.target.image for piece in pieces])
        masks = [piece.target.mask for piece in pieces if piece.target.mask is not None]
        starts = [piece.start for piece in pieces if piece.start is not None]
        with ExitStack() as videos:
            observe, close = None, None
            if method.video is not None:
                stages = [piece.stage for piece in pieces]
                observe, close = videos.enter_context(
                    projection_videos(method.video, stages, images, method.settings.steps)
                )
            result = project(
                method.g, images, method.distance, settings=method.settings, batch=len(images),
                c=method.c, progress=show, starts=self._starts, observer=observe,
                masks=torch.stack(masks) if masks else None,
                start=together(starts) if starts else None, on_divergence="keep",
            )  # fmt: skip
            if close is not None:
                close(result.images)
        return result

    def _finish(self, piece: "_Piece", result: Projection, index: int, seconds: float) -> None:
        """Write a picture's files, let them appear, and report it."""
        job, target, stage = piece.job, piece.target, piece.stage
        write_files(result, index, target.image, stage)
        if target.alignment is not None:
            save_alignment(stage / ALIGNMENT, target.alignment)
        if target.mask is not None:
            save_image(stage / MASK, target.mask * 2 - 1)
        numbers = {**measured(result, index, target.image), "seconds": seconds}
        status, note = "ok", target.note
        if bool(result.diverged[index]):
            status = "diverged"
            note = f"{job.picture}: the loss left the finite numbers; what is saved was best before"
        row = self._report.row(job.picture, status, note, **target.facts, **numbers)
        record = Record(self._method.identity, target.source, row, digests(stage))
        publish(stage, record, job.folder)
        self._report.add(job, record)


@dataclass(frozen=True)
class _Piece:
    """A picture that is being projected, and the folder for its files in the making."""

    job: Job
    target: Target
    start: ProjectionStart | None
    stage: Path
