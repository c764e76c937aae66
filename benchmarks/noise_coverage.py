"""Print how often the intervals of stochastic variation hold the truth.

    python -m benchmarks.noise_coverage [--latents 600] [--repeats 500]

The generator is a StyleGAN2 whose picture follows its noise linearly, so that each pixel's
deviation is known for every latent. Latents are measured once, and measurements of a few are drawn
from them; the truth is the mean of their known deviations. "Before" is the percentile bootstrap
over latents. A table in Markdown goes to stdout, each row as soon as it is known.
"""

from collections.abc import Iterator
from itertools import product

import click
import numpy as np
import torch
from numpy.typing import NDArray

from metrics import stochastic_variation
from metrics.drawn_deviations import uncertainty
from metrics.noise_variation import GREY_LEVELS, latent
from metrics.statistics import RESAMPLES
from tests.support.planted_noise import planted_map, planted_noise, planted_scale

_COARSE, _FINE = 0.3, 0.2
_SLOPES = (0.0, 0.1, 0.3)  # by how much deviations differ between latents
_LATENTS = (10, 16, 50)
_DRAWS = (20, 100)
_TAILS = (0.025, 0.975)
_PARTS = {"all": (_COARSE, _FINE), "coarse": (_COARSE, 0.0), "fine": (0.0, _FINE)}


def resampled_before(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the percentile interval of the mean of values [N]."""
    drawn = values[rng.integers(len(values), size=[RESAMPLES, len(values)])]
    return np.quantile(drawn.mean(axis=1), _TAILS)


def shares_held(ends: NDArray[np.float64], truth: float) -> Iterator[str]:
    """Yield how many intervals [D,2] hold the truth, are below and above it, and their width."""
    below, above = (ends[:, 1] < truth).mean(), (ends[:, 0] > truth).mean()
    width = (ends[:, 1] - ends[:, 0]).mean() / truth
    yield from (f"{100 * each:.1f}" for each in (1 - below - above, below, above, width))


def row(*cells: object) -> None:
    """Print a row of the table."""
    click.echo(f"| {' | '.join(map(str, cells))} |")


@click.command()
@click.option("--latents", type=click.IntRange(min=100), default=600, show_default=True)
@click.option("--repeats", type=click.IntRange(min=2), default=500, show_default=True)
@click.option("--quick", is_flag=True, help="A fifth of both.")
def main(latents: int, repeats: int, quick: bool) -> None:
    """Print the table."""
    latents, repeats = (n // 5 if quick else n for n in (latents, repeats))
    row("between latents", "layers", "draws", "latents", "bias, %",
        "before: held, %", "below", "above", "width",
        "now: held, %", "below", "above", "width")  # fmt: skip
    row(*["---"] * 13)
    for slope, draws in product(_SLOPES, _DRAWS):
        g = planted_noise(_COARSE, _FINE, slope)
        scale = planted_scale(torch.cat([latent(g, i) for i in range(latents)]), slope)
        samples = stochastic_variation(g, latents, draws).samples
        for name, strengths in _PARTS.items():
            truth = scale.mean() * float(planted_map(*strengths).mean()) * GREY_LEVELS
            values = samples[name].to_numpy()
            bias = f"{100 * (values.mean() / truth - 1):+.2f}"
            for n in _LATENTS:
                rng = np.random.default_rng([int(100 * slope), draws, n])
                parts = rng.choice(values, [repeats, n])
                before = np.stack([resampled_before(each, rng) for each in parts])
                found = [uncertainty(part, draws) for part in parts]
                now = np.array([(each.ci_low, each.ci_high) for each in found])
                cells = [cell for each in (before, now) for cell in shares_held(each, truth)]
                row(f"{100 * scale.std() / scale.mean():.0f} %", name, draws, n, bias, *cells)


if __name__ == "__main__":
    main()
