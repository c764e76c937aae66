"""Print how close ways to project come to the published schedule, and in what share of its time.

    python -m benchmarks.projection_methods [--part digits|large] [--count N] [--way WAY]...
        [--until SHARE] [--results FILE] [--csv FILE] [--plot FILE] [--quick]

A way's distance after a share of the published schedule's time is over the final distance of that
schedule, for each picture; printed are the median and the worst, and how many are as close. All run
on one thread. Distances are of the latents with the noise maps there, without noise on w. Those of
the published schedule are the ends of schedules of as many steps, from batches of five pictures,
which is faster here and moves them by rounding alone; its CPU seconds are taken beside each run of
another way, so that both meet the same machine: 30 steps of one picture, as it is by default.
Statistics of w and random pictures to start from are in the times, as if for one picture alone.

``digits``: held-out digits, up to 20 in each of the two bundled networks, in W and W+. ``large``: a
StyleGAN2 of 256 pixels with random weights, few channels and noise of strength 0.1; targets are
by turns its own pictures and those of a second such network, compared by VGG16's layers with a
quarter of their channels and random weights. What is in the file of results is not computed again.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import pandas as pd
import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from benchmarks.projection_curves import (
    SHARES,
    WAYS,
    Row,
    curve,
    published_seconds,
    ratios,
    rows_of,
    summary,
)
from latentlab import Generator, ProjectorSettings, load, perceptual_distance, project
from latentlab.datasets.digits import digits
from latentlab.images import pixels_to_tensor
from latentlab.latents import draw_z
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.perceptual import ClassifierDistance, PerceptualDistance, unit_normalise
from latentlab.projection.settings import PUBLISHED

BATCH = 5
VGG = (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512)
COLUMNS = ("way", "pictures", "after 1/16", "1/8", "1/4", "1/2", "1", "as close after 1/4")


class RandomVgg(PerceptualDistance):
    """LPIPS's form on VGG16's layers with a share of their channels, random weights, seed 0."""

    def __init__(self, share: float = 0.25) -> None:
        super().__init__("random VGG")
        rng, inputs = torch.Generator().manual_seed(0), 3
        self.stages = nn.ModuleList([nn.Sequential()])
        for channels in VGG:
            if channels is None:
                self.stages.append(nn.Sequential(nn.MaxPool2d(2)))
                continue
            layer = nn.Conv2d(inputs, int(channels * share), 3, padding=1)
            size = layer.weight.shape
            with torch.no_grad():
                layer.weight.copy_(torch.randn(size, generator=rng) * (2 / (9 * inputs)) ** 0.5)
                layer.bias.zero_()
            inputs = size[0]
            self.stages[-1].extend([layer, nn.ReLU()])
        self.requires_grad_(False)

    def _extract(self, images: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            images = stage(images)
            found.append(unit_normalise(images))
        return found

    compare = ClassifierDistance.compare


def large(seed: int) -> Generator:
    """A network of 256 pixels with random weights and noise that matters."""
    torch.manual_seed(seed)
    config = StyleGAN2Config(resolution=256, channel_base=2048, channel_max=64, z_dim=64, w_dim=64)
    g = Generator(config).eval().requires_grad_(False)
    for layer in g.synthesis.noise_layers:
        layer.noise_strength.fill_(0.1)
    return g


class Work:
    """A network, what is projected into it, and how it is compared."""

    def __init__(self, name: str, g: Generator, targets: Tensor, distance: Any, steps: int) -> None:
        self.name, self.g, self.targets, self.distance = name, g, targets, distance
        self.steps = steps

    def published(self, space: str, share: float, which: range) -> Iterator[Row]:
        """Project some pictures by a share of the published schedule's steps; their rows."""
        settings = ProjectorSettings(space, int(share * self.steps))
        targets = self.targets[which.start : which.stop]
        found = project(self.g, targets, self.distance, settings=settings, batch=len(targets))
        for place, distance in zip(which, found.distance.tolist(), strict=True):
            yield self.about(space, PUBLISHED, place) | {"share": share, "distance": distance}

    def other(self, space: str, way: str, place: int, shares: Sequence[float]) -> Iterator[Row]:
        """Project one picture in another way, beside published steps; its rows."""
        target = self.targets[place : place + 1]
        options = self.g, target, self.distance, space
        curve(*options, way, 0)  # the first is slower
        whole = published_seconds(*options, self.steps)
        found = curve(*options, way, max(shares) * whole)
        yield from rows_of(self.about(space, way, place), found, whole, shares)

    def about(self, space: str, method: str, place: int) -> Row:
        """Return what a row is about."""
        return {"network": self.name, "space": space, "method": method, "picture": place}


def works(part: str, quick: bool, count: int = 20) -> Iterator[Work]:
    """Yield what is to be measured."""
    if part == "digits":
        pixels = digits("held-out")[0]
        distance = perceptual_distance("builtin:digits")
        for i, name in enumerate(("digits-stylegan1", "digits-stylegan2")):
            targets = pixels_to_tensor(pixels[20 * i : 20 * i + count], 3)
            g = load(f"builtin:{name}").generator
            yield Work(name, g, targets, distance, 64 if quick else 1000)
    else:
        g, other = large(0), large(1)
        z = draw_z(range(5), g.z_dim, seed=1)
        with torch.no_grad():
            pictures = torch.stack([g(z), other(z)], dim=1).flatten(0, 1)
        yield Work("256 px, random", g, pictures[:count], RandomVgg(), 16 if quick else 1000)


def measure(
    todo: Sequence[Work], ways: Sequence[str], until: float, file: Path | None
) -> list[Row]:
    """Compute what the file lacks, some pictures of every kind after the other."""
    rows = [] if file is None or not file.exists() else [*map(json.loads, file.open())]
    known = {_key(row) for row in rows}
    shares = [share for share in SHARES if share <= until]
    for first in range(0, len(todo[0].targets), BATCH):
        for work in todo:
            which = range(first, min(first + BATCH, len(work.targets)))
            for found in _runs(work, ways, shares, which, known):
                rows += found
                if file is not None:
                    with file.open("a") as out:
                        out.writelines(json.dumps(row) + "\n" for row in found)
    return rows


def _runs(
    work: Work, ways: Sequence[str], shares: Sequence[float], which: range, known: set[Any]
) -> Iterator[list[Row]]:
    """Yield the rows of each run that is not known."""
    for space in ("w", "w+"):
        for share in SHARES if PUBLISHED in ways else ():
            about = work.about(space, PUBLISHED, which.start) | {"share": share}
            if _key(about) not in known:
                yield list(work.published(space, share, which))
    for place in which:
        for space in ("w", "w+"):
            for way in (way for way in ways if way != PUBLISHED):
                about = work.about(space, way, place) | {"share": shares[-1]}
                if _key(about) not in known:
                    yield list(work.other(space, way, place, shares))


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("network", "space", "method", "picture", "share"))


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw the median and the worst ratio of each way over the share of the time."""
    mpl.use("Agg")
    found = pd.DataFrame(ratios(rows)).groupby(["method", "share"])["ratio"]
    lines = found.agg(["median", "max"])
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 4), sharex=True, sharey=True, dpi=80, layout="constrained"
    )
    for panel, column, title in zip(axes, lines, ("median picture", "worst picture"), strict=True):
        for way in dict.fromkeys(row["method"] for row in rows):
            if way in lines.index:
                panel.plot(lines.loc[way][column], marker="o", markersize=3, label=way)
        panel.axhline(1, color="grey", linewidth=0.8)
        panel.set(xscale="log", yscale="log", title=title, xlabel="share of the published time")
        panel.set_xticks(SHARES, ["1/16", "1/8", "1/4", "1/2", "1"], minor=False)
        panel.minorticks_off()
    axes[0].set_ylabel("distance / published final distance")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7
    )
    figure.savefig(file)


@click.command()
@click.option("--part", type=click.Choice(["digits", "large"]), default="digits")
@click.option(
    "--count",
    type=click.IntRange(1, 20),
    default=10,
    show_default=True,
    help="Pictures in each network and space; of the large one there are ten.",
)
@click.option(
    "--way",
    "ways",
    type=click.Choice([PUBLISHED, *WAYS]),
    multiple=True,
    help="Only this; can be repeated.",
)
@click.option(
    "--until",
    type=float,
    default=0.5,
    show_default=True,
    help="Share of the published time at which other ways are stopped.",
)
@click.option("--results", type=click.Path(path_type=Path), help="Go on from, and add to, a file.")
@click.option("--csv", type=click.Path(path_type=Path), help="Save each picture's distances.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw them (PNG).")
@click.option("--quick", is_flag=True, help="Two pictures each, and few published steps.")
def main(
    part: str, count: int, ways: Sequence[str], until: float, results: Path | None,
    csv: Path | None, plot: Path | None, quick: bool,
) -> None:  # fmt: skip
    """Print the table."""
    torch.set_num_threads(1)
    todo = list(works(part, quick, 2 if quick else count))
    rows = measure(todo, ways or (PUBLISHED, *WAYS), until, results)
    if csv is not None:
        pd.DataFrame(ratios(rows)).to_csv(csv, index=False)
    if plot is not None:
        draw(rows, plot)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for cells in summary(rows):
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
