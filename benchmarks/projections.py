"""Print what each option of the projector gains on held-out digits, as Markdown tables.

    python benchmarks/projections.py [--digits 30] [--steps 100 --steps 300] [--seed 0]

Held-out digits are projected into builtin:digits-stylegan2 with the distance builtin:digits.
``distance`` is the mean, ``read`` the share that builtin:digits-classifier takes for the right
digit, ``spread`` the mean squared distance of an image's rows from their mean in deviations of w,
``between`` the share of midpoints between two latents of one digit, with the noise stored in the
generator, that are still read as that digit: a measure of how well latents can be edited.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import click
import torch
from torch import Tensor

import latentlab
from cli.report import to_markdown
from latentlab import Generator, ProjectionStart, ProjectorSettings, project
from latentlab.digits import one_of_each
from latentlab.images import pixels_to_tensor, to_uint8
from latentlab.latents import draw_z, w_statistics
from latentlab.projection_search import row_spread
from latentlab.projector import render
from latentlab.quality import pixel_quality
from latentlab.tuning import TuningSettings, apply_tuning, tune

BATCH = 10  # images optimised at once
OTHERS = 64  # latents that a tuning should leave alone


@dataclass(frozen=True)
class Bench:
    """What all projections share."""

    g: Generator
    distance: latentlab.perceptual.PerceptualDistance
    classifier: torch.nn.Module
    targets: Tensor
    labels: Tensor
    seed: int

    def project(self, steps: int, start: Any = None, masks: Any = None, **changes: Any) -> Any:
        """Project all digits with some settings changed."""
        settings = ProjectorSettings(steps=steps, seed=self.seed, **changes)
        return project(
            self.g, self.targets, self.distance, settings=settings, batch=BATCH, start=start,
            masks=masks,
        )  # fmt: skip

    @torch.no_grad()
    def row(self, name: str, ws: Tensor, images: Tensor, seconds: float) -> dict[str, Any]:
        """Measure latents [N,num_ws,w_dim] and their images [N,C,R,R]."""
        pairs = zip(self.targets, images, strict=True)
        quality = [pixel_quality(*pair) for pair in pairs]
        count = len(images)
        return {
            "projection": name,
            "distance": float(self.distance(self.targets, images).mean()),
            "PSNR": sum(one["psnr"] or 0 for one in quality) / count,
            "SSIM": sum(one["ssim"] or 0 for one in quality) / count,
            "read": f"{self.right(images, self.labels)} of {count}",
            "spread": float(row_spread(ws, w_statistics(self.g)[1]).mean()),
            "between": self.between(ws),
            "seconds": seconds / count,
        }

    def right(self, images: Tensor, labels: Tensor) -> int:
        """How many images the classifier reads as their labels."""
        return int((self.classifier(images).argmax(dim=1) == labels).sum())

    def between(self, ws: Tensor) -> str:
        """How many midpoints between latents of one digit are read as that digit."""
        pairs = [
            (i, j)
            for i, j in itertools.combinations(range(len(ws)), 2)
            if self.labels[i] == self.labels[j]
        ]
        first, second = (torch.tensor(side) for side in zip(*pairs, strict=True))
        images = self.g.synthesis((ws[first] + ws[second]) / 2)
        return f"{self.right(images, self.labels[first])} of {len(pairs)}"


def methods(bench: Bench, steps: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield every way of projecting that takes ``steps`` steps, and its name."""

    def plain(**changes: Any) -> Callable[[], Any]:
        return lambda: bench.project(steps, **changes)

    def twice(first: str, second: str, **changes: Any) -> Callable[[], Any]:
        def run() -> Any:
            half = bench.project(steps // 2, space=first)
            start = ProjectionStart(half.ws, half.noise)
            return bench.project(steps - steps // 2, start, space=second, **changes)

        return run

    yield "W, as published", plain()
    for samples in (100, 1000):
        yield f"W, best of {samples}", plain(start_samples=samples)
    yield "W, without noise on w", plain(w_noise=0.0)
    yield "W, half the steps, and again half", twice("w", "w")
    yield "W, the same without noise on w in the second half", twice("w", "w", w_noise=0.0)
    yield "W+", plain(space="w+")
    yield "W+, best of 1000", plain(space="w+", start_samples=1000)
    for pull in (0.01, 0.1, 1.0):
        yield f"W+, pull {pull:g}", plain(space="w+", w_plus_pull=pull)
    yield "W+, best of 1000, pull 0.1", plain(space="w+", start_samples=1000, w_plus_pull=0.1)
    yield "half W, half W+", twice("w", "w+")
    yield "half W, half W+ without noise on w", twice("w", "w+", w_noise=0.0)


def options_table(bench: Bench, steps: int) -> list[dict[str, Any]]:
    """Measure all methods."""
    rows = []
    for name, run in methods(bench, steps):
        started = time.perf_counter()
        result = run()
        rows.append(bench.row(name, result.ws, result.images, time.perf_counter() - started))
        click.echo(rows[-1], err=True)
    return rows


def continuing_table(bench: Bench, steps: int) -> list[dict[str, Any]]:
    """Go on from a projection in W: the mean distance before, at worst on the way, and after."""
    first = bench.project(steps)
    start = ProjectionStart(first.ws, first.noise)
    rows = []
    for rate, w_noise in itertools.product((0.1, 0.01), (0.05, 0.0)):
        again = bench.project(steps, start, learning_rate=rate, w_noise=w_noise)
        history = again.history.groupby("step")["distance"].mean()
        rows.append({
            "learning rate": rate, "noise on w": w_noise, "before": float(first.distance.mean()),
            "at worst": float(history.max()), "after": float(again.distance.mean()),
        })  # fmt: skip
    return rows


def masks_table(bench: Bench, steps: int) -> list[dict[str, Any]]:
    """Project with only the left or the upper half counting."""
    rows = []
    for name, axis in (("left", 3), ("upper", 2)):
        mask = torch.zeros(1, 1, bench.g.resolution, bench.g.resolution)
        mask.narrow(axis, 0, bench.g.resolution // 2).fill_(1)
        for space in ("w", "w+"):
            region = mask.expand(len(bench.targets), -1, -1, -1)
            masked, plain = (bench.project(steps, masks=m, space=space) for m in (region, None))
            inside, whole = (
                [float(bench.distance(bench.targets, image).mean()) for image in images]
                for images in (
                    [bench.targets.lerp(each.images, region) for each in (masked, plain)],
                    [each.images for each in (masked, plain)],
                )
            )
            rows.append({
                "region": name, "space": space,
                "region, with mask": inside[0], "region, without": inside[1],
                "whole, with mask": whole[0], "whole, without": whole[1],
            })  # fmt: skip
    return rows


def tuning_table(bench: Bench, steps: int) -> list[dict[str, Any]]:
    """Tune to the first ten digits, each alone and all together, from W."""
    ten = replace(bench, targets=bench.targets[:10], labels=bench.labels[:10])
    first = ten.project(steps)
    z = draw_z(range(OTHERS), bench.g.z_dim, bench.seed, stream=999)
    others = bench.g.mapping(z)
    rows = []
    for together, weight in itertools.product((False, True), (0.0, 0.1)):
        settings = TuningSettings(locality_weight=weight)
        groups = [slice(0, 10)] if together else [slice(i, i + 1) for i in range(10)]
        images, moved, sizes = [], [], []
        started = time.perf_counter()
        for group in groups:
            pivots = first.ws[group], [level[group] for level in first.noise]
            change = tune(
                bench.g, *pivots, ten.targets[group], bench.distance, "", settings=settings,
                batch=10,
            )  # fmt: skip
            tuned = apply_tuning(bench.g, change, "")
            images.append(render(tuned, *pivots))
            moved.append(away(tuned, bench.g, others))
            sizes.append(
                sum(one.numel() + 4 * len(scale) for one, scale in change.changes.values())
            )
        row = ten.row("", first.ws, torch.cat(images), time.perf_counter() - started)
        rows.append({
            "tuned": "together" if together else "each alone", "locality": weight,
            **{key: row[key] for key in ("distance", "PSNR", "SSIM", "read", "seconds")},
            "others moved": sum(moved) / len(moved), "bytes": sum(sizes) // len(sizes),
        })  # fmt: skip
        click.echo(rows[-1], err=True)
    row = ten.row("", first.ws, first.images, 0.0)
    kept = {key: row[key] for key in ("distance", "PSNR", "SSIM", "read")}
    return [{"tuned": "not at all", "locality": None, **kept}, *rows]


@torch.no_grad()
def away(tuned: Generator, g: Generator, ws: Tensor) -> float:
    """Mean absolute difference in grey levels between the images of two generators."""
    pixels = [to_uint8(each.synthesis(ws)).float() for each in (tuned, g)]
    return float((pixels[0] - pixels[1]).abs().mean())


def held_out(count: int, seed: int) -> Bench:
    """The bundled generator, and as many held-out digits: the first of each, the second, ..."""
    pixels = [one_of_each("held-out", which) for which in range(-(-count // 10))]
    g = latentlab.load("builtin:digits-stylegan2").generator
    targets = torch.cat([pixels_to_tensor(tens, g.channels) for tens in pixels])[:count]
    return Bench(
        g,
        latentlab.perceptual_distance("builtin:digits"),
        latentlab.load_classifier("builtin:digits-classifier"),
        targets,
        torch.arange(count) % 10,
        seed,
    )


@click.command()
@click.option("--digits", type=click.IntRange(min=20), default=30, show_default=True)
@click.option("--steps", type=int, multiple=True, default=(100, 300), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--table", type=click.Choice(["options", "continuing", "masks", "tuning"]),
              multiple=True, default=("options", "continuing", "masks", "tuning"))  # fmt: skip
def main(digits: int, steps: tuple[int, ...], seed: int, table: tuple[str, ...]) -> None:
    """Print the tables."""
    import pandas as pd

    bench = held_out(digits, seed)
    tables = {
        "options": options_table, "continuing": continuing_table, "masks": masks_table,
        "tuning": tuning_table,
    }  # fmt: skip
    for name in table:
        for count in steps:
            click.echo(f"\n{name}, {count} steps, {digits} digits, seed {seed}\n")
            click.echo(to_markdown(pd.DataFrame(tables[name](bench, count))))


if __name__ == "__main__":
    main()
