"""The options of training, as one request."""

from dataclasses import dataclass
from pathlib import Path

import click

from cli.options.common import (
    device_option,
    dry_run_option,
    grouped_options,
    output_option,
    seed_option,
)
from cli.options.values import FiniteFloat


@dataclass(frozen=True)
class TrainingRequest:
    """What training is told: the data, the config and what changes it, the length of the run."""

    data: str
    config_name: str
    origin_path: str | None
    kimg: float
    snapshot_kimg: float
    resolution: int | None
    channels: str
    labels: bool
    mirror: bool
    batch: int | None
    gamma: float | None
    learning_rate: float | None
    seed: int
    dry_run: bool
    output: Path
    device: str


training_options = grouped_options("request", TrainingRequest, (
    click.option("--data", required=True, metavar="DIR|ZIP|builtin:digits",
                 help="Training pictures; dataset.json inside gives labels."),
    click.option("--config", "config_name", default="stylegan2-f", show_default=True,
                 metavar="NAME",
                 help="stylegan2-a to stylegan2-f, stylegan1, stylegan1-wgan, progan; for small "
                      "pictures stylegan2-small, stylegan1-small, progan-small."),
    click.option("--from", "origin_path", metavar="CKPT",
                 help="Start from the networks of a checkpoint; the config gives losses and "
                 "rates."),
    click.option("--kimg", type=FiniteFloat(min=0, min_open=True), default=25000,
                 show_default=True, metavar="N",
                 help="Length, in thousands of real pictures shown."),
    click.option("--snapshot-kimg", type=FiniteFloat(min=0, min_open=True), default=200,
                 show_default=True, metavar="N", help="Thousands of pictures between snapshots."),
    click.option("--resolution", type=click.IntRange(4, 4096), metavar="N",
                 help="Crop and resize pictures to this; default: the size of the first."),
    click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True,
                 help="Grey or colour."),
    click.option("--labels", is_flag=True, help="Train a conditional model on the data's labels."),
    click.option("--mirror", is_flag=True, help="Flip pictures at random."),
    click.option("--batch", type=click.IntRange(min=1), metavar="N",
                 help="Pictures in a step; default: the config's."),
    click.option("--gamma", type=FiniteFloat(min=0), metavar="WEIGHT",
                 help="Weight of the R1 penalty; default: the config's."),
    click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), metavar="RATE",
                 help="Step size of Adam; default: the config's."),
    seed_option("Seed of the weights, the order of the pictures, and the noise."),
    dry_run_option,
    output_option,
    device_option,
))  # fmt: skip
