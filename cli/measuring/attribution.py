"""The results of `latentlab attribution`: distances, the ROC curve, pairs of pictures."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cli.measuring.results import Results
from cli.measuring.work import end
from cli.models import Model
from cli.pictures.real_pictures import RealPictures
from cli.reports.plot_style import QUIET, colour, draw_shares, new_figure, quieten, shortened
from cli.reports.tables import short
from cli.reports.tiles import Captioned, tiles
from latentlab.images import from_uint8
from metrics import MetricResult
from metrics.roc import curve
from metrics.source_attribution import GENERATED, REAL, Projections, groups_of

DISTANCES, HISTOGRAM, ROC, EXAMPLES = (
    "distances.csv", "histogram.png", "roc.png", "examples.png"
)  # fmt: skip
FILES = (DISTANCES, HISTOGRAM, ROC, EXAMPLES)

_BINS = (12, 50)  # at least, at most
_PAIRS = 4  # of the closest, and of the farthest in each group
_NAME = 14  # characters below a picture


def write(
    results: Results,
    model: Model,
    result: MetricResult,
    found: Projections | None,
    real: RealPictures,
    reading: dict[str, Any],
) -> None:
    """Say how well the groups are told apart, write table, plots and page, and name what is bad.

    ``found`` is what ``result`` was made from, None where its pictures are there already, and
    ``reading`` says how real pictures were read.
    """
    generated = len(result.samples) - len(real)
    names = [*(f"generated {i}" for i in range(generated)), *real.names]
    results.tell(summary(result))
    results.table(DISTANCES, result.samples.assign(picture=names))
    results.page.section("Distances", *(f"Left out: {line}." for line in real.refused))
    caption = "How often each distance between a picture and its projection occurs."
    results.figure(HISTOGRAM, lambda: histogram(result), caption)
    results.page.section("How well they are told apart")
    results.figure(ROC, lambda: roc_curve(result), "Share of real pictures taken for real, against "
                   "the share of generated ones, for every threshold.")  # fmt: skip
    results.page.section("The closest and the farthest")
    pairs = partial(examples, cast(Projections, found), names)
    results.figure(EXAMPLES, pairs, "Pairs of a picture and its projection; below "
                   "the projection, their distance.")  # fmt: skip
    results.finish_one(model, result, **reading, left_out=real.refused)
    end(real.refused, result.settings["diverged"])


def summary(result: MetricResult) -> str:
    """Say how well the distances tell the groups apart."""
    values = _values(result)
    real, generated = result.settings["num_real"], result.settings["num_generated"]
    return (
        f"Area under the ROC curve {result.value:.3f}, 95 % interval {result.ci_low:.3f} to "
        f"{result.ci_high:.3f}, from {generated:,} generated and {real:,} real pictures; median "
        f"distance {values['generated_median']:.4g} and {values['real_median']:.4g}. At the "
        f"threshold {values['threshold']:.4g}, {values['true_positive_rate']:.0%} of the real and "
        f"{values['false_positive_rate']:.0%} of the generated are taken for real."
    )


def histogram(result: MetricResult) -> Figure:
    """Draw how often each distance occurs in both groups, and the threshold between them.

    The axis is logarithmic: a failed projection is many times farther than the others.
    """
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    groups = groups_of(result.samples)
    every = np.concatenate(list(groups.values()))
    bins = int(np.clip(2 * np.sqrt(len(every)), *_BINS))
    low = every[every > 0].min(initial=every.max()) or 1e-6  # an exact projection has distance 0
    edges = np.geomspace(low, max(every.max(), low) * 1.02, bins + 1).tolist()
    for i, (name, values) in enumerate(groups.items()):
        draw_shares(axes, np.clip(values, low, None), edges, i, f"{name} ({len(values)})")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    threshold = max(float(_values(result)["threshold"]), low)
    axes.axvline(threshold, color=QUIET, linestyle="--", linewidth=1)
    axes.annotate(f"threshold {threshold:.3g}", (threshold, 1), (4, -4), color=QUIET,
                  xycoords=("data", "axes fraction"), textcoords="offset points",
                  va="top", fontsize=9)  # fmt: skip
    axes.margins(y=0.15)
    axes.set_xlabel(f"distance to the projection ({result.settings['distance']}), logarithmic")
    axes.set_ylabel("share of the group, %")
    axes.legend(frameon=False)
    quieten(axes)
    return figure


def roc_curve(result: MetricResult) -> Figure:
    """Draw the ROC curve with its area, and the threshold's point."""
    figure = new_figure(4.4, width=4.8)
    axes = figure.add_subplot()
    points = curve(*groups_of(result.samples).values())
    rates = points["false_positive_rate"], points["true_positive_rate"]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="guessing")
    axes.plot(*rates, color=colour(0), clip_on=False)
    axes.fill_between(*rates, color=colour(0), alpha=0.12, linewidth=0)
    place = _values(result)[["false_positive_rate", "true_positive_rate"]]
    axes.plot(*place, "o", color=colour(1), clip_on=False, label="best threshold")
    area = f"area {result.value:.3f}\n95 % interval {result.ci_low:.3f} to {result.ci_high:.3f}"
    axes.text(0.97, 0.24, area, ha="right", va="bottom", fontsize=10)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="generated taken for real",
             ylabel="real taken for real")  # fmt: skip
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    quieten(axes)
    return figure


def examples(found: Projections, names: Sequence[str]) -> Figure:
    """Draw pairs of picture and projection: the closest and the farthest of both groups."""
    rows = {}
    for group in (GENERATED, REAL):
        mine = found.samples[(found.samples["group"] == group) & (found.samples["status"] == "ok")]
        ranked = mine.sort_values("distance").index
        count = min(_PAIRS, len(ranked))
        for word, chosen in (("closest", ranked[:count]), ("farthest", ranked[::-1][:count])):
            rows[f"{group},\n{word}"] = [
                cell for i in chosen for cell in _pair(found, int(i), names[int(i)])
            ]
    return tiles(rows)


def _pair(found: Projections, index: int, name: str) -> list[Captioned]:
    pictures = (from_uint8(torch.from_numpy(x[index])) for x in (found.targets, found.projected))
    distance = short(float(f"{found.samples['distance'][index]:.3g}"))
    return list(zip(pictures, (shortened([name], _NAME)[0], distance), strict=True))


def _values(result: MetricResult) -> "pd.Series[float]":
    """Return the numbers by their quantities."""
    return result.rows.set_index("quantity")["value"]
