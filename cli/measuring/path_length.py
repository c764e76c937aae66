"""The results of `latentlab ppl`: lengths, their distribution, and the extreme paths."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure

from cli.measuring.results import Results
from cli.models import Model
from cli.reports.plot_style import QUIET, colour, draw_shares, new_figure, quieten, shortened
from cli.reports.tables import short
from cli.reports.tiles import tiles
from latentlab import Generator
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult
from metrics.path_length import face_crop
from metrics.path_protocols import PathProtocol, path_images

LENGTHS, HISTOGRAM, EXTREMES = "path_lengths.csv", "histogram.png", "extremes.png"
FILES = (LENGTHS, HISTOGRAM, EXTREMES)

_BINS = 60
_SHOWN = 8  # pictures of the lowest, and of the highest paths


def check_fit(compare: PerceptualDistance, g: Generator, crop: bool) -> None:
    """Let a distance that does not take the generator's pictures say so before any is made."""
    picture = torch.zeros(1, g.channels, g.resolution, g.resolution)
    compare.features(face_crop(picture) if crop else picture)


def write(results: Results, model: Model, result: MetricResult) -> None:
    """Say the path length, and write table, plots and page."""
    results.tell(summary(result))
    results.table(LENGTHS, result.samples)
    results.page.section("Distribution")
    results.figure(HISTOGRAM, lambda: histogram({model.name: result}),
                   "How often each path length occurs.")  # fmt: skip
    results.page.section("The lowest and the highest paths")
    results.figure(EXTREMES, lambda: _extremes(model.g, result), "Pictures at the start of the "
                   "steps that changed least and most; below each, its path length.")  # fmt: skip
    results.finish_one(model, result)


def summary(result: MetricResult) -> str:
    """Say the value, and what it is worth."""
    settings = result.settings
    stopped = ", stopped early as asked" if settings["stopped_early"] else ""
    return (
        f"{settings['protocol']} = {result.value:.4g}, 95 % interval {result.ci_low:.4g} to "
        f"{result.ci_high:.4g}, from {settings['n']:,} paths{stopped}."
    )


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
        draw_shares(axes, values, edges, i, label)
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


def _extremes(g: Generator, result: MetricResult) -> Figure:
    """Draw the pictures of the lowest and of the highest paths."""
    names = ("space", "sampling", "crop", "epsilon", "noise")
    protocol = PathProtocol(**{name: result.settings[name] for name in names})
    ranked = result.samples.sort_values("path_length")
    rows = {}
    for label, part in (("lowest", ranked.head(_SHOWN)), ("highest", ranked.tail(_SHOWN)[::-1])):
        images = path_images(g, protocol, part["sample"].tolist(), result.settings["seed"])
        captions = [short(float(f"{length:.3g}")) for length in part["path_length"]]
        rows[label] = list(zip(images, captions, strict=True))
    return tiles(rows)
