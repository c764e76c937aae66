"""A training run in a folder: log, image grids, snapshots, and continuing where it stopped."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from latentlab import distributed, images
from latentlab.errors import DataError, ImageError, SettingsError
from latentlab.files import make_directory
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from latentlab.training import snapshots
from latentlab.training.log import TrainingLog
from latentlab.training.trainer import Losses, Trainer

GRID_SIDE = 8
_RENDERED = 8  # images at once, which also fits memory at 1024x1024
_LOG_SPAN = 32  # iterations in one row
_LOG_SECONDS = 60.0  # between writings of the log, at most, besides the time of an iteration

OnStep = Callable[[Trainer, Losses], None]
OnStart = Callable[[Trainer], None]
OnSnapshot = Callable[[Trainer, Path], None]


@dataclass(frozen=True)
class RunSettings:
    """Where and how long to train, and how often to write."""

    folder: Path
    total_images: int
    snapshot_images: int  # images between snapshots
    force: bool = False  # continue a run with other settings or data, or of another version


def train(
    trainer: Trainer,
    settings: RunSettings,
    on_step: OnStep | None = None,
    on_snapshot: OnSnapshot | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_start: OnStart | None = None,
) -> Path | None:
    """Train until ``total_images`` have been shown, from the newest snapshot in the folder on.

    Several processes train together, and the main one writes; all must see the folder.

    Args:
        trainer: A fresh trainer; its state is replaced where the folder has a snapshot.
        settings: Folder and lengths.
        on_step: Called after every iteration, as for a progress bar.
        on_snapshot: Called with the checkpoint's path after every snapshot, on every process.
        should_stop: Asked after every iteration; true on any process saves a snapshot and ends
            the run.
        on_start: Called when the trainer is where the run begins or continues.

    Returns:
        The path of the last snapshot written, or None if there was nothing left to do.
    """
    folder = make_directory(settings.folder)
    if distributed.is_main():
        snapshots.tidy(folder)
    log = snapshots.resume(trainer, folder, settings.force) or TrainingLog(_LOG_SPAN)
    _check_alike(trainer, folder)
    if not trainer.step and distributed.is_main():
        _save_reals(trainer, folder)
    if on_start is not None:
        on_start(trainer)
    written, logged = None, time.monotonic()
    while trainer.images_seen < settings.total_images:
        before, started = trainer.images_seen, time.perf_counter()
        try:
            losses = trainer.run_step()
        except (ImageError, DataError) as error:  # once mended, the same command continues
            _save(trainer, log, folder, on_snapshot, unread=error.message)
            raise
        seconds = time.perf_counter() - started
        lod = trainer.lod if trainer.discriminator.growing else None
        row = log.add(trainer.step, trainer.images_seen, losses, seconds, lod)
        if row or time.monotonic() - logged >= _LOG_SECONDS:
            _write_log(trainer, log, folder)
            logged = time.monotonic()
        if on_step is not None:
            on_step(trainer, losses)
        stopping = distributed.any_of(should_stop()) or trainer.images_seen >= settings.total_images
        spans = [seen // settings.snapshot_images for seen in (before, trainer.images_seen)]
        if stopping or spans[0] < spans[1]:
            written = _save(trainer, log, folder, on_snapshot)
        if stopping:
            break
    return written


def _save(
    trainer: Trainer,
    log: TrainingLog,
    folder: Path,
    on_snapshot: OnSnapshot | None,
    unread: str = "",
) -> Path:
    """Write checkpoint, images and what the callback adds; the optimiser last, as commit point.

    ``unread`` says which picture has ended the run: the data may be mended before it goes on.
    """
    path = snapshots.networks_path(trainer, folder)
    _write_log(trainer, log, folder)
    if distributed.is_main():
        snapshots.save_networks(trainer, folder, unread)
        _save_fakes(trainer, folder)
    if on_snapshot is not None:
        on_snapshot(trainer, path)
    if distributed.is_main():
        snapshots.save_optimizer(trainer, log, path, unread)
    distributed.barrier()  # nobody ends, and with it torchrun the others, before all is saved
    return path


def _write_log(trainer: Trainer, log: TrainingLog, folder: Path) -> None:
    if distributed.is_main():
        log.write(folder, trainer.images_seen)


def _check_alike(trainer: Trainer, folder: Path) -> None:
    """Raise SettingsError unless all processes start from the same place and weights."""
    if distributed.size() == 1:
        return
    digest = hashlib.sha256(json.dumps(snapshots.describe(trainer), sort_keys=True).encode())
    for network in (trainer.generator, trainer.discriminator, trainer.ema_generator):
        for value in network.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
    starts = distributed.gather((trainer.images_seen, digest.hexdigest()))
    for number, start in enumerate(starts):
        if start != starts[0]:
            raise SettingsError(
                f"{folder}: process {number} starts from {start[0]} images and process 0 from "
                f"{starts[0][0]}, or with other data or weights; all machines must see the same "
                "folder and data, and have the same latentlab and PyTorch"
            )


def _save_fakes(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the averaged generator's images for latents that stay the same all run."""
    count, generator = GRID_SIDE**2, trainer.ema_generator
    z = draw_z(range(count), generator.z_dim, trainer.seed, Stream.SAMPLE_GRID).to(trainer.device)
    labels = [trainer.dataset.label(i % len(trainer.dataset)) for i in range(count)]
    c = torch.stack(labels).to(trainer.device)
    with torch.no_grad():
        rows = zip(z.split(_RENDERED), c.split(_RENDERED), strict=True)
        fakes = torch.cat([generator(*row).cpu() for row in rows])
    name = f"fakes-{trainer.images_seen:09d}.png"
    images.save_image(folder / name, images.grid(fakes, GRID_SIDE))


def _save_reals(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the first real images."""
    count = min(GRID_SIDE**2, len(trainer.dataset))
    reals = torch.stack([trainer.dataset.image(i) for i in range(count)])
    images.save_image(folder / "reals.png", images.grid(reals, GRID_SIDE))
