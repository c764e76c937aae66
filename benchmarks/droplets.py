"""Print how well droplets are found, as Markdown tables: planted ones, and where there are none.

    python -m benchmarks.droplets [--quick] [--part planted] [--part maps] [--part negatives]

``planted``: spots planted into the weights of generators, see planted_droplets.py. With ``--keep``
each line of the grid goes to a file as it is measured, and is not measured again.
``maps``: Gaussian spots planted into maps of noise and gradients. ``negatives``: generators of
random weights, the bundled models, and maps with everything that is no droplet. Run it from the
root of the repository. Everything is drawn from fixed seeds.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch

import latentlab
from benchmarks import markdown
from benchmarks.planted_droplets import (
    SYSTEMS,
    lines,
    measured,
    print_tables,
    random_generator,
)
from latentlab import Generator
from metrics import droplets
from metrics.droplet_detection import find_spots
from metrics.droplet_rates import inside
from metrics.statistics import share_uncertainty
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_progan,
    make_stylegan3,
)
from tests.support.planted.droplet_maps import BACKGROUNDS, NEGATIVES, background, plant_into

PARTS = ("planted", "maps", "negatives")
_SIZES = {True: [16, 32], False: [16, 32, 64, 128, 256]}
_MAP_SIGMAS = (0.5, 0.7, 1.0, 2.0, 3.0)


def planted(quick: bool, resolutions: Sequence[int], kept: Path | None) -> None:
    """Recall by strength, and precision, of spots planted into weights."""
    print_tables(measured(lines(resolutions, quick), kept))


def maps(quick: bool, *_: object) -> None:
    """Recall of Gaussian spots in maps by strength, size and share of the channels."""
    count = 2 if quick else 12
    for share in (1.0, 0.6):
        rows: list[list[object]] = []
        found = wrong = 0
        for strength in (6, 8, 10, 15):
            row: list[object] = [strength]
            for sigma in _MAP_SIGMAS:
                hits = total = 0
                for i, (kind, channels) in enumerate(itertools.product(BACKGROUNDS, (3, 8, 32))):
                    rng = np.random.default_rng([i, strength, int(10 * sigma)])
                    x = background(kind, channels, 32, rng, count)
                    centres = plant_into(x, sigma, strength, share, rng)
                    for place, spots in zip(centres, find_spots(torch.from_numpy(x)), strict=True):
                        near = [np.hypot(s.row * 32 - place[0], s.column * 32 - place[1]) <= 1.5
                                for s in spots]  # fmt: skip
                        total, hits = total + 1, hits + any(near)
                        found, wrong = found + len(near), wrong + len(near) - any(near)
                row.append(f"{hits / total:.2f}")
            rows.append(row)
        click.echo(f"\nIn {share:.0%} of the channels, maps of 32x32; {wrong} of {found} "
                   "detections are wrong.")  # fmt: skip
        markdown.table("", ["strength", *(f"sigma {sigma:g}" for sigma in _MAP_SIGMAS)], rows)


def networks(quick: bool, sizes: Sequence[int]) -> Iterator[tuple[str, Generator, int]]:
    """Yield generators without droplets: the line of the table, and how many pictures."""
    seeds = range(2 if quick else 6)
    for channels, system in itertools.product((8, 16, 32), SYSTEMS):
        for size, seed in itertools.product(sizes, seeds):
            # Generators of one seed are alike in the resolutions that they share.
            g = random_generator(system, 100 * size + seed, size, channels)
            yield f"{system}, random weights, {channels} channels", g, min(32, 1024 // size)
    others = {
        "StyleGAN2 resnet": partial(
            make_generator, resolution=32, channel_base=512, architecture="resnet"
        ),
        "StyleGAN3": make_stylegan3,
        "Progressive GAN": partial(make_progan, resolution=32, channel_base=512, channel_max=16),
        "FastGAN, 16 channels or more": partial(
            make_fastgan, lite=True, channel_table=(32, 32, 24, 24, 16, 16)
        ),
        "FastGAN, 4 channels in the last layers": partial(make_fastgan, lite=True),
    }
    for (kind, make), seed in itertools.product(others.items(), seeds):
        yield f"{kind}, random weights", make(seed), 16 if "FastGAN" in kind else 32
    for name in SYSTEMS.values():
        yield name, latentlab.load(name).generator, 32 if quick else 512


def without_droplets(quick: bool, sizes: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """Yield a line of the table: false alarms, pictures, and those with any spot."""
    for name, g, pictures in networks(quick, sizes):
        samples = droplets(g, pictures).samples
        hits, either = (each["sample"].nunique() for each in (inside(samples), samples))
        yield name, [hits, pictures, either]
    each = 4 if quick else 24
    for (name, make), size in itertools.product(NEGATIVES.items(), (16, 32, 64)):
        rng = np.random.default_rng(size)
        for channels in (8, 32):
            spots = find_spots(torch.from_numpy(make(each, channels, size, rng)).float())
            hits = sum(any(not s.at_border for s in mine) for mine in spots)
            yield name, [hits, each, sum(bool(mine) for mine in spots)]


def negatives(quick: bool, resolutions: Sequence[int], _: object) -> None:
    """False alarms: the share of pictures, or of maps, with a droplet."""
    markdown.head("", "without a droplet", "pictures", "false alarms", "share", "95 % interval",
                  "at the border alone")  # fmt: skip
    everything = np.zeros(3, dtype=int)
    for name, group in itertools.groupby(without_droplets(quick, resolutions), lambda x: x[0]):
        counts = np.sum([each for _, each in group], axis=0)
        everything += counts
        _print_false_alarms(name, *counts.tolist())
    _print_false_alarms("all", *everything.tolist())


def _print_false_alarms(name: str, hits: int, total: int, either: int) -> None:
    interval = share_uncertainty(hits, total)
    ends = f"{interval.ci_low:.4f} to {interval.ci_high:.4f}"
    markdown.row(name, f"{total:,}", hits, f"{hits / total:.4f}", ends, either - hits)


@click.command()
@click.option("--quick", is_flag=True, help="Small networks, and few of them.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Default: all.")
@click.option("--resolutions", metavar="LIST", help="Of random generators, such as 16,32.")
@click.option("--keep", "kept", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="What is planted is kept there line by line, and continued.")  # fmt: skip
def main(quick: bool, parts: tuple[str, ...], resolutions: str | None, kept: Path | None) -> None:
    """Print the tables of docs/droplets.md."""
    sizes = [int(each) for each in resolutions.split(",")] if resolutions else _SIZES[quick]
    torch.set_grad_enabled(False)
    for name in parts or PARTS:
        started = time.perf_counter()
        {"planted": planted, "maps": maps, "negatives": negatives}[name](quick, sizes, kept)
        click.echo(f"\n{name}: {time.perf_counter() - started:.0f} s.", err=True)


if __name__ == "__main__":
    main()
