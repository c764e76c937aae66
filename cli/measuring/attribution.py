"""The results of `latentlab attribution`: distances, the ROC curve, pairs of pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.measuring.results import Results
from cli.measuring.work import end
from cli.models import Model
from cli.pictures.real_pictures import RealPictures
from cli.reports.numbers import in_words, number_of, rows_of
from cli.reports.plot_style import (
    QUIET,
    colour,
    draw_shares,
    drawn_in,
    legend_outside,
    log_axis,
    log_edges,
    new_figure,
    quieten,
    shortened,
)
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
_MODEL = 30  # characters of a model's name beside its area


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
    results.warn(*result.notes)
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
    rows = {row["quantity"]: row for row in rows_of(result)}
    values = {quantity: number_of(row) for quantity, row in rows.items()}
    real, generated = result.settings["num_real"], result.settings["num_generated"]
    return (
        f"Area under the ROC curve {in_words(rows['auc'])}, from {generated:,} generated and "
        f"{real:,} real pictures; median distance {values['generated_median']} and "
        f"{values['real_median']}. At the threshold {values['threshold']}, a share of "
        f"{values['true_positive_rate']} of the real and {values['false_positive_rate']} of the "
        "generated are taken for real."
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
    edges = log_edges(every, bins)  # an exact projection has distance 0
    for i, (name, values) in enumerate(groups.items()):
        label = f"{name} ({len(values)})"
        draw_shares(axes, np.clip(values, edges[0], None), edges, colour(i), label)
    log_axis(axes, edges)
    rows = {row["quantity"]: row for row in rows_of(result)}
    threshold = rows["threshold"]["value"]
    axes.axvline(max(threshold, edges[0]), color=QUIET, linestyle="--", linewidth=1,
                 label=f"threshold {number_of(rows['threshold'])}")  # fmt: skip
    distance = PurePath(result.settings["distance"]).name
    axes.set_xlabel(f"distance to the projection ({distance}), logarithmic")
    axes.set_ylabel("share of the group, %")
    legend_outside(figure, drawn_in(axes))
    quieten(axes)
    return figure


def roc_curve(result: MetricResult) -> Figure:
    """Draw the ROC curve with its area, and the threshold's point."""
    figure, axes = _unit_square()
    rates = _rates(result)
    axes.plot(*rates, color=colour(0), clip_on=False, label=f"area {_area(result)}")
    axes.fill_between(*rates, color=colour(0), alpha=0.12, linewidth=0)
    place = _values(result)[["false_positive_rate", "true_positive_rate"]]
    axes.plot(*place, "o", color=colour(1), clip_on=False, label="best threshold")
    legend_outside(figure, drawn_in(axes), "below")
    return figure


def roc_curves(results: Mapping[str, MetricResult], colours: Mapping[str, str]) -> Figure:
    """Draw the ROC curves of several models in one plot, each with its area."""
    figure, axes = _unit_square(0.2 * len(results), width=5.6)
    labels = shortened([*results], _MODEL)
    for (name, result), label in zip(results.items(), labels, strict=True):
        text = f"{label}: area {number_of(rows_of(result)[0])}"
        axes.plot(*_rates(result), color=colours[name], clip_on=False, label=text)
    legend_outside(figure, drawn_in(axes), "below")
    return figure


def _unit_square(more: float = 0.0, width: float = 4.8) -> tuple[Figure, Axes]:
    """Return axes for rates, with the diagonal of guessing; ``more`` inches for the legend."""
    figure = new_figure(5.0 + more, width)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="guessing")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="generated taken for real",
             ylabel="real taken for real")  # fmt: skip
    quieten(axes)
    return figure, axes


def _rates(result: MetricResult) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    points = curve(*groups_of(result.samples).values())
    return points["false_positive_rate"], points["true_positive_rate"]


def _area(result: MetricResult) -> str:
    return in_words(rows_of(result)[0])


def examples(found: Projections, names: Sequence[str]) -> Figure:
    """Draw pairs of picture and projection: the closest and the farthest of both groups."""
    rows = {}
    for group in (GENERATED, REAL):
        mine = found.samples[(found.samples["group"] == group) & (found.samples["status"] == "ok")]
        ranked = mine.sort_values("distance").index
        count = min(_PAIRS, -(-len(ranked) // 2))  # the closest are not the farthest as well
        for word, chosen in (("closest", ranked[:count]), ("farthest", ranked[::-1][:count])):
            rows[f"{group},\n{word}"] = [
                cell for i in chosen for cell in _pair(found, int(i), names[int(i)])
            ]
    return tiles(rows)


def _pair(found: Projections, index: int, name: str) -> list[Captioned]:
    pictures = (from_uint8(torch.from_numpy(x[index])) for x in (found.targets, found.projected))
    distance = short(float(f"{found.samples['distance'][index]:.3g}"))
    (below,) = shortened([PurePath(name).name], _NAME)
    return list(zip(pictures, (below, distance), strict=True))


def _values(result: MetricResult) -> "pd.Series[float]":
    """Return the numbers by their quantities."""
    return result.rows.set_index("quantity")["value"]
