"""The results of `latentlab ppl`: lengths, their distribution, and the extreme paths."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
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
from cli.reports.tables import joined, short
from cli.reports.tiles import tiles
from cli.text import attributed
from latentlab import Generator
from latentlab.errors import ImageError
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult
from metrics.path_length import face_crop
from metrics.path_protocols import PathProtocol, path_images

LENGTHS, HISTOGRAM, EXTREMES = "path_lengths.csv", "histogram.png", "extremes.png"

_BINS = 60
_NAME = 60  # characters of a model's name
_SHOWN = 8  # pictures of the lowest, and of the highest paths


def check_fit(compare: PerceptualDistance, g: Generator, crop: bool) -> None:
    """Let a distance that does not take the generator's pictures say so before any is made."""
    picture = torch.zeros(1, g.channels, g.resolution, g.resolution)
    try:
        compare.check(face_crop(picture) if crop else picture)
    except ImageError as error:
        cropped = " (the middle of the face, as the protocol has it)" if crop else ""
        raise ImageError(f"{error.message}{cropped}", advice=error.advice) from error


def files_of(protocols: Sequence[str]) -> list[str]:
    """Return the names of the files beside the report: of several protocols, plots of each."""
    return [LENGTHS, *(name for one in protocols for name in _plots(one, len(protocols)))]


def _plots(protocol: str, count: int) -> tuple[str, str]:
    """Return the names of histogram and extremes of one of so many protocols."""
    if count == 1:
        return HISTOGRAM, EXTREMES
    return f"histogram-{protocol}.png", f"extremes-{protocol}.png"


def write(results: Results, model: Model, found: Sequence[MetricResult]) -> None:
    """Say the path length by each protocol, and write table, plots and page."""
    several = len(found) > 1
    results.tell(*map(summary, found))
    notes = [(result.settings["protocol"], note) for result in found for note in result.notes]
    results.warn(*attributed(notes, [result.settings["protocol"] for result in found]))
    results.table(LENGTHS, joined(map(by_protocol, found)) if several else found[0].samples)
    for result in found:
        protocol = result.settings["protocol"]
        histogram_file, extremes_file = _plots(protocol, len(found))
        of = f" by {protocol}" if several else ""
        results.page.section(f"Distribution{of}")
        results.figure(histogram_file, partial(histogram, {model.short_name: result}),
                       f"How often each path length{of} occurs.")  # fmt: skip
        results.page.section(f"The lowest and the highest paths{of}")
        results.figure(extremes_file, partial(_extremes, model.g, result), "Pictures at the start "
                       "of the steps that changed least and most; below each, its path "
                       "length.")  # fmt: skip
    if not several:
        results.finish_one(model, found[0])
        return
    own = ("protocol", "space", "sampling", "crop", "stopped_early", "n")
    shared = {k: v for k, v in found[0].settings.items() if k not in own}
    facts = {**model.facts(), "protocols": [result.settings["protocol"] for result in found],
             **shared, "n": [result.settings["n"] for result in found],
             "seconds": round(sum(result.seconds for result in found), 1)}  # fmt: skip
    results.finish(joined(map(model.tidy, found)), facts)
    results.point()


def by_protocol(result: MetricResult) -> pd.DataFrame:
    """Return the lengths of the paths with their protocol."""
    table = result.samples.copy()
    table.insert(0, "protocol", result.settings["protocol"])
    return table


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
