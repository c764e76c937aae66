"""Print what the updates of StyleGAN2's training cost on this machine, as JSON lines.

    python -m benchmarks.training [--threads 1] [--repeats 5] [--quick]

Two networks, both at 32x32: of published width (512 feature maps, batch 4) and the bundled digits'
(64 feature maps, batch 32). For each: the update of G and that of its path length, the update of D
and that of R1, the averaging of G, and ``lazy``, what an iteration takes on average with path
length in every 4th and R1 in every 16th. Seconds of the processor and of the clock, each the
minimum of repeats in turn. ``pictures`` are PNG files that are fetched and decoded.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from latentlab.datasets import open_dataset
from latentlab.datasets.pictures import DigitsDataset
from latentlab.images import save_image
from latentlab.networks.convolutions.differentiable import for_training
from latentlab.training.config import TrainingConfig
from latentlab.training.parallel import Rows
from latentlab.training.presets import ImageFormat, named_config
from latentlab.training.trainer import Trainer

_CONFIGS = {"512 maps": ("stylegan2-e", 4), "64 maps": ("stylegan2-small", 32)}
_PICTURE_SIZES = (64, 128, 256)

Update = Callable[[], object]


def updates(trainer: Trainer) -> dict[str, Update]:
    """Return the parts of an iteration, each to be called alone."""
    phase, rng = trainer.config.phase(0), torch.Generator().manual_seed(0)
    reals, rows = trainer._reals(phase), Rows(phase.batch)

    def with_step(step: int, update: Update) -> Update:
        def run() -> None:
            trainer.step = step  # regularisers are due at 0, and not at 1
            for_training()(update)()

        return run

    return {
        "g_main": with_step(1, lambda: trainer._train_generator(phase, rng, {})),
        "g_path_length": with_step(0, lambda: trainer._regularise_path_length(phase, rng, {})),
        "d_main": with_step(1, lambda: trainer._train_discriminator(phase, reals, rng, {})),
        "d_r1": with_step(0, lambda: trainer._regularise_r1(rows, reals, {})),
        "average": with_step(0, lambda: trainer._average_generator(phase)),
    }


def minima(functions: dict[str, Update], repeats: int) -> dict[str, tuple[float, float]]:
    """Return the least seconds of processor and clock of each, run in turn after a warm-up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            used, started = time.process_time(), time.perf_counter()
            function()
            if repeat:
                times[name].append((time.process_time() - used, time.perf_counter() - started))
    return {name: tuple(map(min, zip(*rows, strict=True))) for name, rows in times.items()}  # type: ignore[misc]


def with_lazy(figures: dict[str, float], config: TrainingConfig) -> dict[str, float]:
    """Add what an iteration takes on average."""
    lazy = figures["g_main"] + figures["d_main"] + figures["average"]
    lazy += figures["g_path_length"] / config.path_length_interval
    lazy += figures["d_r1"] / config.r1_interval
    return {name: round(value, 4) for name, value in {**figures, "lazy": lazy}.items()}


def measured_updates(name: str, batch: int, repeats: int) -> dict[str, object]:
    """Measure the updates of a config."""
    config = replace(named_config(name, ImageFormat(32, 3, 0)), batch=batch)
    took = minima(updates(Trainer(config, DigitsDataset())), repeats)
    cpu, wall = ({part: pair[i] for part, pair in took.items()} for i in range(2))
    return {
        "config": name,
        "batch": batch,
        "cpu_seconds": with_lazy(cpu, config),
        "wall_seconds": with_lazy(wall, config),
    }


def seconds_a_picture(count: int, size: int) -> float:
    """Return the seconds of the processor that fetching one of ``count`` PNG files takes."""
    noise = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            coarse = torch.from_numpy(noise.uniform(-1, 1, [1, 3, 8, 8]).astype(np.float32))
            picture = torch.nn.functional.interpolate(coarse, size=[size, size], mode="bilinear")
            save_image(Path(folder) / f"{number:04d}.png", picture[0])
        dataset = open_dataset(folder)
        used = time.process_time()
        for number in range(count):
            dataset.image(number)
        return (time.process_time() - used) / count


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--repeats", default=5, show_default=True, help="Measurements of each figure.")
@click.option("--quick", is_flag=True, help="One repeat and 100 pictures.")
def main(threads: int, repeats: int, quick: bool) -> None:
    """Measure and print a JSON object a line."""
    torch.set_num_threads(threads)
    machine = {"threads": threads, "torch": torch.__version__, "load": os.getloadavg()[0]}
    click.echo(json.dumps(machine))
    for width, (name, batch) in _CONFIGS.items():
        figures = measured_updates(name, batch, 1 if quick else repeats)
        click.echo(json.dumps({"training": width, **figures}))
    count = 100 if quick else 1000
    sizes = {str(size): round(seconds_a_picture(count, size), 6) for size in _PICTURE_SIZES}
    click.echo(json.dumps({"pictures": count, "cpu_seconds_a_picture": sizes}))


if __name__ == "__main__":
    main()
