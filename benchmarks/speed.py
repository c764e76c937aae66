"""Print the speed of synthesis, projection, path length and training on this machine as JSON.

    python benchmarks/speed.py [--resolution 256] [--repeats 5] [--threads N]

Each figure is the median of alternating repeats. ``bare`` is the same convolutions alone, without
modulation, noise, filters and activations: the limit that synthesis is compared with, by ratio.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import Tensor

import latentlab
from latentlab import Generator, ProjectorSettings
from latentlab.datasets.pictures import DigitsDataset
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation
from latentlab.training.presets import ImageFormat, named_config
from latentlab.training.trainer import Trainer
from metrics import perceptual_path_length
from metrics.sampling import default_batch

PROJECTOR_STEPS = 20
TRAINING_STEPS = 16  # one full round of the lazy regularisers


def seconds(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each function, run in turn so that a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def random_generator(resolution: int) -> Generator:
    """A generator of published width (channel_base 16384) with random weights."""
    with seeded_initialisation(0):
        g = Generator(StyleGAN2Config(resolution=resolution, channel_base=16384))
    return g.eval().requires_grad_(False)


@torch.no_grad()
def bare_convolutions(g: Generator, batch: int) -> None:
    """Run the convolutions of the synthesis network and nothing else."""
    last: Tensor | None = None
    for block in g.synthesis.blocks:
        for layer in block.convs:
            size = layer.resolution // 2 if layer.up else layer.resolution
            shape = [batch, layer.weight.shape[1], size, size]
            if last is None or list(last.shape) != shape:
                last = torch.ones(shape).contiguous(memory_format=torch.channels_last)
            if layer.up:
                last = F.conv_transpose2d(last, layer.weight.transpose(0, 1), stride=2)
            else:
                last = F.conv2d(last, layer.weight, padding=1)


@torch.no_grad()
def synthesis_speed(g: Generator, batch: int, repeats: int) -> dict[str, Any]:
    """Images per second, and the ratio of the time to that of the bare convolutions."""
    ws = torch.randn(batch, g.num_ws, g.w_dim)
    took = seconds(
        {"synthesis": lambda: g.synthesis(ws), "bare": lambda: bare_convolutions(g, batch)}, repeats
    )
    return {
        "resolution": g.resolution,
        "batch": batch,
        "images_per_second": batch / took["synthesis"],
        "times_bare_convolutions": took["synthesis"] / took["bare"],
        "settings": asdict(g.config),
    }


def projector_speed(g: Generator, distance: Any, name: str, repeats: int) -> dict[str, Any]:
    """Optimisation steps per second for one image."""
    settings = ProjectorSettings(steps=PROJECTOR_STEPS, w_samples=100)
    target = torch.zeros(1, g.channels, g.resolution, g.resolution)
    took = seconds(
        {"run": lambda: latentlab.project(g, target, distance, settings=settings)}, repeats
    )
    return {
        "resolution": g.resolution,
        "distance": name,
        "steps_per_second": PROJECTOR_STEPS / took["run"],
        "settings": asdict(settings),
    }


def path_length_speed(g: Generator, distance: Any, name: str, repeats: int) -> dict[str, Any]:
    """Paths per second, and the ratio of their time to that of their images' bare convolutions."""
    batch = default_batch(g)
    took = seconds(
        {
            "run": lambda: perceptual_path_length(g, distance, num_samples=batch),
            "bare": lambda: bare_convolutions(g, 2 * batch),
        },
        repeats,
    )
    return {
        "resolution": g.resolution,
        "distance": name,
        "batch": batch,
        "paths_per_second": batch / took["run"],
        "times_bare_convolutions": took["run"] / took["bare"],
    }


def training_speed(batch: int, repeats: int) -> dict[str, Any]:
    """Real images per second over a full round of the lazy regularisers."""
    config = replace(named_config("stylegan2-small", ImageFormat(32, 3, 0)), batch=batch)
    trainer = Trainer(config, DigitsDataset())

    def round_of_steps() -> None:
        for _ in range(TRAINING_STEPS):
            trainer.run_step()

    took = seconds({"run": round_of_steps}, repeats)
    rate = TRAINING_STEPS * batch / took["run"]
    return {"images_per_second": rate, "settings": asdict(config)}


def mean_square(first: Tensor, second: Tensor) -> Tensor:
    """A distance that costs nothing, to show the generator's share of a projection step."""
    return (first - second).square().mean(dim=[1, 2, 3])


@click.command()
@click.option("--resolution", default=256, show_default=True, help="Of the random generator.")
@click.option("--repeats", default=5, show_default=True, help="Measurements of each figure.")
@click.option("--threads", type=int, help="Threads; default: torch's own choice.")
def main(resolution: int, repeats: int, threads: int | None) -> None:
    """Measure and print one JSON object on stdout."""
    if threads is not None:
        torch.set_num_threads(threads)
    large = random_generator(resolution)
    small = latentlab.load("builtin:digits-stylegan2").generator
    digits = latentlab.perceptual_distance("builtin:digits")
    report = {
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "repeats": repeats,
        "synthesis": [
            synthesis_speed(g, batch, repeats) for g in (large, small) for batch in (1, 4)
        ],
        "projector": [
            projector_speed(large, mean_square, "mean square", repeats),
            projector_speed(small, digits, "builtin:digits", repeats),
        ],
        "path_length": [
            path_length_speed(large, mean_square, "mean square", repeats),
            path_length_speed(small, digits, "builtin:digits", repeats),
        ],
        "training": training_speed(32, repeats),
    }
    click.echo(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
