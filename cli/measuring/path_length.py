"""The results of `latentlab ppl`: lengths, their distribution, and the extreme paths."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure

from cli.measuring.results import Results
from cli.models import Model
from cli.reports.numbers import in_words, number_of, rows_of
from cli.reports.plot_style import (
    QUIET,
    colours_of,
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
from cli.reports.tiles import tiles
from latentlab import Generator
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult
from metrics.path_length import face_crop
from metrics.path_protocols import PathProtocol, path_images

LENGTHS, HISTOGRAM, EXTREMES = "path_lengths.csv", "histogram.png", "extremes.png"
FILES = (LENGTHS, HISTOGRAM, EXTREMES)

_BINS = 60
_NAME = 60  # characters of a model's name
_SHOWN = 8  # pictures of the lowest, and of the highest paths


def check_fit(compare: PerceptualDistance, g: Generator, crop: bool) -> None:
    """Let a distance that does not take the generator's pictures say so before any is made."""
    picture = torch.zeros(1, g.channels, g.resolution, g.resolution)
    compare.check(face_crop(picture) if crop else picture)


def write(results: Results, model: Model, result: MetricResult) -> None:
    """Say the path length, and write table, plots and page."""
    results.tell(summary(result))
    results.warn(*result.notes)
    results.table(LENGTHS, result.samples)
    results.page.section("Distribution")
    results.figure(HISTOGRAM, lambda: histogram({model.short_name: result}),
                   "How often each path length occurs.")  # fmt: skip
    results.page.section("The lowest and the highest paths")
    results.figure(EXTREMES, lambda: _extremes(model.g, result), "Pictures at the start of the "
                   "steps that changed least and most; below each, its path length.")  # fmt: skip
    results.finish_one(model, result)


def summary(result: MetricResult) -> str:
    """Say the value, and what it is worth."""
    (row,) = rows_of(result)
    return f"{row['protocol']} = {in_words(row)}, from {row['n']:,} paths."


def histogram(
    results: Mapping[str, MetricResult], colours: Mapping[str, str] | None = None
) -> Figure:
    """Draw how often each path length occurs, for one model or several, each with its mean.

    The axis is logarithmic: a few paths are hundreds of times longer than most. ``colours`` are
    the models', where others have some already.
    """
    colours = colours_of(list(results)) if colours is None else colours
    figure = new_figure(3.4 + 0.2 * len(results))
    axes = figure.add_subplot()
    lengths = {name: result.samples["path_length"].to_numpy() for name, result in results.items()}
    edges = log_edges(np.concatenate(list(lengths.values())), _BINS)
    labels = shortened(list(lengths), _NAME)
    for (name, values), label in zip(lengths.items(), labels, strict=True):
        mean = results[name].value
        text = f"{label}: mean {number_of(rows_of(results[name])[0])}"
        draw_shares(axes, np.clip(values, edges[0], None), edges, colours[name], text)
        axes.axvline(max(mean, edges[0]), color=colours[name], linestyle="--", linewidth=1)
    log_axis(axes, edges)
    axes.set_xlabel("path length (perceptual distance / epsilon²), logarithmic")
    axes.set_ylabel("share of paths, %")
    legend_outside(figure, drawn_in(axes))
    axes.set_title("dashed: mean without the lowest and highest percent", fontsize=9, color=QUIET)
    quieten(axes)
    return figure


def _extremes(g: Generator, result: MetricResult) -> Figure:
    """Draw the pictures of the lowest and of the highest paths."""
    names = ("space", "sampling", "crop", "epsilon", "noise")
    protocol = PathProtocol(**{name: result.settings[name] for name in names})
    ranked = result.samples.sort_values("path_length")
    shown, rows = min(_SHOWN, len(ranked) // 2), {}
    ends = {"lowest": ranked.head(shown), "highest": ranked.tail(shown)[::-1]}
    for label, part in (ends if shown else {"the only one": ranked}).items():
        images = path_images(g, protocol, part["sample"].tolist(), result.settings["seed"])
        captions = [short(float(f"{length:.3g}")) for length in part["path_length"]]
        rows[label] = list(zip(images, captions, strict=True))
    return tiles(rows)
