"""Print what spaces and terms of the projector gain on held-out digits, as inversions are judged.

    python -m benchmarks.inversions.gains [--digits 20] [--steps 150]

A Markdown table goes to stdout, each row as soon as it is measured. All runs share seed 0. A star
marks what differs from the published projector's: the 95 % interval of the paired difference
leaves zero out. The norm is the P-norm of the rows of w (1 for the generator's own); "midway" how
sure the bundled classifier is of the pictures halfway between the latents of two digits. Digits
have no faces: the network whose view is compared is that classifier, by the features before its
last layer.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import (
    Projection,
    ProjectorSettings,
    load,
    load_classifier,
    perceptual_distance,
    project,
)
from latentlab.datasets.digits import digits
from latentlab.images import pixels_to_tensor
from latentlab.projection.whitening import Whitening
from metrics import MetricResult, inversion_differences, inversion_quality

PUBLISHED = "published: W"
OPTIONS: dict[str, dict[str, Any]] = {
    PUBLISHED: {},
    "W, pixels 1": {"pixel_weight": 1.0},
    "W, identity 0.1": {"identity_weight": 0.1},
    "W, P-norm 0.00003": {"p_norm_weight": 0.00003},
    "W, P-norm 0.0003": {"p_norm_weight": 0.0003},
    "Z": {"space": "z"},
    "Z from the best of 100": {"space": "z", "start_samples": 100},
    "W+": {"space": "w+"},
    "W+, pixels 1": {"space": "w+", "pixel_weight": 1.0},
    "W+, identity 0.1": {"space": "w+", "identity_weight": 0.1},
    "W+, P-norm 0.00003": {"space": "w+", "p_norm_weight": 0.00003},
    "W+, P-norm 0.0003": {"space": "w+", "p_norm_weight": 0.0003},
    "W+, P-norm 0.003": {"space": "w+", "p_norm_weight": 0.003},
}
MEASURES = {"distance": "builtin:digits", "MSE": "mse", "SSIM": "ssim"}
COLUMNS = ("option", *MEASURES, "norm", "midway")


class Reader:
    """The bundled classifier as a network that tells pictures apart, and as one that reads them."""

    def __init__(self) -> None:
        self._network: Any = load_classifier("builtin:digits-classifier")

    def embeddings(self, images: Tensor) -> Tensor:
        """Return features [N,D] of length 1."""
        return F.normalize(self._network.features(images)[-1].flatten(1), dim=1)

    def sureness(self, images: Tensor) -> Tensor:
        """Return the probability [N] of the likeliest digit."""
        return self._network(images).softmax(dim=1).amax(dim=1)


class Digits:
    """Held-out digits, the generator they are projected into, and what is measured."""

    def __init__(self, count: int, steps: int) -> None:
        pixels, _ = digits("held-out")
        self.g, self.steps = load("builtin:digits-stylegan2").generator, steps
        self.distance, self.reader = perceptual_distance("builtin:digits"), Reader()
        self.targets = pixels_to_tensor(pixels[:count], self.g.channels)
        self.norm = Whitening(self.g)

    def project(self, options: dict[str, Any]) -> Projection:
        """Project all digits at once."""
        settings = ProjectorSettings(steps=self.steps, **options)
        identity = self.reader if settings.identity_weight else None
        return project(
            self.g, self.targets, self.distance, settings=settings, identity=identity,
            batch=len(self.targets),
        )  # fmt: skip

    def measure(self, found: Projection) -> MetricResult:
        """Return the report of the projections."""
        return inversion_quality(self.targets, found.images, [self.distance])

    @torch.no_grad()
    def of_latents(self, ws: Tensor) -> Sequence[float]:
        """Return the mean norm, and how sure the pictures between two latents are read."""
        between = (ws + ws.roll(1, 0)) / 2
        sure = self.reader.sureness(self.g.synthesis(between))
        return self.norm(ws).mean().item(), sure.mean().item()


def rows(work: Digits) -> Iterator[list[str]]:
    """Measure every option."""
    published = None
    for name, options in OPTIONS.items():
        found = work.project(options)
        result = work.measure(found)
        published = published or result
        apart = inversion_differences({PUBLISHED: published, name: result}) if options else None
        numbers = [_number(result, apart, measure) for measure in MEASURES.values()]
        norm, sure = work.of_latents(found.ws)
        yield [name, *numbers, f"{norm:.1f}", f"{sure:.3f}"]


def _number(result: MetricResult, apart: Any, measure: str) -> str:
    """Return a mean, with a star where it differs from the published projector's."""
    (value,) = result.rows.loc[result.rows["measure"] == measure, "value"]
    star = ""
    if apart is not None:
        quantity = result.rows.loc[result.rows["measure"] == measure, "quantity"].iloc[0]
        (row,) = apart[apart["quantity"] == quantity].itertuples()
        star = "*" if row.significant else ""
    return f"{value:.4f}{star}"


@click.command()
@click.option("--digits", "count", type=click.IntRange(6, 299), default=20, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=150, show_default=True)
def main(count: int, steps: int) -> None:
    """Print the table."""
    click.echo(f"| {' | '.join(COLUMNS)} |")
    click.echo("|" + "---|" * len(COLUMNS))
    for row in rows(Digits(count, steps)):
        click.echo(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
