"""Distances to projections of several models, overlaid."""

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cli.reports.plot_style import (
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
from metrics.source_attribution import GENERATED, groups_of

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
