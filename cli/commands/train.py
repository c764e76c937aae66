"""latentlab train: train a generator, or continue."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.options.training import TrainingRequest, training_options
from cli.running.interrupt import stop_on_signals
from cli.running.processes import joined_processes
from cli.running.progress import ProgressBar
from cli.text import say

if TYPE_CHECKING:
    from latentlab.datasets import Dataset
    from latentlab.training.config import TrainingConfig
    from latentlab.training.origin import Origin
    from latentlab.training.trainer import Losses, Trainer


@click.command()
@training_options
@joined_processes
def train(request: TrainingRequest) -> None:
    """Train a StyleGAN2, StyleGAN or Progressive GAN, or continue.

    The same command again continues where it stopped. DIR receives
    snapshot-IMAGES.safetensors (open it with every other command), fakes-IMAGES.png, log.csv
    with the losses, and contributions.csv and .png with the share of each resolution. Ctrl-C
    finishes the step and saves.

    \b
    Examples:
      latentlab train --data photos.zip --config stylegan2-f --mirror \\
          -o runs/photos
      latentlab train --data photos/ --resolution 256 --gamma 1 -o runs/small
      latentlab train --data faces/ --config stylegan1 --from ffhq.pkl \\
          --kimg 500 -o runs/faces
      latentlab train --data builtin:digits --config stylegan2-small --kimg 300 \\
          --snapshot-kimg 20 -o runs/digits
    """
    size = request.resolution
    if size is not None and size & (size - 1):
        raise click.BadParameter(f"{size} is no power of two", param_hint="--resolution")
    from cli.models import resolve_device
    from latentlab import distributed
    from latentlab.datasets import open_dataset
    from latentlab.training.trainer import Trainer

    place = resolve_device(request.device)
    dataset = open_dataset(request.data, size, int(request.channels), request.labels)
    config, origin = _config_for(request, dataset)
    if request.dry_run:
        facts = {"pictures": len(dataset), "seed": request.seed, "from": origin and origin.sha256}
        if distributed.is_main():
            click.echo(json.dumps({**facts, **asdict(config)}, indent=1))
    else:
        _run(Trainer(config, dataset, request.seed, place, origin), request)


def _config_for(
    request: TrainingRequest, dataset: "Dataset"
) -> "tuple[TrainingConfig, Origin | None]":
    """Return the config for the pictures, and what training starts from."""
    from latentlab.checkpoints import load
    from latentlab.training.origin import config_from, origin_of
    from latentlab.training.presets import ImageFormat, named_config

    images = ImageFormat(dataset.resolution, dataset.channels, dataset.c_dim)
    config = named_config(request.config_name, images).changed(
        request.batch, request.learning_rate, request.gamma, request.mirror
    )
    if request.origin_path is None:
        return config, None
    origin = origin_of(load(request.origin_path))
    return config_from(origin, config, images), origin


def _run(trainer: "Trainer", request: TrainingRequest) -> None:
    """Train with a progress bar; a signal ends the run after the step."""
    from cli.measuring.contributions import log_contributions
    from latentlab import distributed
    from latentlab.training.run import RunSettings
    from latentlab.training.run import train as run

    total, between = round(request.kimg * 1000), max(round(request.snapshot_kimg * 1000), 1)
    settings, main = RunSettings(request.output, total, between), distributed.is_main()
    with stop_on_signals() as stop, ProgressBar(total, "training", "img", not main) as bar:

        def on_step(trainer: "Trainer", losses: "Losses") -> None:
            bar.move_to(trainer.images_seen, **losses)

        last = run(trainer, settings, on_step, log_contributions, stop)
    if main:
        done = f"{request.output} has {trainer.images_seen / 1000:g} kimg already."
        say(f"Nothing left to do: {done}" if last is None else f"Saved {last}")
    if stop():
        raise click.exceptions.Exit(stop.exit_code)
