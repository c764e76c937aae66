"""A training run in words: what it learns from, with what, where it begins, and how far it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cli.running.announcement import place_in_words, time_of
from cli.running.estimates import Task
from cli.text import colours_in_words, counted, plain_text
from latentlab.checkpoints.assemble import build_network
from latentlab.datasets import Dataset
from latentlab.networks.generator import ImageGenerator
from latentlab.networks.stylegan1_config import ProGANConfig
from latentlab.training.config import TrainingConfig
from latentlab.training.trainer import Trainer

# Of the generator with derivatives, that take as long as the discriminator's part as well: both
# networks are about as large, and the discriminator sees real pictures, too.
_PASSES = 5


@dataclass(frozen=True)
class TrainingRun:
    """What the command line asks for, as far as it is told.

    Attributes:
        data: As the command line names it.
        config_name: The config.
        origin: The checkpoint that the networks come from, if any.
        total: Pictures to be shown in all.
        output: The folder.
        place: The device.
        seed: Of the run.
    """

    data: str
    config_name: str
    origin: str | None
    total: int
    output: Path
    place: str
    seed: int

    def facts(self, trainer: Trainer) -> dict[str, str]:
        """Return what a page says of the settings, by name."""
        config, dataset = trainer.config, trainer.dataset
        facts = {
            "Data": f"{plain_text(self.data)}: {data_in_words(dataset)}",
            "Config": config_in_words(self.config_name, config),
            "Generator": generator_in_words(config),
            "Loss": config.loss,
            "Batch": batch_in_words(config),
            "Learning rate": f"{config.phase(trainer.images_seen).learning_rate:g}",
            "R1 gamma": f"{config.r1_gamma:g}" if config.r1_gamma else "none",
            "Mirrored at random": "yes" if config.mirror else "no",
            "Seed": str(self.seed),
            "Device": place_in_words(self.place),
        }
        if self.origin is not None:
            facts["From"] = plain_text(self.origin)
        return facts

    def opening_lines(self, trainer: Trainer) -> list[str]:
        """Say what is trained on what, on which device, and where it begins."""
        config = config_in_words(self.config_name, trainer.config)
        origin = "" if self.origin is None else f", from {plain_text(self.origin)}"
        guess = time_of([self.task(trainer)])
        return [
            f"{self.data_line(trainer)}.",
            f"Training {config}{origin}, batch {batch_in_words(trainer.config)}, on "
            f"{place_in_words(self.place)}{'' if guess is None else f': {guess}'}.",
            self.begins(trainer.images_seen),
        ]

    def data_line(self, trainer: Trainer) -> str:
        """Say what the data is: "photos.zip: 70,000 pictures, 256x256, colour, no labels"."""
        return f"{plain_text(self.data)}: {data_in_words(trainer.dataset)}"

    def task(self, trainer: Trainer) -> Task:
        """Return what is left to do; how long it takes is judged by a grown generator alone."""
        config = config_in_words(self.config_name, trainer.config)
        left = max(self.total - trainer.images_seen, 0)
        g = cast(ImageGenerator, build_network(trainer.config.generator)).to(trainer.device)
        more = f" to be shown, batch {batch_in_words(trainer.config)}"
        return Task(f"Training {config}:", left, "picture", g, _PASSES, more, gradients=True,
                    batch=trainer.config.batch)  # fmt: skip

    def begins(self, images: int) -> str:
        """Say where the run begins."""
        if images:
            return f"Continuing from snapshot {kimg(images)} ({self.progress(images)})."
        return f"Beginning at picture 0 of {kimg(self.total)} kimg, in {plain_text(self.output)}."

    def progress(self, images: int) -> str:
        """Say how far the run is: "640 kimg of 25,000"."""
        return f"{kimg(images)} kimg of {kimg(self.total)}"


def kimg(images: int) -> str:
    """Write pictures in thousands, without zeros at the end: "25,000", "0.016"."""
    text = f"{images / 1000:,.3f}"
    return text.rstrip("0").rstrip(".")


def data_in_words(dataset: Dataset) -> str:
    """Say what a training set is."""
    size = f"{dataset.resolution}x{dataset.resolution}"
    labels = f"labels of length {dataset.c_dim}" if dataset.c_dim else "no labels"
    pictures = counted(len(dataset), "picture")
    others = f" ({counted(dataset.left_out, 'other file')} left out)" if dataset.left_out else ""
    return f"{pictures}{others}, {size}, {colours_in_words(dataset.channels)}, {labels}"


def config_in_words(name: str, config: TrainingConfig) -> str:
    """Name a config, and say whether its networks grow."""
    return name if config.growth is None else f"{name} (growing)"


def generator_in_words(config: TrainingConfig) -> str:
    """Say what the rows of the papers' tables differ in: styles, mapping network and mixing."""
    generator = config.generator
    if isinstance(generator, ProGANConfig):
        return "Progressive GAN"
    kind = getattr(generator, "architecture", "style-based")
    if not getattr(generator, "styles", True):
        kind = "traditional"
    count = generator.mapping_layers
    layers = counted(count, "mapping layer") if count else "no mapping network"
    mixed = f", {100 * config.mixing_probability:g} % mixed styles" if generator.num_ws > 1 else ""
    return f"{kind}, {layers}{mixed}"


def batch_in_words(config: TrainingConfig) -> str:
    """Say how many pictures a step takes; growing networks take fewer as they grow."""
    return " to ".join(map(str, sorted({min(config.batches()), max(config.batches())})))
