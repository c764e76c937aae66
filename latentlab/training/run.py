"""A training run in a folder: log, image grids, snapshots, and continuing where it stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from latentlab import images
from latentlab.errors import DataError, ImageError
from latentlab.files import make_directory
from latentlab.latents import draw_z
from latentlab.numerics import Stream
from latentlab.training.log import TrainingLog
from latentlab.training.snapshots import resume, save_networks, save_optimizer
from latentlab.training.trainer import Losses, Trainer

_GRID_SIDE = 8
_RENDERED = 8  # images at once, which also fits memory at 1024x1024
_LOG_SPAN = 32  # iterations a row

OnStep = Callable[[Trainer, Losses], None]
OnSnapshot = Callable[[Trainer, Path], None]


@dataclass(frozen=True)
class RunSettings:
    """Where and how long to train, and how often to write."""

    folder: Path
    total_images: int
    snapshot_images: int  # images between snapshots


def train(
    trainer: Trainer,
    settings: RunSettings,
    on_step: OnStep | None = None,
    on_snapshot: OnSnapshot | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train until ``total_images`` were shown, continuing from the newest snapshot in the folder.

    Args:
        trainer: A fresh trainer; its state is replaced where the folder has a snapshot.
        settings: Folder and lengths.
        on_step: Called after every iteration, as for a progress bar.
        on_snapshot: Called with the checkpoint's path after every snapshot.
        should_stop: Asked after every iteration; true saves a snapshot and ends the run.

    Returns:
        The path of the last snapshot written, or None if there was nothing left to do.
    """
    folder = make_directory(settings.folder)
    log = resume(trainer, folder) or TrainingLog(_LOG_SPAN)
    if not trainer.step:
        _save_reals(trainer, folder)
    written = None
    while trainer.images_seen < settings.total_images:
        before, started = trainer.images_seen, time.perf_counter()
        try:
            losses = trainer.run_step()
        except (ImageError, DataError):  # mended, the same command continues from here
            _save(trainer, log, folder, on_snapshot)
            raise
        seconds = time.perf_counter() - started
        lod = trainer.lod if trainer.discriminator.growing else None
        if log.add(trainer.step, trainer.images_seen, losses, seconds, lod):
            log.write(folder)
        if on_step is not None:
            on_step(trainer, losses)
        stopping = should_stop() or trainer.images_seen >= settings.total_images
        spans = [seen // settings.snapshot_images for seen in (before, trainer.images_seen)]
        if stopping or spans[0] < spans[1]:
            written = _save(trainer, log, folder, on_snapshot)
        if stopping:
            break
    return written


def _save(trainer: Trainer, log: TrainingLog, folder: Path, on_snapshot: OnSnapshot | None) -> Path:
    """Write checkpoint, images and what the callback adds; the optimiser last, as commit point."""
    path = save_networks(trainer, folder)
    _save_fakes(trainer, folder)
    if on_snapshot is not None:
        on_snapshot(trainer, path)
    save_optimizer(trainer, log, path)
    return path


def _save_fakes(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the averaged generator's images for latents that stay the same all run."""
    count, generator = _GRID_SIDE**2, trainer.ema_generator
    z = draw_z(range(count), generator.z_dim, trainer.seed, Stream.SAMPLE_GRID).to(trainer.device)
    labels = [trainer.dataset.label(i % len(trainer.dataset)) for i in range(count)]
    c = torch.stack(labels).to(trainer.device)
    with torch.no_grad():
        rows = zip(z.split(_RENDERED), c.split(_RENDERED), strict=True)
        fakes = torch.cat([generator(*row).cpu() for row in rows])
    name = f"fakes-{trainer.images_seen:09d}.png"
    images.save_image(folder / name, images.grid(fakes, _GRID_SIDE))


def _save_reals(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the first real images."""
    count = min(_GRID_SIDE**2, len(trainer.dataset))
    reals = torch.stack([trainer.dataset.image(i) for i in range(count)])
    images.save_image(folder / "reals.png", images.grid(reals, _GRID_SIDE))
