"""Print how often the intervals of attribution hold the truth, and what its threshold promises.

    python -m benchmarks.attribution_coverage [--repeats 1000]

Distances of generated and of real pictures are drawn from distributions whose area under the ROC
curve is known: two normal ones (the area is Phi of their distance over the root of both variances),
with equal or unequal spreads; real pictures of which a part cannot be told from generated ones; and
generated pictures of which a part is farther than all real ones. "Before" is Newcombe's method 5,
which knows neither spread. Tables in Markdown go to stdout, each row as soon as it is known.
"""

import math
from collections.abc import Callable, Iterator

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from benchmarks.markdown import head, row
from metrics.roc import area, area_difference, area_uncertainty, best_threshold
from metrics.statistics import Uncertainty, bootstrap, mean_uncertainty, share_uncertainty

_SIZES = ((10, 10), (20, 20), (50, 50), (200, 200), (20, 200), (200, 20))
_AREAS = (0.6, 0.8, 0.95, 0.99)
_GROUPS = (10, 20, 50, 200)
_CORRELATIONS = (0.0, 0.9)
_PAIRS = ((0.8, 0.8), (0.6, 0.8), (0.8, 0.95), (0.95, 0.99))

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, float, int, int], tuple[Values, Values]]


def two_normals(spread: float) -> Draw:
    """Distances of real pictures with that spread, of generated ones with a spread of 1."""

    def draw(rng: np.random.Generator, true: float, n: int, m: int) -> tuple[Values, Values]:
        shift = float(ndtri(true)) * math.hypot(1, spread)
        return rng.normal(size=n), rng.normal(shift, spread, m)

    return draw


def alike(rng: np.random.Generator, true: float, n: int, m: int) -> tuple[Values, Values]:
    """A part of the real pictures is as the generated ones, the others are far."""
    far = rng.random(m) >= 2 * (1 - true)
    return rng.normal(size=n), rng.normal(size=m) + 20 * far


def failed(rng: np.random.Generator, true: float, n: int, m: int) -> tuple[Values, Values]:
    """A part of the generated pictures was not found, and is farther than all real ones."""
    lost = rng.random(n) >= true
    return rng.normal(size=n) + 40 * lost, rng.normal(20, 1, m)


def rounded(rng: np.random.Generator, true: float, n: int, m: int) -> tuple[Values, Values]:
    """Two normal distributions, rounded to halves, so that many are equal."""
    low, high = two_normals(1)(rng, true, n, m)
    return np.round(low * 2) / 2, np.round(high * 2) / 2


def rounded_area(true: float) -> float:
    """Return the area of ``rounded``: that of two distributions on multiples of a half."""
    shift, at = float(ndtri(true)) * math.sqrt(2), np.arange(-20, 40) / 2
    low, high = (ndtr(at + 0.25 - s) - ndtr(at - 0.25 - s) for s in (0, shift))
    return float(high @ (np.cumsum(low) - low / 2))


KINDS: dict[str, Draw] = {
    "two normal": two_normals(1), "rounded": rounded, "real ones twice as spread": two_normals(2),
    "a part of the real alike": alike, "a part of the generated lost": failed,
}  # fmt: skip


def newcombe(value: float, n: int, m: int) -> tuple[float, float]:
    """Return the interval of Newcombe 2006, method 5."""
    reach, others = float(norm.ppf(0.975)), (n + m) / 2 - 1

    def excess(true: float) -> float:
        correlation = (1 - true) / (2 - true) + true / (1 + true)
        variance = true * (1 - true) * (1 + others * correlation) / (n * m)
        return abs(value - true) - reach * math.sqrt(variance)

    near = min(max(value, 1e-9), 1 - 1e-9)
    low = 0.0 if value <= 1e-9 else float(brentq(excess, 0, near))
    return low, 1.0 if value >= 1 - 1e-9 else float(brentq(excess, near, 1))


def shares_held(ends: list[tuple[float, float]], truth: float) -> Iterator[str]:
    """Yield how many intervals hold the truth, are below and above it in %, and their width."""
    found = np.array(ends)
    below, above = (found[:, 1] < truth).mean(), (found[:, 0] > truth).mean()
    yield from (f"{100 * each:.1f}" for each in (1 - below - above, below, above))
    yield f"{np.diff(found, axis=1).mean():.3f}"


def ends_of(found: Uncertainty) -> tuple[float, float]:
    """Return the ends of an interval."""
    return found.ci_low, found.ci_high


def of_areas(repeats: int) -> None:
    """Print the table of areas."""
    head(f"Area under the ROC curve; {repeats:,} repetitions",
         "distances", "area", "generated, real", "found 1, %",
         "before: held, %", "below", "above", "width",
         "now: held, %", "below", "above", "width")  # fmt: skip
    for number, (name, draw) in enumerate(KINDS.items()):
        for true in _AREAS:
            limit = rounded_area(true) if draw is rounded else true
            for n, m in _SIZES:
                rng = np.random.default_rng([number, int(1000 * true), n, m])
                groups = [draw(rng, true, n, m) for _ in range(repeats)]
                found = [float(area(*pair)) for pair in groups]
                before = [newcombe(each, n, m) for each in found]
                now = [ends_of(area_uncertainty(*pair)) for pair in groups]
                row(name, f"{limit:.3f}", f"{n}, {m}", f"{100 * np.mean(np.array(found) == 1):.0f}",
                    *shares_held(before, limit), *shares_held(now, limit))  # fmt: skip


def of_differences(repeats: int) -> None:
    """Print the table of differences of the areas of two models, on the same real pictures."""
    head(f"Difference of two areas, real pictures the same; {repeats:,} repetitions",
         "areas", "correlation", "each group",
         "apart: held, %", "below", "above", "width",
         "paired: held, %", "below", "above", "width")  # fmt: skip
    for first, second in _PAIRS:
        shifts = [float(ndtri(true)) * math.sqrt(2) for true in (first, second)]
        for correlation in _CORRELATIONS:
            for n in _GROUPS:
                rng = np.random.default_rng([9, int(1e3 * first), int(1e3 * second), n])
                ends: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
                for _ in range(repeats):
                    a, b, own = rng.normal(size=[3, n])
                    real = rng.normal(size=n)
                    other = correlation * real + math.sqrt(1 - correlation**2) * own
                    pair = (a, real + shifts[0]), (b, other + shifts[1])
                    for paired, found in ends.items():
                        found.append(ends_of(area_difference(*pair, paired_positives=paired)[1]))
                cells = [
                    cell for each in ends.values() for cell in shares_held(each, second - first)
                ]
                row(f"{first}, {second}", correlation, n, *cells)


def of_means(repeats: int) -> None:
    """Print the table of means and medians of the distances of a group."""
    head(f"Mean and median of a group; {repeats:,} repetitions",
         "distances", "pictures",
         "mean before: held, %", "below", "above", "width", "mean now: held, %", "below", "above",
         "width", "median: held, %", "below", "above", "width")  # fmt: skip
    for number, (name, sigma) in enumerate({"lognormal, sigma 0.5": 0.5, "sigma 1": 1.0}.items()):
        mean = math.exp(sigma**2 / 2)
        for n in _GROUPS:
            rng = np.random.default_rng([8, number, n])
            groups = [rng.lognormal(0, sigma, n) for _ in range(repeats)]
            before = [ends_of(bootstrap([x], np.mean, i)) for i, x in enumerate(groups)]
            now = [ends_of(mean_uncertainty(x, 0.0)) for x in groups]
            medians = [ends_of(bootstrap([x], np.median, i)) for i, x in enumerate(groups)]
            row(name, n, *shares_held(before, mean), *shares_held(now, mean),
                *shares_held(medians, 1.0))  # fmt: skip


def of_thresholds(repeats: int) -> None:
    """Print what the best threshold says of the pictures that it was chosen on, and of new ones."""
    head(f"The threshold with the largest difference of the rates; {repeats:,} repetitions",
         "area", "each group",
         "rates on the same pictures", "on new ones", "best there is",
         "intervals that hold the rate on new ones: real, %", "generated, %")  # fmt: skip
    for true in _AREAS:
        shift = float(ndtri(true)) * math.sqrt(2)
        for n in _GROUPS:
            rng = np.random.default_rng([7, int(1000 * true), n])
            told, kept, held = [], [], []
            for _ in range(repeats):
                low, high = two_normals(1)(rng, true, n, n)
                at = best_threshold(low, high)
                rates = ndtr(shift - at), ndtr(-at)  # of new pictures
                hits = [int((each >= at).sum()) for each in (high, low)]
                spreads = [share_uncertainty(each, n) for each in hits]
                told.append((hits[0] - hits[1]) / n)
                kept.append(rates[0] - rates[1])
                held.append([each.ci_low <= rate <= each.ci_high
                             for each, rate in zip(spreads, rates, strict=True)])  # fmt: skip
            best = 2 * ndtr(shift / 2) - 1
            row(true, n, *(f"{each:.3f}" for each in (np.mean(told), np.mean(kept), best)),
                *(f"{100 * each:.1f}" for each in np.mean(held, axis=0)))  # fmt: skip


@click.command()
@click.option("--repeats", type=click.IntRange(min=2), default=1000, show_default=True)
@click.option("--table", default="all", type=click.Choice(
    ["all", "areas", "differences", "means", "thresholds"]))  # fmt: skip
@click.option("--quick", is_flag=True, help="Repeat a fifth as often.")
def main(repeats: int, table: str, quick: bool) -> None:
    """Print the tables."""
    tables = {"areas": of_areas, "differences": of_differences, "means": of_means,
              "thresholds": of_thresholds}  # fmt: skip
    for name, print_table in tables.items():
        if table in ("all", name):
            print_table(repeats // 5 if quick else repeats)


if __name__ == "__main__":
    main()
