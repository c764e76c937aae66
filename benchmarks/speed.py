"""Print the speed of synthesis, projection and path length as lines of JSON, beside their limits.

    python -m benchmarks.speed [--resolution 256] [--repeats 3] [--threads 1,2]
        [--work synthesis] [--precision bfloat16] [--compile]

The limit is the network's convolutions alone (benchmarks/limits.py). Work and limit take turns in
one run, and the least of the repeats counts: others who use the machine slow both. CPU seconds
hardly depend on them at all; with several threads they also count the time that threads spin while
they wait for each other. The last line says what share of the processors the run was given.

The generator has StyleGAN2's published size at 256x256 and random weights, and so has the VGG16.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

import latentlab
from benchmarks import limits
from benchmarks.clock import Stopwatch, in_turn, machine, now, say, tell
from benchmarks.costs import write_backbone
from cli.options.values import number_list
from latentlab import Generator, ProjectorSettings
from latentlab.acceleration import PRECISIONS
from latentlab.allocator import keep_freed_memory
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation
from latentlab.perceptual import MAX_RESOLUTION, PerceptualDistance
from metrics import perceptual_path_length
from metrics.sampling import default_batch

WORK = ("synthesis", "step", "path")
Twin = Callable[..., Any]  # makes a network faster, if that was asked for


def random_generator(resolution: int) -> Generator:
    """A generator of published width (channel_base 16384) with random weights."""
    with seeded_initialisation(0):
        g = Generator(StyleGAN2Config(resolution=resolution, channel_base=16384))
    return g.eval().requires_grad_(False)


def synthesis(g: Generator, twin: Twin, batch: int, repeats: int) -> None:
    """Pictures of given w."""
    ws, fast = torch.randn(batch, g.num_ws, g.w_dim), twin(g)
    bare = limits.forwards(limits.of_synthesis(g, batch))
    with torch.no_grad():
        watch = in_turn({"work": lambda: fast.synthesis(ws), "limit": bare}, repeats)
    tell("synthesis", watch, batch, resolution=g.resolution, batch=batch)


def projector(g: Generator, distance: PerceptualDistance, twin: Twin, repeats: int) -> None:
    """Steps of a projection into W with one picture, each followed by the limit."""
    size, watch = min(g.resolution, MAX_RESOLUTION), Stopwatch()
    bare = limits.there_and_back([*limits.of_synthesis(g, 1), *limits.of_vgg16(size, 1)])
    begun = [now()]

    def note(step: int, _: Tensor) -> None:
        if step:  # before the first one there is the start
            watch.note("work", now() - begun[0])
        watch.run("limit", bare)
        begun[0] = now()

    settings = ProjectorSettings(steps=repeats + 2, w_samples=100)
    target = torch.zeros(1, g.channels, g.resolution, g.resolution)
    networks = (twin(each, gradients_only=True) for each in (g, distance))
    latentlab.project(next(networks), target, next(networks), settings=settings, progress=note)
    tell("projector step", watch, resolution=g.resolution, distance=distance.name)


def path_length(g: Generator, distance: PerceptualDistance, twin: Twin, repeats: int) -> None:
    """Paths: two pictures each, and the distance between them."""
    count, size = default_batch(g), min(g.resolution, MAX_RESOLUTION)
    fast, compare = twin(g), twin(distance)
    # As many at once as the metric has: pictures of both ends, and then the features of each.
    drawn, seen = limits.of_synthesis(g, 2 * count), limits.of_vgg16(size, count)
    watch = in_turn({
        "work": lambda: perceptual_path_length(fast, compare, num_samples=count),
        "limit": limits.forwards([*drawn, *seen, *seen]),
    }, repeats)  # fmt: skip
    tell("path", watch, count, resolution=g.resolution, distance=distance.name)


@click.command()
@click.option("--resolution", default=256, show_default=True, help="Of the random generator.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--threads", "counts", type=number_list, default="1,2", show_default=True)
@click.option("--work", "chosen", type=click.Choice(WORK), multiple=True, default=WORK)
@click.option("--precision", type=click.Choice(PRECISIONS), default=PRECISIONS[0])
@click.option("--compile", "compiles", is_flag=True)
def main(
    resolution: int,
    repeats: int,
    counts: list[int],
    chosen: tuple[str, ...],
    precision: str,
    compiles: bool,
) -> None:
    """Measure, and print one line for each figure."""
    begun = now()
    keep_freed_memory()  # as the commands do
    how = {"precision": precision, "compiled": compiles}
    say({**machine(), "repeats": repeats, **how})

    def twin(network: torch.nn.Module, gradients_only: bool = False) -> Any:
        fast = latentlab.in_precision(network, precision, gradients_only=gradients_only)
        return latentlab.compiled(fast, gradients_only=gradients_only) if compiles else fast

    with tempfile.TemporaryDirectory() as home:
        write_backbone(Path(home))
        os.environ["TORCH_HOME"] = home
        distance = latentlab.perceptual_distance("lpips-vgg")
    g = random_generator(resolution)
    for threads in counts:
        torch.set_num_threads(threads)
        for batch in (1, 4) if "synthesis" in chosen else ():
            synthesis(g, twin, batch, repeats)
        if "step" in chosen:
            projector(g, distance, twin, repeats)
        if "path" in chosen and precision == PRECISIONS[0]:  # in 16 bits there is none
            path_length(g, distance, twin, repeats)
    took = now() - begun
    say({**machine(), "seconds": took.wall, "cpu_seconds": took.cpu,
         "processors_given": took.cpu / took.wall})  # fmt: skip


if __name__ == "__main__":
    main()
