"""Plots of the perceptual path length: its distribution over paths."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from cli.reports.plot_style import QUIET, colour, new_figure, quieten, shortened
from metrics import MetricResult

_BINS = 60


def histogram(results: Mapping[str, MetricResult]) -> Figure:
    """Draw how often each path length occurs, for one model or several, each with its mean.

    The axis is logarithmic: a few paths are hundreds of times longer than most.
    """
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    lengths = {name: result.samples["path_length"].to_numpy() for name, result in results.items()}
    positive = np.concatenate([values[values > 0] for values in lengths.values()])
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 1.0)
    edges = np.geomspace(low, max(high, low * 1.01), _BINS + 1).tolist()
    labels = shortened(list(lengths))
    for i, (name, label) in enumerate(zip(lengths, labels, strict=True)):
        values, mean = np.clip(lengths[name], low, None), results[name].value
        share = np.full(len(values), 100 / len(values))
        axes.hist(values, edges, weights=share, histtype="stepfilled", alpha=0.25, color=colour(i))
        axes.hist(values, edges, weights=share, histtype="step", color=colour(i), label=label)
        axes.axvline(mean, color=colour(i), linestyle="--", linewidth=1)
        axes.annotate(f"{mean:.4g}", (mean, 1), (3, -3 - 13 * i), color=colour(i),
                      xycoords=("data", "axes fraction"), textcoords="offset points",
                      va="top", fontsize=9, zorder=5,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("path length (perceptual distance / epsilon²), logarithmic")
    axes.set_ylabel("share of paths, %")
    if len(labels) > 1:
        axes.legend(frameon=False)
    axes.set_title("dashed: mean without the lowest and highest percent", fontsize=9, color=QUIET)
    quieten(axes)
    return figure
