"""Print how biased scores of linear separability are, and how often their intervals hold the limit.

    python benchmarks/separability_coverage.py [--cells 64x8,64x31] [--repetitions 500] [--quick]

A cell is DxR: latents of D dimensions, R of them kept for each dimension. Latents are Gaussian; an
attribute's logit is a plane with noise, of which the most confident half is kept. Forty attributes
are of five kinds: "hard", "middle" and "easy" have classes of equal size (correlation of the logit
with the plane 0.4, 0.7, 0.9); "10 %" and "2 %" are the share of positives kept (0.8). Those from 20
on have planes that share 0.8 with one of the first 20, and noise that shares 0.5, as attributes of
similar models, or of one, do.

What intervals must hold is the limit: the entropy that the plane of least squared hinge loss leaves
open with any number of samples, by numerical integration. Planes, entropies and intervals come from
metrics/separability; no pictures are made. Widths are those of intervals as a share of the score.
Last, differences of scores over 5 and 20 attributes of the first and the last twenty, as two
models on the same latents; "unequal" has half the samples in the second model. "Apart" takes the
two for independent. Bias is that of the mean in bits.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from metrics.result import MetricResult
from metrics.separability.entropy import conditional_entropy
from metrics.separability.pairs import uncertainty_of
from metrics.separability.planes import fit_planes
from metrics.separability.score import METRIC
from metrics.separability.summary import cross_fitted_in, scores, summarise
from metrics.statistics import difference

CELLS = "64x8,64x16,64x31,64x125,512x8,64x500,512x31,512x125"
KINDS = {"hard": (0.4, 0.5), "middle": (0.7, 0.5), "easy": (0.9, 0.5),
         "10 %": (0.8, 0.1), "2 %": (0.8, 0.02)}  # fmt: skip
ATTRIBUTES, SPACE = 40, "z"
_SHARED_PLANE, _SHARED_NOISE = 0.8, 0.5
_REACH = 9.0  # standard deviations that integrals go to


@cache
def cut(share: float) -> tuple[float, float]:
    """Return the shift of a logit, and the size that half of all exceed, for a share of positives.

    Of N(shift, 1), a half is beyond the size, and of these the share is positive.
    """

    def wrong(x: NDArray[np.float64]) -> list[float]:
        shift, size = x
        above, below = stats.norm.sf(size - shift), stats.norm.cdf(-size - shift)
        return [above + below - 0.5, above - share / 2]

    shift, size = optimize.root(wrong, [stats.norm.ppf(share), 0.7], tol=1e-12).x
    return float(shift), float(size)


@cache
def limit(kind: str) -> float:
    """Return the entropy in bits that the plane of least squared hinge loss leaves open."""
    correlation, share = KINDS[kind]
    shift, size = cut(share)
    noise = math.sqrt(1 - correlation**2)
    s = np.linspace(-_REACH, _REACH, 20001)
    density = stats.norm.pdf(s)
    positive = density * stats.norm.sf((size - shift - correlation * s) / noise)
    negative = density * stats.norm.cdf((-size - shift - correlation * s) / noise)

    def loss(plane: NDArray[np.float64]) -> float:
        value = plane[0] * s + plane[1]
        lost = positive * np.maximum(0, 1 - value) ** 2 + negative * np.maximum(0, 1 + value) ** 2
        return float(integrate.trapezoid(lost, s))

    slope, offset = optimize.minimize(loss, [1.0, 0.0], method="BFGS", tol=1e-12).x
    beyond = _bivariate(-offset / slope, size - shift, correlation)
    lost = _bivariate(-offset / slope, -size - shift, correlation, below=True)
    cells = [[beyond, lost], [share / 2 - beyond, (1 - share) / 2 - lost]]
    return float(conditional_entropy(np.array(cells)))


def _bivariate(at: float, logit: float, correlation: float, below: bool = False) -> float:
    """Return P(s > at, l > logit) of standard normal variables, or with l below."""
    both = stats.multivariate_normal.cdf([-at, -logit], cov=[[1, correlation], [correlation, 1]])
    return float(stats.norm.sf(at) - both if below else both)


def draw(
    d: int, kept: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw latents [2*kept,D], and logits of the attributes [A,2*kept]."""
    half = ATTRIBUTES // 2
    planes = rng.standard_normal([ATTRIBUTES, d])
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    planes[half:] = _SHARED_PLANE * planes[:half] + math.sqrt(1 - _SHARED_PLANE**2) * planes[half:]
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    z = rng.standard_normal([2 * kept, d], dtype=np.float32)
    noise = rng.standard_normal([ATTRIBUTES, 2 * kept])
    noise[half:] = _SHARED_NOISE * noise[:half] + math.sqrt(1 - _SHARED_NOISE**2) * noise[half:]
    settings = [KINDS[kind] for kind in kinds()]
    correlation = np.array([each for each, _ in settings])[:, None]
    shift = np.array([cut(share)[0] for _, share in settings])[:, None]
    return z, shift + correlation * (planes @ z.T) + np.sqrt(1 - correlation**2) * noise


def kinds() -> list[str]:
    """Return the kind of each attribute."""
    names = [*KINDS]
    return [names[i % len(names)] for i in range(ATTRIBUTES)]


def measured(z: NDArray[np.float32], logits: NDArray[np.float64], seed: int) -> MetricResult:
    """Measure attributes as linear_separability does."""
    planes = fit_planes({SPACE: lambda: z}, logits, len(z) // 2, seed=seed)
    rows, table, draws = summarise(planes, [str(i) for i in range(len(logits))], seed)
    settings = {"protocol": "ls", "n": len(z), "seed": seed}
    return MetricResult(METRIC, rows, settings, table, replicates=draws)


def part(result: MetricResult, chosen: list[int]) -> MetricResult:
    """Return the result of some of the attributes, numbered anew."""
    table = result.samples.iloc[chosen].reset_index(drop=True)
    table["attribute"] = [str(i) for i in range(len(table))]
    columns = [*chosen, *(i + len(result.samples) for i in chosen)]
    draws = result.replicates.iloc[:, columns]
    draws.columns = [str(i) for i in range(len(columns))]
    return MetricResult(METRIC, scores(table, draws), result.settings, table, replicates=draws)


def groups() -> Iterator[tuple[str, list[int]]]:
    """Yield sets of attributes, by what a row of the table calls them."""
    names = kinds()
    of = {kind: [i for i, name in enumerate(names) if name == kind] for kind in KINDS}
    for kind in ("middle", "easy"):
        for start in (0, 3):
            yield f"3, {kind}", of[kind][start : start + 3]
    for start in range(0, ATTRIBUTES, 10):
        yield "10, all kinds", [*range(start, start + 10)]
    yield "40, all kinds", [*range(ATTRIBUTES)]


def observations(d: int, kept: int, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what one repetition shows, by the row of the table that it belongs to."""
    z, logits = draw(d, kept, np.random.default_rng([seed, d, kept]))
    whole = measured(z, logits, seed)
    yield from _alone(whole.samples)
    truth = np.array([limit(kind) for kind in kinds()])
    for name, chosen in groups():
        rows = part(whole, chosen).rows.to_dict("records")
        best = float(2 ** truth[chosen].sum())
        found = {"limit": best}
        for column, row in zip(("fitted", "honest"), rows, strict=True):
            found |= _seen(column, best, row["value"], row["ci_low"], row["ci_high"])
        yield name, found
    half = len(z) // 2
    fewer = measured(z[:half], logits[20:, :half], seed)
    for count in (5, 20):
        mine, last = part(whole, [*range(count)]), part(whole, [*range(20, 20 + count)])
        yield f"difference of {count}, equal n", _difference(mine, last)
        yield f"difference of {count}, unequal n", _difference(mine, part(fewer, [*range(count)]))


def _alone(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what each attribute shows by itself."""
    ends = (("fitted", "entropy", "ci_low", "ci_high"),
            ("honest", "cross_fitted", "cross_fitted_low", "cross_fitted_high"))  # fmt: skip
    for kind, row in zip(kinds(), table.to_dict("records"), strict=True):
        found = {"limit": 2 ** limit(kind)}
        for column, *names in ends:
            found |= _seen(column, found["limit"], *(2 ** row[name] for name in names))
        yield f"1, {kind}", found


def _seen(column: str, best: float, value: float, low: float, high: float) -> dict[str, float]:
    return {
        f"{column} bias": math.log2(value / best), f"{column} covers": low <= best <= high,
        f"{column} width": 100 * (high - low) / best,
    }  # fmt: skip


def _difference(a: MetricResult, b: MetricResult) -> dict[str, float]:
    """Return whether the interval of a difference holds zero, as compare takes it and otherwise."""
    rows = [each.rows.to_dict("records")[1] for each in (a, b)]
    first, second = ((row["value"], row["ci_low"], row["ci_high"]) for row in rows)
    apart = difference(second, first)
    own = uncertainty_of(a, b, cross_fitted_in(SPACE))
    low, high = apart[1:] if own is None else (own.ci_low, own.ci_high)
    return {
        "limit": 0.0, "paired covers": low <= 0 <= high,
        "paired width": 100 * (high - low) / first[0],
        "apart covers": apart[1] <= 0 <= apart[2],
        "apart width": 100 * (apart[2] - apart[1]) / first[0],
    }  # fmt: skip


def table_of(cell: str, seen: dict[str, list[dict[str, float]]], repetitions: int) -> pd.DataFrame:
    """Return the rows of a cell."""
    lines = []
    for name, found in seen.items():
        frame = pd.DataFrame(found)
        mean = frame.astype(float).mean()
        line = {"D x kept/D": cell, "attributes": name, "limit": f"{mean['limit']:.4g}"}
        for column in ("fitted", "honest", "paired", "apart"):
            if f"{column} covers" in mean:
                line[f"{column} covers"] = f"{100 * mean[f'{column} covers']:.1f} %"
                line[f"{column} width"] = f"{mean[f'{column} width']:.3g} %"
            if f"{column} bias" in mean:
                line[f"{column} bias"] = f"{100 * (2 ** mean[f'{column} bias'] - 1):+.3g} %"
        lines.append({**line, "repetitions": repetitions, "intervals": len(frame)})
    return pd.DataFrame(lines)


def show(table: pd.DataFrame) -> None:
    """Print a table in Markdown: scores, and then differences."""
    apart = table["attributes"].str.startswith("difference")
    for rows in (table[~apart], table[apart]):
        columns = [name for name in rows.columns if rows[name].notna().all()]
        print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
        for row in rows[columns].to_dict("records"):
            print("| " + " | ".join(map(str, row.values())) + " |")
        print(flush=True)


# fmt: off
@click.command()
@click.option("--cells", default=CELLS, show_default=True, help="D x samples kept for each.")
@click.option("--repetitions", default=500, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=math.inf, help="A cell ends after these.")
@click.option("--quick", is_flag=True, help="Two small cells with 20 repetitions.")
def main(cells: str, repetitions: int, seconds: float, quick: bool) -> None:
    """Simulate cell by cell, and print each as it is done."""
    if quick:
        cells, repetitions = "16x8,16x31", 20
    for cell in cells.split(","):
        d, each = map(int, cell.split("x"))
        seen: dict[str, list[dict[str, float]]] = defaultdict(list)
        begun, done = time.monotonic(), 0
        while done < repetitions and (done == 0 or time.monotonic() - begun < seconds):
            for name, found in observations(d, d * each, done):
                seen[name].append(found)
            done += 1
        show(table_of(cell, seen, done))
# fmt: on


if __name__ == "__main__":
    main()
