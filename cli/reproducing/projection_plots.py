"""Distances to projections of several models, overlaid: histograms and ROC curves."""

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cli.reports.numbers import in_words, rows_of
from cli.reports.plot_style import (
    QUIET,
    colours_of,
    drawn_in,
    legend_outside,
    log_axis,
    log_edges,
    new_figure,
    quieten,
    shortened,
)
from metrics import MetricResult
from metrics.roc import curve
from metrics.source_attribution import GENERATED, REAL, groups_of

_BINS = (12, 50)  # at least, at most
_NAME = 40  # characters of a model's name


def histograms(found: Mapping[str, MetricResult]) -> Figure:
    """Draw how often each distance occurs in both groups of each model, on one axis."""
    figure = new_figure(3.6 + 0.3 * len(found))
    axes = figure.add_subplot()
    groups = {name: groups_of(result.samples) for name, result in found.items()}
    every = np.concatenate([values for mine in groups.values() for values in mine.values()])
    bins = int(np.clip(2 * np.sqrt(len(every) / len(found)), *_BINS))
    edges, shades = log_edges(every, bins), colours_of([*found])
    labels = dict(zip(found, shortened([*found], _NAME), strict=True))
    for name, mine in groups.items():
        for group, values in mine.items():
            label = f"{labels[name]}, {group} ({len(values)})"
            _draw(axes, np.clip(values, edges[0], None), edges, shades[name], label, group)
    log_axis(axes, edges)
    distance = PurePath(next(iter(found.values())).settings["distance"]).name
    axes.set_xlabel(f"distance to the projection ({distance}), logarithmic")
    axes.set_ylabel("share of the group, %")
    legend_outside(figure, drawn_in(axes))
    quieten(axes)
    return figure


def _draw(
    axes: Axes, values: NDArray[np.float64], edges: list[float], shade: str, label: str, group: str
) -> None:
    """Draw a group: generated pictures filled, real ones as a line."""
    share = np.full(len(values), 100 / max(len(values), 1))
    style = (
        {"histtype": "stepfilled", "alpha": 0.35} if group == GENERATED else {"histtype": "step"}
    )
    axes.hist(values, edges, weights=share, color=shade, label=label, **style)


def roc_curves(found: Mapping[str, MetricResult]) -> Figure:
    """Draw the ROC curve of each model, with its area."""
    figure = new_figure(5.0 + 0.3 * len(found), width=5.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="guessing")
    shades, labels = colours_of([*found]), shortened([*found], _NAME)
    for (name, result), label in zip(found.items(), labels, strict=True):
        groups = groups_of(result.samples)
        points = curve(groups[GENERATED], groups[REAL])
        area = in_words(rows_of(result)[0])
        axes.plot(
            points["false_positive_rate"], points["true_positive_rate"], color=shades[name],
            clip_on=False, label=f"{label}: area {area}",
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="generated taken for real",
             ylabel="real taken for real")  # fmt: skip
    legend_outside(figure, drawn_in(axes), "below")
    quieten(axes)
    return figure
