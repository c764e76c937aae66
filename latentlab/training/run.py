"""A training run in a folder: log, image grids, snapshots, and continuing where it stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from latentlab import images
from latentlab.files import make_directory
from latentlab.latents import draw_z
from latentlab.training.log import TrainingLog
from latentlab.training.snapshots import resume, save_snapshot
from latentlab.training.trainer import StepResult, Trainer

_STREAM_GRID = 20
_GRID_SIDE = 8
_LOG_SPAN = 32  # iterations a row

OnStep = Callable[[Trainer, StepResult], None]
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
        save_reals(trainer, folder)
    written = None
    while trainer.images_seen < settings.total_images:
        before, started = trainer.images_seen, time.perf_counter()
        result = trainer.run_step()
        seconds = time.perf_counter() - started
        if log.add(trainer.step, trainer.images_seen, result.losses, seconds):
            log.write(folder / "log.csv")
        if on_step is not None:
            on_step(trainer, result)
        stopping = should_stop() or trainer.images_seen >= settings.total_images
        crossed = (
            before // settings.snapshot_images < trainer.images_seen // settings.snapshot_images
        )
        if crossed or stopping:
            written = save_snapshot(trainer, log, folder)
            save_fakes(trainer, folder)
            if on_snapshot is not None:
                on_snapshot(trainer, written)
        if stopping:
            break
    return written


def save_fakes(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the averaged generator's images for latents that stay the same all run."""
    count, generator = _GRID_SIDE**2, trainer.ema_generator
    z = draw_z(range(count), generator.z_dim, trainer.seed, _STREAM_GRID).to(trainer.device)
    labels = [trainer.dataset.label(i % len(trainer.dataset)) for i in range(count)]
    with torch.no_grad():
        fakes = generator(z, torch.stack(labels).to(trainer.device))
    name = f"fakes-{trainer.images_seen:09d}.png"
    images.save_image(folder / name, images.grid(fakes.cpu(), _GRID_SIDE))


def save_reals(trainer: Trainer, folder: Path) -> None:
    """Write a grid of the first real images."""
    count = min(_GRID_SIDE**2, len(trainer.dataset))
    reals = torch.stack([trainer.dataset.image(i) for i in range(count)])
    images.save_image(folder / "reals.png", images.grid(reals, _GRID_SIDE))
