"""Print what pictures, projection steps and path lengths cost on this machine, as a Markdown table.

    python -m benchmarks.costs [--resolutions 32,256,1024] [--repeats 3] [--threads N]
        [--precision bfloat16] [--compile]

The networks have StyleGAN2's published sizes (32x32: the bundled digits; 1024x1024: config F) and
random weights, and so has the VGG16 of the distance: both take as long as trained ones. Each
figure is measured in a process of its own, whose peak memory is that of the command. Seconds are
the least of the repeats; CPU seconds, of all threads together, hardly depend on what else the
machine does.
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import click
import torch

import latentlab
from latentlab import Generator, ProjectorSettings
from latentlab.acceleration import PRECISIONS
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation
from latentlab.perceptual import PerceptualDistance
from metrics import perceptual_path_length
from metrics.sampling import default_batch

_WORK = ("picture", "step", "path")
_BUNDLED = 32
_CHANNELS = {1024: 32768}  # config F; below, config E's channel_base

Clock = tuple[float, float]  # seconds, and CPU seconds of this process


def generator(resolution: int) -> Generator:
    """A generator of that size."""
    if resolution == _BUNDLED:
        return latentlab.load("builtin:digits-stylegan2").generator
    config = StyleGAN2Config(resolution=resolution, channel_base=_CHANNELS.get(resolution, 16384))
    with seeded_initialisation(0):
        return Generator(config).eval().requires_grad_(False)


def write_backbone(home: Path) -> None:
    """Write a VGG16 with random weights to where torch keeps the published one."""
    from torchvision.models import VGG16_Weights, vgg16

    place = home / "hub" / "checkpoints"
    place.mkdir(parents=True)
    name = str(VGG16_Weights.IMAGENET1K_V1.url).rsplit("/", 1)[1]
    torch.save(vgg16(weights=None).state_dict(), place / name)


def peak_memory() -> float:
    """Return the most megabytes that this process has held, as Linux counts them."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def now() -> Clock:
    """Return the time."""
    return time.perf_counter(), time.process_time()


def least(times: list[Clock], count: int = 1) -> Clock:
    """Return the least differences between times, without the first, which warms up."""
    pairs = pairwise(times[1:])
    each = [(end[0] - begin[0], end[1] - begin[1]) for begin, end in pairs]
    return min(a for a, _ in each) / count, min(b for _, b in each) / count


def of_steps(g: Generator, distance: PerceptualDistance, steps: int) -> Clock:
    """Return the cost of a step of the projector, without what comes before the first."""
    times: list[Clock] = []
    settings = ProjectorSettings(steps=steps + 2, w_samples=100)
    target = torch.zeros(1, g.channels, g.resolution, g.resolution)
    latentlab.project(g, target, distance, settings=settings,
                      progress=lambda _, __: times.append(now()))  # fmt: skip
    return least(times)


def measure(
    work: str, resolution: int, repeats: int, threads: int | None, precision: str, compiles: bool
) -> tuple[float, float, float]:
    """Return the seconds of one picture, step or path, its CPU seconds, and the peak megabytes."""
    if threads is not None:
        torch.set_num_threads(threads)
    g = generator(resolution)
    only = work == "step"
    g = latentlab.in_precision(g, precision, gradients_only=only)
    g = latentlab.compiled(g, gradients_only=only) if compiles else g
    if work == "picture":
        z = torch.randn(1, g.z_dim)
        run: Callable[[], object] = torch.no_grad()(partial(g, z))
        count = 1
    else:
        name = "builtin:digits" if resolution == _BUNDLED else "lpips-vgg"
        distance = latentlab.perceptual_distance(name)
        distance = latentlab.in_precision(distance, precision, gradients_only=only)
        if compiles:
            distance = latentlab.compiled(distance, gradients_only=only)
        if work == "step":
            return *of_steps(g, distance, repeats), peak_memory()
        count = default_batch(g)
        run = partial(perceptual_path_length, g, distance, num_samples=count)
    times = [now()]
    for _ in range(repeats + 1):
        run()
        times.append(now())
    return *least(times, count), peak_memory()


@click.command()
@click.option("--resolutions", default="32,256,1024", show_default=True)
@click.option("--work", "chosen", type=click.Choice(_WORK), multiple=True, default=_WORK)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Default: torch's own choice.")
@click.option("--precision", type=click.Choice(PRECISIONS), default=PRECISIONS[0])
@click.option("--compile", "compiles", is_flag=True)
def main(
    resolutions: str,
    chosen: tuple[str, ...],
    repeats: int,
    threads: int | None,
    precision: str,
    compiles: bool,
) -> None:
    """Print the table."""
    click.echo(f"{threads or torch.get_num_threads()} threads, torch {torch.__version__}, "
               f"{precision}{', compiled' * compiles}\n")  # fmt: skip
    click.echo("| pictures | work | seconds | CPU seconds | GB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as home:
        write_backbone(Path(home))
        os.environ["TORCH_HOME"] = home  # children have it from here
        for resolution in map(int, resolutions.split(",")):
            # Path lengths are not measured in 16 bits.
            for work in (each for each in chosen if each != "path" or precision == PRECISIONS[0]):
                with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                    asked = (work, resolution, repeats, threads, precision, compiles)
                    took, cpu, peak = pool.submit(measure, *asked).result()
                click.echo(f"| {resolution}x{resolution} | {work} | {took:.3g} | {cpu:.3g} | "
                           f"{peak / 1024:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
