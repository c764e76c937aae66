"""Print how often the intervals of path lengths, and of their differences, hold the truth.

    python -m benchmarks.path_length_coverage [--repeats 500] [--lengths ppl/path_lengths.csv ...]

Paths are drawn from distributions whose limit is known: the mean between their first and their
last percent. "Before" is the percentile bootstrap of the published filter, and for differences what
follows from the intervals of both, were they independent. ``--lengths`` adds measured paths, drawn
from with replacement. ``--quick`` repeats a fifth as often. Tables in Markdown go to stdout, each
row as soon as it is known.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr

from benchmarks.markdown import head, row
from metrics import percentile_filter
from metrics.path_length import _looks
from metrics.percentile_filter import Resampled, Values, filtered_mean, left_out
from metrics.statistics import RESAMPLES, difference

_COUNTS = (200, 1000, 5000)
_PAIRS = ((200, 200), (1000, 1000), (200, 1000), (1000, 5000))
_CORRELATIONS = (0.0, 0.9)
_WIDTHS = (0.3, 0.15)  # of an early stop
_MOST = 5000  # paths, where it does not stop
_RESAMPLES = 400  # of differences and early stops, so that it takes minutes; otherwise 1,000
_OF_ONE_SEED = 20  # measurements in a row that are resampled alike
_STEPS = 2_000_000  # of the integral that the limit is
_TAILS = (0.025, 0.975)


class Distribution(NamedTuple):
    """Path lengths as they might be.

    Attributes:
        name: What the tables call it.
        quantile: Takes shares, and returns the lengths below which they lie.
        limit: The mean between the first and the last percent.
    """

    name: str
    quantile: Callable[[Values], Values]
    limit: float


def distributions(measured: Sequence[Path]) -> Iterator[Distribution]:
    """Yield the distributions of the tables, measured ones last."""
    shares = 0.01 + 0.98 * (np.arange(_STEPS) + 0.5) / _STEPS
    for name, known in (
        ("normal, mean 10", stats.norm(10)),
        ("lognormal, sigma 1", stats.lognorm(1)), ("lognormal, sigma 1.5", stats.lognorm(1.5)),
        ("gamma, shape 0.3", stats.gamma(0.3)), ("Pareto, alpha 2.5", stats.pareto(2.5)),
        ("the same less 1 (Lomax)", stats.lomax(2.5)),
    ):  # fmt: skip
        yield Distribution(name, known.ppf, float(known.ppf(shares).mean()))
    for path in measured:
        ordered = np.sort(pd.read_csv(path)["path_length"].to_numpy())
        limit = percentile_filter.exact_mean(ordered)
        yield Distribution(path.parent.name, partial(_of, ordered), limit)


def _of(ordered: Values, shares: Values) -> Values:
    return ordered[np.minimum((shares * len(ordered)).astype(int), len(ordered) - 1)]


def trimmed(weights: Values, share: float) -> Values:
    """Return what multiplies ordered lengths [N] in the trimmed means of each resample [R,N]."""
    at = np.cumsum(weights, axis=1)
    ends = at[:, -1:] * share, at[:, -1:] * (1 - share)
    return np.diff(np.clip(at, *ends), axis=1, prepend=ends[0]) / (ends[1] - ends[0])


def factors_before(n: int, seed: int) -> Values:
    """Return the factors of the published means of draws with replacement [R,N]."""
    rng = np.random.default_rng([3, seed])
    counts = [np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES)]
    return trimmed(np.stack(counts), left_out(n) / n)


def factors_now(n: int, seed: int) -> Values:
    """Return the factors of the means that ``percentile_filter.resample`` gives, in order [R,N]."""
    parts = range(percentile_filter.RESAMPLES // percentile_filter._AT_ONCE)
    weights = [percentile_filter._weights(n, seed, part).T for part in parts]
    return trimmed(np.concatenate(weights), 0.01)


def intervals_before(ordered: Values) -> Values:
    """Return the percentile intervals of measurements [D,N], as they were: [D,2]."""
    return np.concatenate([
        np.quantile(part @ factors_before(part.shape[1], seed).T, _TAILS, axis=1).T
        for seed, part in enumerate(_parts(ordered))
    ])  # fmt: skip


def intervals_now(ordered: Values) -> Values:
    """Return the intervals that ``latentlab ppl`` gives of measurements [D,N]: [D,2].

    Of lengths in order, the means are products with one matrix. As any order is as likely, so do
    they cover as any others.
    """
    found = []
    for seed, part in enumerate(_parts(ordered)):
        means = part @ factors_now(part.shape[1], seed).T
        if seed == 0:
            expected = percentile_filter.resample(part[0], 0).exact
            np.testing.assert_allclose(means[0], expected, rtol=1e-9)
        low, high = np.quantile(means, _TAILS, axis=1)
        values = [filtered_mean(each) for each in part]
        found.append(np.stack([np.minimum(low, values), np.maximum(high, values)], axis=1))
    return np.concatenate(found)


def _parts(ordered: Values) -> list[Values]:
    return np.split(ordered, range(_OF_ONE_SEED, len(ordered), _OF_ONE_SEED))


def shares_held(ends: Values, truth: float, scale: float) -> list[str]:
    """Return how many intervals [D,2] hold the truth, are below and above it, and their width."""
    below, above = (ends[:, 1] < truth).mean(), (ends[:, 0] > truth).mean()
    width = (ends[:, 1] - ends[:, 0]).mean() / scale
    return [f"{100 * each:.1f}" for each in (1 - below - above, below, above, width)]


def of_one_model(known: Sequence[Distribution], repeats: int) -> None:
    """Print the table of path lengths."""
    head(f"Path lengths, %; {repeats:,} repetitions",
         "paths of", "n", "bias", "before: held", "below", "above", "width",
         "now: held", "below", "above", "width")  # fmt: skip
    for number, kind in enumerate(known):
        for n in _COUNTS:
            rng = np.random.default_rng([0, number, n])
            ordered = np.sort(kind.quantile(rng.random([repeats, n])), axis=1)
            values = np.mean([filtered_mean(each) for each in ordered])
            cells = [shares_held(find(ordered), kind.limit, kind.limit)
                     for find in (intervals_before, intervals_now)]  # fmt: skip
            bias = f"{100 * (values / kind.limit - 1):+.1f}"
            row(kind.name, f"{n:,}", bias, *cells[0], *cells[1])


def of_pairs(known: Sequence[Distribution], repeats: int) -> None:
    """Print the table of differences, each number the same path in both models."""
    head(f"Differences, % of the first path length; {repeats:,} repetitions",
         "first", "second", "n", "correlation",
         "before: held", "below", "above", "width",
         "now: held", "below", "above", "width")  # fmt: skip
    pairs = [(known[1], known[3]), *zip(known[6::2], known[7::2], strict=False)]
    for number, (a, b) in enumerate(pairs):
        for counts in _PAIRS:
            for correlation in _CORRELATIONS:
                rng = np.random.default_rng([1, number, *counts])
                z = rng.standard_normal([2, repeats, max(counts)])
                z[1] = correlation * z[0] + math.sqrt(1 - correlation**2) * z[1]
                x, y = (kind.quantile(ndtr(each[:, :n]))
                        for kind, each, n in zip((a, b), z, counts, strict=True))  # fmt: skip
                now = np.array([_paired(*each, seed) for seed, each in
                                enumerate(zip(x, y, strict=True))])  # fmt: skip
                cells = [shares_held(each, b.limit - a.limit, a.limit)
                         for each in (_apart(x, y), now)]  # fmt: skip
                both = " and ".join(f"{n:,}" for n in counts)
                row(a.name, b.name, both, correlation, *cells[0], *cells[1])


def _paired(first: Values, second: Values, seed: int) -> tuple[float, float]:
    parts = [percentile_filter.resample(each, seed) for each in (first, second)]
    change = Resampled(*(y - x for x, y in zip(*parts, strict=True)))
    value = filtered_mean(second) - filtered_mean(first)
    found = percentile_filter.uncertainty(value, change)
    return found.ci_low, found.ci_high


def _apart(first: Values, second: Values) -> Values:
    values, ends = [], []
    for each in (first, second):
        values.append([filtered_mean(lengths) for lengths in each])
        ends.append(intervals_before(np.sort(each, axis=1)))
    return np.array([
        difference((values[1][i], *ends[1][i]), (values[0][i], *ends[0][i]))[1:]
        for i in range(len(first))
    ])  # fmt: skip


def of_early_stops(known: Sequence[Distribution], repeats: int) -> None:
    """Print the table of measurements that stop once their interval is narrow."""
    head(f"Stopped early, of {_MOST:,} paths, %; {repeats:,} repetitions",
         "paths of", "--relative-width", "mean n",
         "held", "below", "above", "width")  # fmt: skip
    for number, kind in enumerate((known[1], *known[7:])):
        for relative in _WIDTHS:
            rng, counts, ends = np.random.default_rng([2, number]), [], []
            for repeat in range(repeats):
                lengths = kind.quantile(rng.random(_MOST))
                for n in _looks(_MOST, relative):
                    found = percentile_filter.spread(lengths[:n], repeat)
                    width = found.ci_high - found.ci_low
                    if width < relative * filtered_mean(lengths[:n]):
                        break
                counts.append(n)
                ends.append((found.ci_low, found.ci_high))
            cells = shares_held(np.array(ends), kind.limit, kind.limit)
            row(kind.name, relative, f"{np.mean(counts):,.0f}", *cells)


@click.command()
@click.option("--repeats", type=click.IntRange(min=2), default=500, show_default=True)
@click.option("--lengths", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              multiple=True, help="A path_lengths.csv of `latentlab ppl`.")  # fmt: skip
@click.option("--table", type=click.Choice(["all", "one", "pairs", "early"]), default="all")
@click.option("--quick", is_flag=True, help="Repeat a fifth as often.")
def main(repeats: int, lengths: tuple[Path, ...], table: str, quick: bool) -> None:
    """Print the tables."""
    known, repeats = list(distributions(lengths)), repeats // 5 if quick else repeats
    tables = {"one": of_one_model, "pairs": of_pairs, "early": of_early_stops}
    for name, print_table in tables.items():
        percentile_filter.RESAMPLES = RESAMPLES if name == "one" else _RESAMPLES
        if table in ("all", name):
            print_table(known, repeats)


if __name__ == "__main__":
    main()
