"""Print what each option of the projector gains, on held-out digits and the bundled generator.

    python -m benchmarks.projections [--digits 20] [--steps 100 --steps 300]

A Markdown table goes to stdout, each row as soon as it is measured. All runs share seed 0.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from latentlab import (
    Projection,
    ProjectionStart,
    ProjectorSettings,
    StartSearch,
    TuningSettings,
    apply_tuning,
    load,
    load_classifier,
    perceptual_distance,
    project,
    tune,
)
from latentlab.datasets.digits import digits
from latentlab.images import pixels_to_tensor, to_uint8
from latentlab.latents import draw_z
from latentlab.projection.search import render, row_spread
from latentlab.projection.targets import TargetFeatures

COLUMNS = ("option", "steps", "distance", "PSNR (dB)", "read right", "rows apart")
TUNING_STEPS = 100
MORE_STEPS = 100  # in W+ from a saved W


class Digits:
    """Held-out digits, the generator they are projected into, and what is measured."""

    def __init__(self, count: int) -> None:
        pixels, self.labels = digits("held-out")
        opened = load("builtin:digits-stylegan2")
        self.g, self.sha256 = opened.generator, opened.sha256
        self.distance = perceptual_distance("builtin:digits")
        self.classifier = load_classifier("builtin:digits-classifier")
        self.targets = pixels_to_tensor(pixels[:count], self.g.channels)
        self.mask = torch.zeros(count, 1, *self.targets.shape[2:])
        self.mask[..., : self.mask.shape[2] // 2, :] = 1  # the upper half
        self._searches: dict[int, StartSearch] = {}

    def project(self, settings: ProjectorSettings, **options: Any) -> Projection:
        """Project all digits at once."""
        count = settings.start_samples
        if count not in self._searches:
            self._searches[count] = StartSearch(self.g, self.distance, settings)
        return project(
            self.g, self.targets, self.distance, settings=settings, search=self._searches[count],
            batch=len(self.targets), **options,
        )  # fmt: skip

    @torch.no_grad()
    def measure(self, images: Tensor, ws: Tensor, masks: Tensor | None = None) -> list[str]:
        """Mean distance, PSNR and share read right; all but the last within the masks."""
        within = torch.ones(1) if masks is None else masks
        error = (to_uint8(images).float() - to_uint8(self.targets).float()).square() * within
        share = within.expand_as(error).mean(dim=[1, 2, 3])
        psnr = 10 * np.log10(255**2 / (error.mean(dim=[1, 2, 3]) / share).numpy())
        distances = TargetFeatures(self.distance, self.targets, masks)(images)
        read = self.classifier(images).argmax(dim=1).numpy()
        right = np.mean(read == self.labels[: len(read)])
        apart = row_spread(ws, self._searches[0].deviation).mean().item()
        return [
            f"{distances.mean().item():.4f}", f"{psnr.mean():.2f}", f"{right:.0%}", f"{apart:.3f}"
        ]  # fmt: skip

    def tuned(self, found: Projection) -> tuple[Tensor, float]:
        """Images after tuning to all, and the distance that other images moved."""
        tuning = tune(
            self.g, found.ws, found.noise, self.targets, self.distance, self.sha256,
            settings=TuningSettings(steps=TUNING_STEPS), batch=len(self.targets),
        )  # fmt: skip
        g = apply_tuning(self.g, tuning, self.sha256)
        others = self.g.mapping(draw_z(range(100), g.z_dim, seed=1))
        with torch.no_grad():
            moved = self.distance(self.g.synthesis(others), g.synthesis(others)).mean().item()
        return render(g, found.ws, found.noise), moved


def rows(work: Digits, steps: int) -> Iterator[list[str]]:
    """Measure every option at a number of steps."""
    plain = ProjectorSettings(steps=steps)
    published = work.project(plain)
    yield ["published: W from the mean", *work.measure(published.images, published.ws)]
    for samples in (100, 1000):
        found = work.project(replace(plain, start_samples=samples))
        yield [f"W from the best of {samples}", *work.measure(found.images, found.ws)]
    for pull in (0.0, 0.003, 0.03):
        found = work.project(replace(plain, space="w+", w_plus_pull=pull))
        name = f"W+, pull {pull:g}" if pull else "W+"
        yield [name, *work.measure(found.images, found.ws)]
    more = replace(plain, space="w+", steps=MORE_STEPS, w_noise=0.0)
    found = work.project(more, start=ProjectionStart(published.ws, published.noise))
    yield [f"published, then {MORE_STEPS} steps in W+", *work.measure(found.images, found.ws)]
    upper = work.measure(published.images, published.ws, work.mask)
    yield ["published, measured on the upper half", *upper]
    found = work.project(plain, masks=work.mask)
    yield ["mask, measured on the upper half", *work.measure(found.images, found.ws, work.mask)]
    images, moved = work.tuned(published)
    name = f"published, then {TUNING_STEPS} steps of tuning (others move {moved:.4f})"
    yield [name, *work.measure(images, published.ws)]


@click.command()
@click.option("--digits", "count", type=click.IntRange(1, 299), default=20, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), multiple=True, default=[100, 300])
def main(count: int, steps: tuple[int, ...]) -> None:
    """Print the table."""
    work = Digits(count)
    click.echo(f"| {' | '.join(COLUMNS)} |")
    click.echo("|" + "---|" * len(COLUMNS))
    for number in steps:
        for name, *numbers in rows(work, number):
            click.echo(f"| {' | '.join([name, str(number), *numbers])} |")


if __name__ == "__main__":
    main()
