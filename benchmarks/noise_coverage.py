"""Print how often the intervals of stochastic variation hold the truth.

    python -m benchmarks.noise_coverage [--repeats 500]

The picture of 8x8 pixels follows its noise linearly, as that of the planted StyleGAN2 in
tests/support/planted/noise.py, on which a test shows that the command measures just this: noise of
4x4 pixels upsampled by taps 1, 3, 3, 1, and noise of 8x8 pixels as it is. Both are multiplied by a
number that differs between latents, so that the mean deviation over all latents is known. "Before"
is the percentile bootstrap over latents. A table in Markdown goes to stdout, each row as soon as it
is known.
"""

from collections.abc import Iterator
from itertools import product

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import foldnorm

from benchmarks.markdown import head, row
from metrics.drawn_deviations import uncertainty
from metrics.statistics import RESAMPLES

_STRENGTHS = {"all": (0.3, 0.2), "coarse": (0.3, 0.0), "fine": (0.0, 0.2)}
_SPREADS = (0.0, 0.1, 0.4)  # of what multiplies the noise of a latent, around 1
_LATENTS = (10, 16, 50)
_DRAWS = (20, 100)
_AT_ONCE = 200  # latents
_TAILS = (0.025, 0.975)

Values = NDArray[np.float64]


def upsampling() -> Values:
    """Return what makes 8 pixels of 4 [8,4]: 3/4 of the nearest and 1/4 of the next, if any."""
    found = np.zeros([8, 4])
    for pixel in range(8):
        nearest, other = pixel // 2, pixel // 2 + (1 if pixel % 2 else -1)
        found[pixel, nearest] = 3 / 4
        if 0 <= other < 4:
            found[pixel, other] = 1 / 4
    return found


def measured(rng: np.random.Generator, latents: int, draws: int) -> dict[str, Values]:
    """Return the mean deviation of latents [D] whose noise is multiplied by 1, by layers."""
    up, found = upsampling(), dict[str, list[Values]]()
    for start in range(0, latents, _AT_ONCE):
        count = min(_AT_ONCE, latents - start)
        coarse = up @ rng.standard_normal([count, draws, 4, 4]) @ up.T
        fine = rng.standard_normal([count, draws, 8, 8])
        for name, (a, b) in _STRENGTHS.items():
            maps = (a * coarse + b * fine).std(axis=1, ddof=1)
            found.setdefault(name, []).append(maps.mean(axis=(1, 2)))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def known(strengths: tuple[float, float]) -> float:
    """Return the mean deviation over pixels, where noise is multiplied by 1."""
    along = (upsampling() ** 2).sum(axis=1)
    return float(np.sqrt(strengths[0] ** 2 * np.outer(along, along) + strengths[1] ** 2).mean())


def resampled_before(values: Values, rng: np.random.Generator) -> Values:
    """Return the percentile interval of the mean of values [N]."""
    drawn = values[rng.integers(len(values), size=[RESAMPLES, len(values)])]
    return np.quantile(drawn.mean(axis=1), _TAILS)


def shares_held(ends: Values, truth: float) -> Iterator[str]:
    """Yield how many intervals [D,2] hold the truth, are below and above it, and their width."""
    below, above = (ends[:, 1] < truth).mean(), (ends[:, 0] > truth).mean()
    width = (ends[:, 1] - ends[:, 0]).mean() / truth
    yield from (f"{100 * each:.1f}" for each in (1 - below - above, below, above, width))


@click.command()
@click.option("--repeats", type=click.IntRange(min=2), default=500, show_default=True)
@click.option("--quick", is_flag=True, help="Repeat a fifth as often.")
def main(repeats: int, quick: bool) -> None:
    """Print the table."""
    repeats = repeats // 5 if quick else repeats
    head(f"{repeats:,} repetitions",
         "between latents", "layers", "draws", "latents", "bias, %",
        "before: held, %", "below", "above", "width",
        "now: held, %", "below", "above", "width")  # fmt: skip
    for draws, n in product(_DRAWS, _LATENTS):
        rng = np.random.default_rng([draws, n])
        plain = measured(rng, repeats * n, draws)
        for spread, (name, values) in product(_SPREADS, plain.items()):
            scales = np.abs(1 + spread * rng.standard_normal(len(values)))
            mean = float(foldnorm(1 / spread, scale=spread).mean()) if spread else 1.0
            truth, parts = mean * known(_STRENGTHS[name]), (scales * values).reshape(-1, n)
            bias = f"{100 * (parts.mean() / truth - 1):+.2f}"
            before = np.stack([resampled_before(each, rng) for each in parts])
            found = [uncertainty(part, draws) for part in parts]
            now = np.array([(each.ci_low, each.ci_high) for each in found])
            cells = [cell for each in (before, now) for cell in shares_held(each, truth)]
            row(f"{100 * spread:.0f} %", name, draws, n, bias, *cells)


if __name__ == "__main__":
    main()
