"""latentlab train: train a generator, or continue."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.common import device_option, dry_run_option, output_option, seed_option
from cli.options.values import FiniteFloat
from cli.running.interrupt import stop_on_signals
from cli.running.processes import joined_processes
from cli.running.progress import ProgressBar
from cli.text import say

if TYPE_CHECKING:
    from latentlab.training.trainer import Losses, Trainer


# fmt: off
@click.command()
@click.option("--data", required=True, metavar="DIR|ZIP|builtin:digits",
              help="Training pictures; dataset.json inside gives labels.")
@click.option("--config", "config_name", default="stylegan2-f", show_default=True, metavar="NAME",
              help="stylegan2-a to stylegan2-f, stylegan1, stylegan1-wgan, progan; for small "
                   "pictures stylegan2-small, stylegan1-small, progan-small.")
@click.option("--from", "origin_path", metavar="CKPT",
              help="Start from the networks of a checkpoint; the config gives losses and rates.")
@click.option("--kimg", type=FiniteFloat(min=0, min_open=True), default=25000,
              show_default=True, metavar="N", help="Length, in thousands of real pictures shown.")
@click.option("--snapshot-kimg", type=FiniteFloat(min=0, min_open=True), default=200,
              show_default=True, metavar="N", help="Thousands of pictures between snapshots.")
@click.option("--resolution", type=click.IntRange(4, 4096), metavar="N",
              help="Crop and resize pictures to this; default: size of the first.")
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True,
              help="Grey or colour.")
@click.option("--labels", is_flag=True, help="Train a conditional model on the data's labels.")
@click.option("--mirror", is_flag=True, help="Flip pictures at random.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Default: the config's.")
@click.option("--gamma", type=FiniteFloat(min=0), metavar="WEIGHT",
              help="Weight of the R1 penalty; default: the config's.")
@click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), metavar="RATE",
              help="Default: the config's.")
@seed_option("Seed of weights, order of pictures, and noise.")
@dry_run_option
@output_option
@device_option
@joined_processes
def train(
    data: str,
    config_name: str,
    origin_path: str | None,
    kimg: float,
    snapshot_kimg: float,
    resolution: int | None,
    channels: str,
    labels: bool,
    mirror: bool,
    batch: int | None,
    gamma: float | None,
    learning_rate: float | None,
    seed: int,
    dry_run: bool,
    output: Path,
    device: str,
) -> None:
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
    from cli.measuring.contributions import log_contributions
    from cli.models import resolve_device
    from latentlab import distributed
    from latentlab.checkpoints import load
    from latentlab.datasets.pictures import open_dataset
    from latentlab.training.origin import config_from, origin_of
    from latentlab.training.presets import ImageFormat, named_config
    from latentlab.training.run import RunSettings
    from latentlab.training.run import train as run
    from latentlab.training.trainer import Trainer

    if resolution is not None and resolution & (resolution - 1):
        raise click.BadParameter(f"{resolution} is no power of two", param_hint="--resolution")
    place = resolve_device(device)
    dataset = open_dataset(data, resolution, int(channels), labels)
    images = ImageFormat(dataset.resolution, dataset.channels, dataset.c_dim)
    config = named_config(config_name, images).changed(batch, learning_rate, gamma, mirror)
    origin = None if origin_path is None else origin_of(load(origin_path))
    if origin is not None:
        config = config_from(origin, config, images)
    if dry_run:
        facts = {"pictures": len(dataset), "seed": seed, "from": origin and origin.sha256}
        if distributed.is_main():
            click.echo(json.dumps({**facts, **asdict(config)}, indent=1))
        return
    trainer = Trainer(config, dataset, seed, place, origin)
    settings = RunSettings(output, round(kimg * 1000), max(round(snapshot_kimg * 1000), 1))
    with (
        stop_on_signals() as stop,
        ProgressBar(settings.total_images, "training", "img", not distributed.is_main()) as bar,
    ):

        def on_step(trainer: "Trainer", losses: "Losses") -> None:
            bar.move_to(trainer.images_seen, **losses)

        last = run(trainer, settings, on_step, log_contributions, stop)
    if distributed.is_main():
        done = f"{output} has {trainer.images_seen / 1000:g} kimg already."
        say(f"Nothing left to do: {done}" if last is None else f"Saved {last}")
    if stop():
        raise click.exceptions.Exit(stop.exit_code)
# fmt: on
