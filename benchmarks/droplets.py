"""Print how well droplets are found, as Markdown tables: planted ones, and where there are none.

    python -m benchmarks.droplets [--quick] [--part planted] [--part maps] [--part negatives]

``planted``: spots planted into the weights of generators, see tests/support/planted/.
``maps``: Gaussian spots planted into maps of noise and gradients. ``negatives``: generators of
random weights, the bundled models, and maps with everything that is no droplet. Run it from the
root of the repository. Everything is drawn from fixed seeds.
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import click
import numpy as np
import torch

import latentlab
from latentlab import Generator
from metrics import droplets
from metrics.droplet_detection import find_spots
from metrics.droplet_rates import inside
from metrics.statistics import share_uncertainty
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
)
from tests.support.planted.droplet_maps import BACKGROUNDS, NEGATIVES, background, plant_into
from tests.support.planted.droplets import CONTEXTS, NoRoomError, Score, plant, score

SYSTEMS = {"StyleGAN1": "builtin:digits-stylegan1", "StyleGAN2": "builtin:digits-stylegan2"}
PARTS = ("planted", "maps", "negatives")
_BINS = (8, 10, 20, 40)  # standard deviations that all chosen channels reach, from each on
_TARGETS = (9, 13, 25, 45, 60)
_SHARES = (0.3, 0.5, 1.0)
_COUNTS = (1, 5, 20)
_CHANNELS = 16
_SIGMAS = (0.0, 0.7, 1.2)  # pixels; 0 is a single one
_SIZES = {True: [16, 32], False: [16, 32, 64, 128, 256]}
_PICTURES = 8  # of a generator
_EVERY = {16: 7, 32: 7, 64: 7, 128: 23, 256: 61}  # of the lines of the grid, one in so many
_EVERY_OF_BUNDLED = 3
_QUICK = 5  # times fewer
_MAP_SIGMAS = (0.5, 0.7, 1.0, 2.0, 3.0)

Cells = dict[tuple[object, ...], list[Score]]


def random_generator(system: str, seed: int, resolution: int, channels: int) -> Generator:
    """A generator of random weights with so many channels in every layer."""
    make = {"StyleGAN1": make_stylegan1, "StyleGAN2": make_generator}[system]
    return make(seed, resolution=resolution, channel_base=channels * resolution,
                channel_max=channels)  # fmt: skip


def planted_scores(resolutions: Sequence[int], thinned: int) -> Cells:
    """Plant into generators of each kind; the key is a line of the table."""
    cells: Cells = defaultdict(list)
    number = 0
    for size in resolutions:
        grid = itertools.product(_SHARES, CONTEXTS, _COUNTS, _TARGETS, SYSTEMS)
        for i, (share, context, count, target, system) in enumerate(grid):
            number += 1
            if i % (thinned * _EVERY[size]):
                continue
            rng = np.random.default_rng(number)
            g = random_generator(system, number, size, _CHANNELS)
            sigma = float(rng.choice(_SIGMAS[: size // 12]))
            apart = 2.0 if size == 16 else max(3.0, 4 * sigma) if count > 5 else None
            key = (size, share, context, count, system)
            with suppress(NoRoomError):  # twenty beside a line at 16x16
                made = plant(g, size, count, target, share, rng, sigma=sigma, context=context,
                             apart=apart)  # fmt: skip
                cells[key].append(score(g, made, _PICTURES))
    for system, name in SYSTEMS.items():
        grid = itertools.product((16, 32), CONTEXTS, (1, 5), _TARGETS)
        for i, (size, context, count, target) in enumerate(grid):
            if size not in resolutions or i % (thinned * _EVERY_OF_BUNDLED):
                continue
            rng = np.random.default_rng([i, size])
            g = latentlab.load(name).generator
            made = plant(g, size, count, target, 0.5, rng, context=context, apart=2.0)
            cells["digits", 0.5, context, count, system].append(score(g, made, _PICTURES))
    return cells


def recall(scores: Iterable[Score], low: float, high: float) -> str:
    """The share of spots of some strength that were found, with their number."""
    chosen = [(s.strengths >= low) & (s.strengths < high) for s in scores]
    total = sum(int(each.sum()) for each in chosen)
    hits = sum(int((s.found & each).sum()) for s, each in zip(scores, chosen, strict=True))
    return f"{hits / total:.3f} ({total:,})" if total else ""


def precision(scores: Iterable[Score]) -> str:
    """The share of detections that are right, with their number."""
    total, wrong = sum(s.detections for s in scores), sum(s.wrong for s in scores)
    return f"{1 - wrong / total:.4f} ({total:,})" if total else ""


def print_planted(
    cells: Cells, names: tuple[str, ...], chosen: Callable[..., tuple[object, ...]]
) -> None:
    """Print a table of what was planted, a line for each value of ``chosen`` of the keys."""
    lines: dict[tuple[object, ...], list[Score]] = defaultdict(list)
    for key, scores in cells.items():
        lines[chosen(*key)].extend(scores)
    ends = [*_BINS[1:], np.inf]
    heads = [f"{low} to {high:g}" for low, high in zip(_BINS, ends, strict=True)]
    head = [*names, *heads[:-1], f"{_BINS[-1]} and more", "precision"]
    print_table(head, (
        [*line, *(recall(scores, *ends) for ends in zip(_BINS, ends, strict=True)),
         precision(scores)]
        for line, scores in lines.items()
    ))  # fmt: skip


def print_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table."""
    names = [*head]
    click.echo("\n| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        click.echo("| " + " | ".join(map(str, row)) + " |")


def planted(quick: bool, resolutions: Sequence[int]) -> None:
    """Recall by strength, and precision, of spots planted into weights."""
    cells = planted_scores(resolutions, _QUICK if quick else 1)
    print_planted(cells, ("resolution", "channels with it"), lambda size, share, *_: (size, share))
    half = {key: scores for key, scores in cells.items() if key[1] != _SHARES[0]}
    print_planted(half, ("context", "spots at once"), lambda *key: key[2:4])
    print_planted(half, ("system",), lambda *key: key[-1:])
    if not quick:
        print_planted(cells, ("resolution", "channels with it", "context", "spots at once"),
                      lambda *key: key[:-1])  # fmt: skip


def maps(quick: bool, _: Sequence[int]) -> None:
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
        print_table(["strength", *(f"sigma {sigma:g}" for sigma in _MAP_SIGMAS)], rows)


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


def negatives(quick: bool, resolutions: Sequence[int]) -> None:
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
    print_table(["without a droplet", "pictures", "false alarms", "share", "95 % interval",
                 "at the border alone"], rows)  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="Small networks, and few of them.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Default: all.")
@click.option("--resolutions", metavar="LIST", help="Of random generators, such as 16,32.")
def main(quick: bool, parts: tuple[str, ...], resolutions: str | None) -> None:
    """Print the tables of docs/droplets.md."""
    sizes = [int(each) for each in resolutions.split(",")] if resolutions else _SIZES[quick]
    torch.set_grad_enabled(False)
    for name in parts or PARTS:
        started = time.perf_counter()
        {"planted": planted, "maps": maps, "negatives": negatives}[name](quick, sizes)
        click.echo(f"\n{name}: {time.perf_counter() - started:.0f} s.", err=True)


if __name__ == "__main__":
    main()
