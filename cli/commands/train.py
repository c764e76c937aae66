"""latentlab train: train a generator, or continue."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import common
from cli.options.option import Option
from cli.options.values import FiniteFloat
from cli.running.interrupt import stop_on_signals
from cli.running.processes import joined_processes
from cli.running.training_bar import TrainingBar
from cli.text import plain_text, say

if TYPE_CHECKING:
    from cli.reports.training import TrainingRun
    from latentlab.datasets import Dataset
    from latentlab.networks.config import Architecture
    from latentlab.training.config import Loss, TrainingConfig
    from latentlab.training.origin import Origin
    from latentlab.training.trainer import Losses, Trainer

ARCHITECTURES = ["orig", "skip", "resnet"]
# Options that make networks, which a checkpoint brings with it.
_OF_NETWORKS = (
    "mapping_layers", "generator_architecture", "discriminator_architecture", "channel_base",
    "channel_max",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingRequest:
    """What training is given: the data, the config and what changes it, the length of the run."""

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
    loss: "Loss | None"
    mapping_layers: int | None
    mixing_probability: float | None
    generator_architecture: "Architecture | None"
    discriminator_architecture: "Architecture | None"
    channel_base: int | None
    channel_max: int | None
    growth_kimg: float | None
    seed: int
    force: bool
    dry_run: bool
    output: Path
    device: str


_options = common.grouped_options("request", TrainingRequest, (
    click.option("--data", required=True, metavar="DIR|ZIP|builtin:digits",
                 help="Training pictures; dataset.json inside gives labels."),
    click.option("--config", "config_name", default="stylegan2-f", show_default=True,
                 metavar="NAME",
                 help="stylegan2-a to stylegan2-f, stylegan1-a to stylegan1-f, stylegan1, "
                      "stylegan1-wgan, progan; for small pictures stylegan2-small, "
                      "stylegan1-small, progan-small."),
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
    click.option("--channels", type=click.Choice(["1", "3", "4"]), default="3", show_default=True,
                 help="Grey, colour, or colour with alpha."),
    click.option("--conditional", "labels", cls=Option, old=["--labels"], is_flag=True,
                 help="Train a conditional model on the data's labels."),
    click.option("--mirror", is_flag=True, help="Flip pictures at random."),
    click.option("--batch", type=click.IntRange(min=1), metavar="N",
                 help="Pictures per step; default: the config's."),
    click.option("--gamma", type=FiniteFloat(min=0), metavar="WEIGHT",
                 help="Weight of the R1 penalty; default: the config's."),
    click.option("--learning-rate", type=FiniteFloat(min=0, min_open=True), metavar="RATE",
                 help="Learning rate of Adam; default: the config's."),
    click.option("--loss", type=click.Choice(["logistic", "wgan-gp"]),
                 help="Loss, and the penalty that goes with it; default: the config's."),
    click.option("--mapping-layers", type=click.IntRange(0, 8), metavar="N",
                 help="Layers of the mapping network, 0 for w = z normalised; default: the "
                      "config's."),
    click.option("--mixing-probability", type=FiniteFloat(0, 1), metavar="SHARE",
                 help="How often styles of two z are mixed; default: the config's."),
    click.option("--generator-architecture", type=click.Choice(ARCHITECTURES),
                 help="Of StyleGAN2's generator; default: the config's."),
    click.option("--discriminator-architecture", type=click.Choice(ARCHITECTURES),
                 help="Of StyleGAN2's discriminator; default: the config's."),
    click.option("--channel-base", type=click.IntRange(4, 2**24), metavar="N",
                 help="Feature maps times resolution, of both networks; default: the config's."),
    click.option("--channel-max", type=click.IntRange(1, 8192), metavar="N",
                 help="Feature maps at most, of both networks; default: the config's."),
    click.option("--growth-kimg", type=FiniteFloat(min=0, min_open=True), metavar="N",
                 help="Thousands of pictures at each resolution of growing networks, and of "
                      "blending to the next; default: the config's."),
    common.seed_option("Seed of the weights, the order of the pictures, and the noise."),
    click.option("--force", is_flag=True,
                 help="Continue the run in DIR although settings, data or latentlab's version are "
                 "others; its networks must be the same. manifest.json says what differs."),
    common.dry_run_option,
    common.output_option,
    common.device_option,
))  # fmt: skip


@click.command()
@_options
@joined_processes
def train(request: TrainingRequest) -> None:
    """Train a StyleGAN or Progressive GAN, or continue.

    The same command again continues where it stopped. DIR receives
    snapshot-IMAGES.safetensors (open it with every other command), fakes-IMAGES.png, log.csv
    with the losses, contributions.csv and .png with the share of each resolution,
    report.html: the losses and the fakes over time, up to the last snapshot, and manifest.json.
    Ctrl-C finishes the step and saves.

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
        raise click.BadParameter(f"{size} is not a power of two", param_hint="--resolution")
    from cli.models import resolve_device
    from cli.reports.training import TrainingRun
    from cli.running.folder_lock import claimed
    from cli.threads import is_small, settle_threads
    from latentlab import distributed
    from latentlab.datasets import open_dataset
    from latentlab.training.trainer import Trainer

    with claimed(request.output, dry_run=request.dry_run):
        if distributed.is_main():
            say(f"Opening {plain_text(request.data)} ...")
        place = resolve_device(request.device)
        dataset = open_dataset(request.data, size, int(request.channels), request.labels)
        config, origin = _config_for(request, dataset)
        trainer = Trainer(config, dataset, request.seed, place, origin)
        settle_threads(is_small(trainer.generator))
        told = TrainingRun(
            request.data, request.config_name, request.origin_path, round(request.kimg * 1000),
            request.output, place, request.seed,
        )  # fmt: skip
        if not request.dry_run:
            _run(trainer, request, told)
        elif distributed.is_main():
            _tell(trainer, told, request.force)


def _written(trainer: "Trainer") -> "tuple[str, ...]":
    """Return the names of the files that a run writes again and again."""
    from cli.measuring.contributions import PLOT, TABLE, has_shares
    from cli.reports.training_page import FILES

    return (*FILES, *((TABLE, PLOT) if has_shares(trainer) else ()))


def _tell(trainer: "Trainer", told: "TrainingRun", force: bool) -> None:
    """Print what would be trained, from where the folder's last snapshot is."""
    from cli.measuring.work import end
    from cli.reports.dry_run import DryRun, tell_dry_run
    from cli.reports.tables import MANIFEST
    from cli.reports.training_manifest import refuse_foreign
    from cli.running.wording import told as words
    from latentlab.training.snapshots import resume

    names = _written(trainer)
    refuse_foreign(told.output, names)
    resume(trainer, told.output, force, look_only=True)
    files = [told.output / name for name in (*names, MANIFEST)]
    origin = [] if told.origin is None else [f"networks of {plain_text(told.origin)}"]
    inputs = [told.data_line(trainer), *origin, told.begins(trainer.images_seen)]
    facts = {"pictures": len(trainer.dataset), "seed": told.seed, "from": trainer.origin_sha256}
    refused = [plain_text(words(error)) for error in trainer.dataset.problems()]
    plan = DryRun(
        [told.task(trainer)], told.output, files, told.place, inputs=inputs, refused=refused
    )
    tell_dry_run(plan, {**facts, **asdict(trainer.config)})
    end(refused)


def _config_for(
    request: TrainingRequest, dataset: "Dataset"
) -> "tuple[TrainingConfig, Origin | None]":
    """Return the config for the pictures, and what training starts from."""
    from cli.fetching import fetch_first
    from latentlab.checkpoints import load
    from latentlab.training.changes import NetworkChanges
    from latentlab.training.origin import config_from, origin_of
    from latentlab.training.presets import ImageFormat, named_config

    images = ImageFormat(dataset.resolution, dataset.channels, dataset.c_dim)
    config = named_config(request.config_name, images).changed(
        request.batch, request.learning_rate, request.gamma, request.mirror,
        request.growth_kimg, request.loss,
    )  # fmt: skip
    networks = {name: getattr(request, name) for name in _OF_NETWORKS}
    origin = None
    if request.origin_path is None:
        config = NetworkChanges(**networks).applied_to(config)
    else:
        given = [name for name, value in networks.items() if value is not None]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise click.UsageError(f"{option} does not go with --from, whose networks stay as "
                                   "they are.")  # fmt: skip
        fetch_first(request.origin_path)
        origin = origin_of(load(request.origin_path))
        config = config_from(origin, config, images)
    if request.mixing_probability is not None:
        config = config.mixing(request.mixing_probability)
    return config, origin


def _run(trainer: "Trainer", request: TrainingRequest, told: "TrainingRun") -> None:
    """Train with a progress bar; a signal ends the run after the step."""
    from cli.measuring.contributions import log_contributions
    from cli.reports.training_manifest import refuse_foreign, write_training_manifest
    from cli.reports.training_page import write_training_page
    from latentlab import distributed
    from latentlab.training.run import RunSettings
    from latentlab.training.run import train as run

    total, between = told.total, max(round(request.snapshot_kimg * 1000), 1)
    settings = RunSettings(request.output, total, between, request.force)
    main, names = distributed.is_main(), _written(trainer)
    distributed.from_main(lambda: refuse_foreign(request.output, names))
    with stop_on_signals() as stop, TrainingBar(total, not main) as bar:

        def on_start(trainer: "Trainer") -> None:
            if trainer.images_seen < total:
                for line in told.opening_lines(trainer) if main else []:
                    say(line)
                if main:  # also that the files are this command's, if it is stopped
                    write_training_manifest(trainer, told, names)
                bar.begin(trainer.images_seen)

        def on_step(trainer: "Trainer", losses: "Losses") -> None:
            bar.move_to(trainer.images_seen, losses)

        def on_snapshot(trainer: "Trainer", snapshot: Path) -> None:
            log_contributions(trainer, snapshot)
            if main:
                write_training_page(trainer, told)
                write_training_manifest(trainer, told, names)

        last = run(trainer, settings, on_step, on_snapshot, stop, on_start)
    if main:
        _say_end(trainer, told, last)
    if stop():
        raise click.exceptions.Exit(stop.exit_code)


def _say_end(trainer: "Trainer", told: "TrainingRun", last: Path | None) -> None:
    """Say what was saved, or that nothing was left to do, and where to look."""
    from cli.reports.training_page import PAGE, write_training_page

    done = f"{told.output} has {trainer.images_seen / 1000:g} kimg already."
    say(f"Nothing left to do: {done}" if last is None else f"Saved {last}")
    if not (told.output / PAGE).exists():  # a run of an earlier version
        write_training_page(trainer, told)
    say(f"Open {told.output / PAGE}")
