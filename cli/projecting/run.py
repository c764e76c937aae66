"""Projecting what is left of a plan, batch by batch; each picture is whole on disk when done."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cli.pictures.plan import Job, Layout, PicturePlan
from cli.pictures.records import Record
from cli.pictures.report import Outcome, finished, refused, row_of
from cli.projecting.files import publish, remove_stages, staged, write_files
from cli.projecting.method import Method
from cli.projecting.plan import task_of
from cli.projecting.starts import together
from cli.projecting.targets import Target
from cli.projecting.video import projection_videos
from cli.running.announcement import announce
from cli.running.progress import ProgressBar
from cli.running.wording import told
from latentlab import ImageError, NumericalError, Projection, distributed, project
from latentlab.files import sha256_of
from latentlab.numerics import may_look
from latentlab.projection.start import ProjectionStart, StartSearch


def project_pictures(method: Method, plan: PicturePlan) -> Generator[Outcome, None, None]:
    """Project this process's share of what is left, and yield what becomes of each picture.

    All processes must call it.
    """
    if distributed.is_main():
        remove_stages(plan.layout.output)
    distributed.barrier()  # nobody makes a stage before the old ones are gone
    announce([task_of(method, plan)], method.facts["device"])
    batches = plan.batches(method.batch)
    if not batches:
        return
    search = StartSearch(method.g, method.distance, method.settings, method.c)
    steps, hidden = method.settings.steps, not distributed.is_main()
    unit, steps = ("step", steps) if steps else ("picture", 1)
    with ProgressBar(len(batches) * steps, "projecting", unit, hidden) as bar:
        worker = BatchWorker(method, plan.layout, search, bar)
        for i, batch in enumerate(distributed.share(batches)):
            # The other processes are about as far as the one that shows it.
            at_once = batches[i * distributed.size() : (i + 1) * distributed.size()]
            bar.rename(in_hand(plan, [job for each in at_once for job in each]))
            yield from worker.outcomes(batch)
            bar.move_to(min((i + 1) * distributed.size(), len(batches)) * steps)


def in_hand(plan: PicturePlan, jobs: Sequence[Job]) -> str:
    """Say which pictures are being projected: "picture 3 of 40", "pictures 9-16 of 40".

    Those that are done already, and computed again beside the others, are not.
    """
    numbers = [plan.numbers[job.picture] for job in jobs if job.done is None]
    return pictures_of(min(numbers), max(numbers), len(plan.jobs))


def pictures_of(first: int, last: int, total: int) -> str:
    """Number pictures for a progress bar: "picture 3 of 40", "pictures 9-16 of 40"."""
    return f"picture{'s' if last > first else ''} {first}{f'-{last}' * (last > first)} of {total}"


@dataclass(frozen=True)
class _Piece:
    """A picture that is being projected, and the folder for its files in the making."""

    job: Job
    target: Target
    start: ProjectionStart | None
    stage: Path


@dataclass(frozen=True)
class BatchWorker:
    """What projects one batch after the other."""

    method: Method
    layout: Layout
    search: StartSearch
    bar: ProgressBar

    def outcomes(self, batch: Sequence[Job]) -> Iterator[Outcome]:
        """Project the pictures of a batch, and yield what becomes of each that is not done."""
        with ExitStack() as stages:
            pieces = []
            for job in batch:
                try:
                    pieces.append(self._read(job, stages))
                except ImageError as error:
                    if job.done is None:
                        yield refused(job.picture, error, **self.method.facts)
            if any(piece.job.done is None for piece in pieces):
                together = [str(job.picture) for job in batch] if len(batch) > 1 else []
                yield from self._projected(pieces, together)

    def _read(self, job: Job, stages: ExitStack) -> _Piece:
        """Read a picture and what goes with it; raises ImageError if it cannot be used."""
        method, name = self.method, job.name or job.picture.stem
        target, starts = method.reader(job.picture), method.starts
        start = None if starts is None else starts.of(job.picture, name, target)
        return _Piece(job, target, start, stages.enter_context(staged(self.layout.output)))

    def _projected(self, pieces: Sequence[_Piece], batch: list[str]) -> Iterator[Outcome]:
        started = time.perf_counter()
        try:
            result = self._found(pieces)
        except NumericalError as error:
            for picture in (piece.job.picture for piece in pieces if piece.job.done is None):
                row = row_of(picture, "diverged", told(error), **self.method.facts)
                yield Outcome(str(picture), row)
            return
        seconds = (time.perf_counter() - started) / len(pieces)
        for i, piece in enumerate(pieces):
            if piece.job.done is None:
                yield self._published(piece, result, i, seconds, batch)

    def _found(self, pieces: Sequence[_Piece]) -> Projection:
        def show(step: int, distances: Tensor) -> None:
            looks = may_look(distances.device, step)
            numbers = {shown: float(distances.mean())} if looks else {}
            self.bar.advance(distributed.size(), **numbers)

        method = self.method
        images = torch.stack([piece.target.image for piece in pieces])
        masks = [piece.target.mask for piece in pieces if piece.target.mask is not None]
        shown = "mask_distance" if masks else "distance"
        starts = [piece.start for piece in pieces if piece.start is not None]
        video, fps, steps = method.request.video, method.request.fps, method.settings.steps
        files = [] if video is None else [piece.stage / video for piece in pieces]
        with projection_videos(files, fps, images, steps) as (observe, close):
            result = project(
                method.g, images, method.distance, settings=method.settings, batch=len(images),
                c=method.c, progress=show, search=self.search, observer=observe,
                masks=torch.stack(masks) if masks else None, identity=method.identity_network,
                start=together(starts) if starts else None, on_divergence="keep",
            )  # fmt: skip
            close(result.images)
        return result

    def _published(
        self, piece: _Piece, result: Projection, index: int, seconds: float, batch: list[str]
    ) -> Outcome:
        """Write a picture's files, and let them appear."""
        job, target, stage = piece.job, piece.target, piece.stage
        numbers = write_files(
            result, index, target.image, stage, target.alignment, target.mask, self.method.g.has_w
        )
        status, note = "ok", target.note
        if bool(result.diverged[index]):
            status = "diverged"
            note = f"{job.picture}: the loss became NaN or infinite; the best before that is saved"
        facts = {**target.facts, **numbers, "seconds": seconds, **self.method.facts}
        row = row_of(job.picture, status, note, **facts)
        digests = {path.name: sha256_of(path) for path in sorted(stage.iterdir())}
        record = Record(self.method.identity, target.source, row, digests, batch)
        publish(stage, record, self.layout.folder(job.name))
        return finished(job.name, record)
