"""Print how biased scores of linear separability are, and how often their intervals hold the limit.

    python -m benchmarks.separability.coverage [--cells 64x8,64x31] [--repetitions 500] [--quick]
        [--attributes 40] [--keep-fits DIR [--kept-only]]

A cell is DxR: latents of D dimensions, R of them kept for each dimension. Attributes are those of
benchmarks/separability/fits.py.

What intervals must hold is the limit: the entropy that the plane of least squared hinge loss leaves
open with any number of samples, by numerical integration. Entropies and intervals come from
metrics/separability; no pictures are made. Widths are those of intervals as a share of the score.
Last, differences of scores over 5 and 20 attributes of the first and the last twenty, as two
models on the same latents; "unequal" has half the samples in the second model. "Apart" takes the
two for independent. Bias is that of the mean in bits.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.separability.fits import SPACE, Cell, fits, has_fits, limit
from metrics.result import MetricResult
from metrics.separability.pairs import uncertainty_of
from metrics.separability.planes import Planes
from metrics.separability.score import METRIC
from metrics.separability.summary import cross_fitted_in, scores, summarise
from metrics.statistics import difference

CELLS = "64x8,64x16,64x31,64x125,512x8,64x500,512x31,512x125"


def measured(planes: Planes, d: int, seed: int) -> MetricResult:
    """Measure attributes as linear_separability does."""
    attributes, n = planes.cells.shape
    rows, table, draws = summarise(planes, [str(i) for i in range(attributes)], {SPACE: d}, seed)
    settings = {"protocol": "ls", "n": n, "seed": seed}
    return MetricResult(METRIC, rows, settings, table, replicates=draws)


def part(result: MetricResult, chosen: list[int]) -> MetricResult:
    """Return the result of some of the attributes, numbered anew."""
    table = result.samples.iloc[chosen].reset_index(drop=True)
    table["attribute"] = [str(i) for i in range(len(table))]
    columns = [*chosen, *(i + len(result.samples) for i in chosen)]
    draws = result.replicates.iloc[:, columns]
    draws.columns = [str(i) for i in range(len(columns))]
    return MetricResult(METRIC, scores(table, draws), result.settings, table, replicates=draws)


def groups(cell: Cell) -> Iterator[tuple[str, list[int]]]:
    """Yield sets of attributes, by what a row of the table calls them."""
    names, every = cell.kinds(), cell.attributes
    for kind in ("middle", "easy"):
        of = [i for i, name in enumerate(names) if name == kind]
        for start in (0, 3):
            if len(of) >= start + 3:
                yield f"3, {kind}", of[start : start + 3]
    for start in range(0, every, 10):
        yield "10, all kinds", [*range(start, start + 10)]
    if every > 10:
        yield f"{every}, all kinds", [*range(every)]


def observations(
    cell: Cell, seed: int, folder: Path | None
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what one repetition shows, by the row of the table that it belongs to."""
    whole, fewer = (measured(planes, cell.d, seed) for planes in fits(cell, seed, folder))
    names, half = cell.kinds(), cell.attributes // 2
    yield from _alone(names, whole.samples)
    truth = np.array([limit(kind) for kind in names])
    for name, chosen in groups(cell):
        rows = part(whole, chosen).rows.to_dict("records")
        best = float(2 ** truth[chosen].sum())
        found = {"limit": best}
        for column, row in zip(("fitted", "honest"), rows, strict=True):
            found |= _seen(column, best, row["value"], row["ci_low"], row["ci_high"])
        yield name, found
    for count in sorted({5, half}):
        mine, last = part(whole, [*range(count)]), part(whole, [*range(half, half + count)])
        yield f"difference of {count}, equal n", _difference(mine, last)
        yield f"difference of {count}, unequal n", _difference(mine, part(fewer, [*range(count)]))


def _alone(kinds: list[str], table: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what each attribute shows by itself."""
    ends = (("fitted", "entropy", "ci_low", "ci_high"),
            ("honest", "cross_fitted", "cross_fitted_low", "cross_fitted_high"))  # fmt: skip
    for kind, row in zip(kinds, table.to_dict("records"), strict=True):
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
@click.option("--attributes", default=40, show_default=True, help="Of each cell: 10, 20, 30, ...",
              type=click.IntRange(10))
@click.option("--repetitions", default=500, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=math.inf, help="A cell ends after these.")
@click.option("--keep-fits", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for what planes say; those in it are not fitted again.")
@click.option("--kept-only", is_flag=True, help="Fit none: a cell ends with the fits kept.")
@click.option("--quick", is_flag=True, help="Two small cells with 20 repetitions.")
def main(
    cells: str, attributes: int, repetitions: int, seconds: float, keep_fits: Path | None,
    kept_only: bool, quick: bool,
) -> None:
    """Simulate cell by cell, and print each as it is done."""
    if quick:
        cells, repetitions = "16x8,16x31", 20
    if attributes % 10:
        raise click.BadParameter("attributes are a multiple of ten: two of each kind")
    if kept_only and keep_fits is None:
        raise click.UsageError("--kept-only takes fits from the folder of --keep-fits")
    for name in cells.split(","):
        d, each = map(int, name.split("x"))
        cell = Cell(d, each, attributes)
        seen: dict[str, list[dict[str, float]]] = defaultdict(list)
        begun, done = time.monotonic(), 0
        while done < repetitions and (done == 0 or time.monotonic() - begun < seconds):
            if kept_only and not has_fits(cell, done, keep_fits):
                break
            for row, found in observations(cell, done, keep_fits):
                seen[row].append(found)
            done += 1
        if done:
            show(table_of(name, seen, done))
# fmt: on


if __name__ == "__main__":
    main()
