"""Print what pictures, projections and path lengths cost on this machine, as a Markdown table.

    python benchmarks/costs.py [--resolutions 32,256,1024] [--repeats 3]

The networks have StyleGAN2's published sizes (32x32: the bundled digits) and random weights, and so
has the VGG16 of the distance: both take as long as trained ones. Each figure is measured in a
process of its own, whose peak memory is that of the command; the machine should have nothing else
to do.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import torch

import latentlab
from latentlab import Generator, ProjectorSettings
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation
from metrics import perceptual_path_length
from metrics.sampling import default_batch

_STEPS = 4  # of a projection; the first ones cost as much as the others
_WORK = ("picture", "step", "path")
_BUNDLED = 32
_CHANNELS = {1024: 32768}  # config F; below, config E's channel_base


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


def measure(work: str, resolution: int, repeats: int) -> tuple[float, float]:
    """Return the seconds of one picture, step or path, and the peak memory in megabytes."""
    g = generator(resolution)
    name = "builtin:digits" if resolution == _BUNDLED else "lpips-vgg"
    if work == "picture":
        z = torch.randn(1, g.z_dim)
        run: Callable[[], object] = partial(g, z)
        count = 1
    else:
        distance = latentlab.perceptual_distance(name)
        if work == "step":
            settings = ProjectorSettings(steps=_STEPS, w_samples=100)
            target = torch.zeros(1, g.channels, resolution, resolution)
            run, count = partial(latentlab.project, g, target, distance, settings=settings), _STEPS
        else:
            count = default_batch(g)
            run = partial(perceptual_path_length, g, distance, num_samples=count)
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) / count)
    return statistics.median(times[1:]), peak_memory()  # the first one warms up


@click.command()
@click.option("--resolutions", default="32,256,1024", show_default=True)
@click.option("--repeats", default=3, show_default=True, help="Measurements of each figure.")
def main(resolutions: str, repeats: int) -> None:
    """Print the table."""
    click.echo(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    click.echo("| size | " + " | ".join(f"seconds a {work} | MB" for work in _WORK) + " |")
    click.echo("|---" * (1 + 2 * len(_WORK)) + "|")
    with tempfile.TemporaryDirectory() as home:
        write_backbone(Path(home))
        os.environ["TORCH_HOME"] = home  # children have it from here
        for resolution in map(int, resolutions.split(",")):
            cells = [f"{resolution}x{resolution}"]
            for work in _WORK:
                with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                    took, peak = pool.submit(measure, work, resolution, repeats).result()
                cells += [f"{took:.3g}", f"{peak:,.0f}"]
            click.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
