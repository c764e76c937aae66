"""Print how close the projector's methods come, and in how many CPU seconds.

    python benchmarks/projection_methods.py [--part digits|large] [--count N] [--results FILE]
                                            [--quick]

Each method runs at its own number of steps, on one thread. Distances are of the final latents with
the final noise maps, without noise on w; the penalty of those maps stands beside them. The
published schedule's distances come from batches of five pictures, which is faster here and moves
them by rounding alone; its CPU seconds from 30 steps of one picture as it is by default, taken
beside each run of the other method, so that both meet the same machine.

``digits``: 40 held-out digits, 20 in each of the two bundled networks. ``large``: a StyleGAN2 of
256 pixels with random weights, few channels and noise of strength 0.1; targets are by turns its own
pictures and those of a second such network, compared by VGG16's layers with a quarter of their
channels and random weights. What is in the file of results is not computed again.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from latentlab import Generator, ProjectorSettings, load, perceptual_distance, project
from latentlab.datasets.digits import digits
from latentlab.images import pixels_to_tensor
from latentlab.latents import draw_z
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.perceptual import ClassifierDistance, PerceptualDistance, unit_normalise
from latentlab.projection.noise import noise_penalty
from latentlab.projection.settings import LEAST_SQUARES, PUBLISHED, STEPS

BATCH, TIMED = 5, 30
VGG = (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512)
COLUMNS = (
    "network", "space", "pictures", "published: steps", "median", "worst", "CPU s", "LM: steps",
    "median", "worst", "CPU s", "ratio of distances: median", "worst", "closer", "ratio of CPU",
    "largest penalty: published", "LM",
)  # fmt: skip
Row = dict[str, Any]


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
    residuals = ClassifierDistance.residuals


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
        self.steps = {PUBLISHED: steps, LEAST_SQUARES: STEPS[LEAST_SQUARES]}

    def run(self, space: str, method: str, which: range) -> Iterator[Row]:
        """Project some pictures; their rows."""
        settings = ProjectorSettings(space, self.steps[method], algorithm=method)
        first, targets = time.process_time(), self.targets[which.start : which.stop]
        found = project(self.g, targets, self.distance, settings=settings, batch=len(targets))
        seconds = (time.process_time() - first) / len(targets)
        penalties = noise_penalty(found.noise).tolist()
        for place, distance, penalty in zip(which, found.distance.tolist(), penalties, strict=True):
            yield {"network": self.name, "space": space, "method": method, "picture": place,
                   "steps": settings.steps, "distance": distance, "penalty": penalty,
                   "seconds": seconds}  # fmt: skip

    def beside(self, space: str, which: range) -> Iterator[Row]:
        """Project one picture by the other method, and time the published one beside it."""
        settings = ProjectorSettings(space, 1, w_samples=100)
        project(self.g, self.targets[:1], self.distance, settings=settings)  # the first is slower
        for row in self.run(space, LEAST_SQUARES, which):
            spent = []
            for steps in (1, 1 + TIMED):
                first = time.process_time()
                project(self.g, self.targets[which.start : which.stop], self.distance,
                        settings=replace(settings, steps=steps))  # fmt: skip
                spent.append(time.process_time() - first)
            yield row | {"published_seconds": (spent[1] - spent[0]) / TIMED * self.steps[PUBLISHED]}


def works(part: str, quick: bool, count: int = 20) -> Iterator[Work]:
    """Yield what is to be measured."""
    if part == "digits":
        pixels = digits("held-out")[0]
        distance = perceptual_distance("builtin:digits")
        for i, name in enumerate(("digits-stylegan1", "digits-stylegan2")):
            targets = pixels_to_tensor(pixels[20 * i : 20 * i + count], 3)
            g = load(f"builtin:{name}").generator
            yield Work(name, g, targets, distance, 50 if quick else STEPS[PUBLISHED])
    else:
        g, other = large(0), large(1)
        z = draw_z(range(5), g.z_dim, seed=1)
        with torch.no_grad():
            pictures = torch.stack([g(z), other(z)], dim=1).flatten(0, 1)
        yield Work("256 px, random", g, pictures[:count], RandomVgg(),
                   10 if quick else 250)  # fmt: skip


def measure(part: str, quick: bool, count: int, file: Path | None) -> list[Row]:
    """Compute what the file lacks, one picture of every kind after the other."""
    rows = [] if file is None or not file.exists() else [*map(json.loads, file.open())]
    known = {(row["network"], row["space"], row["method"], row["picture"]) for row in rows}
    todo = [(work, space) for work in works(part, quick, count) for space in ("w", "w+")]
    for first in range(0, len(todo[0][0].targets), BATCH):
        for work, space in todo:
            last = min(first + BATCH, len(work.targets))
            jobs = [(LEAST_SQUARES, range(i, i + 1)) for i in range(first, last)]
            for method, which in [*jobs, (PUBLISHED, range(first, last))]:
                if (work.name, space, method, which.start) in known:
                    continue
                run = work.beside(space, which) if method != PUBLISHED else None
                for row in run or work.run(space, method, which):
                    rows.append(row)
                    if file is not None:
                        with file.open("a") as out:
                            out.write(json.dumps(row) + "\n")
    return rows


def table(rows: list[Row]) -> Iterator[list[str]]:
    """Yield a line for each network and space, of the pictures that both methods have."""
    for network, space in dict.fromkeys((row["network"], row["space"]) for row in rows):
        mine = [row for row in rows if (row["network"], row["space"]) == (network, space)]
        sides = [{row["picture"]: row for row in mine if row["method"] == m} for m in STEPS]
        both = sorted(sides[0].keys() & sides[1].keys())
        if not both:
            continue
        published, ours = ([side[i] for i in both] for side in sides)
        d = np.array([[row["distance"] for row in side] for side in (published, ours)])
        seconds = np.array([[row["published_seconds"], row["seconds"]] for row in ours])
        ratio, cost = d[1] / d[0], np.median(seconds, axis=0)
        worst = [max(row["penalty"] for row in side) for side in (published, ours)]
        yield [
            network, space, str(len(both)), str(published[0]["steps"]), f"{np.median(d[0]):.5f}",
            f"{d[0].max():.5f}", f"{cost[0]:.1f}", str(ours[0]["steps"]), f"{np.median(d[1]):.5f}",
            f"{d[1].max():.5f}", f"{cost[1]:.1f}", f"{np.median(ratio):.2f}", f"{ratio.max():.2f}",
            f"{(ratio < 1).sum()} of {len(both)}",
            f"{np.median(seconds[:, 1] / seconds[:, 0]):.2f}", f"{worst[0]:.0e}", f"{worst[1]:.0e}",
        ]  # fmt: skip


@click.command()
@click.option("--part", type=click.Choice(["digits", "large"]), default="digits")
@click.option(
    "--count",
    type=click.IntRange(1, 20),
    default=20,
    show_default=True,
    help="Pictures in each network; of the large one there are ten.",
)
@click.option("--results", type=click.Path(path_type=Path), help="Go on from, and add to, a file.")
@click.option("--quick", is_flag=True, help="Two pictures each, and few published steps.")
def main(part: str, count: int, results: Path | None, quick: bool) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rows = measure(part, quick, 2 if quick else count, results)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for cells in table(rows):
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
