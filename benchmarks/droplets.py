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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import torch

import latentlab
from benchmarks import markdown
from benchmarks.planted_droplets import lines, measured, print_tables, random_generator
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
    seeds = 2 if quick else 6
    for size, channels, seed in itertools.product(sizes, (8, 16, 32), range(seeds)):
        pictures = 32 if size < 128 else 16 if size < 256 else 4
        for system in ("StyleGAN1", "StyleGAN2"):
            if size < 256 or (channels < 32 and seed < 2):
                g = random_generator(system, 100 + seed, size, channels)
                yield f"{system}, random weights, {channels} channels", g, pictures
    for seed in range(seeds):
        resnet = make_generator(seed, resolution=32, channel_base=512, architecture="resnet")
        yield "StyleGAN2 resnet, random weights", resnet, 32
        yield "StyleGAN3, random weights", make_stylegan3(seed), 32
        progan = make_progan(seed, resolution=32, channel_base=512, channel_max=16)
        yield "Progressive GAN, random weights", progan, 32
    for seed in range(1 if quick else 4):
        wide = make_fastgan(seed, lite=True, channel_table=(32, 32, 24, 24, 16, 16))
        yield "FastGAN, random weights, 16 channels or more", wide, 16
        yield (
            "FastGAN, random weights, 4 channels in the last layers",
            make_fastgan(seed, lite=True),
            16,
        )
    for name in ("builtin:digits-stylegan1", "builtin:digits-stylegan2"):
        yield name, latentlab.load(name).generator, 32 if quick else 512


def negatives(quick: bool, resolutions: Sequence[int], _: object) -> None:
    """False alarms: the share of pictures, or of maps, with a droplet."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, g, pictures in networks(quick, resolutions):
        samples = droplets(g, pictures).samples
        counted = inside(samples)
        for i, number in enumerate((counted["sample"].nunique(), pictures,
                                    samples["sample"].nunique())):  # fmt: skip
            counts[name][i] += number
    for (name, make), size in itertools.product(NEGATIVES.items(), (16, 32, 64)):
        rng = np.random.default_rng(size)
        each = 4 if quick else 24
        for channels in (8, 32):
            spots = find_spots(torch.from_numpy(make(each, channels, size, rng)).float())
            counts[name][0] += sum(any(not s.at_border for s in mine) for mine in spots)
            counts[name][1] += each
            counts[name][2] += sum(bool(mine) for mine in spots)
    rows = []
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    for name, (hits, total, either) in counts.items():
        interval = share_uncertainty(hits, total)
        ends = f"{interval.ci_low:.4f} to {interval.ci_high:.4f}"
        rows.append([name, f"{total:,}", hits, f"{hits / total:.4f}", ends, either - hits])
    markdown.table("", ["without a droplet", "pictures", "false alarms", "share", "95 % interval",
                 "at the border alone"], rows)  # fmt: skip


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
