"""The results of `latentlab spectrum`: heat maps, slices, and what tells sources apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cli.measuring.results import Results
from cli.measuring.spectra import HEAT, SLICES, SLICES_PLOT, Measurement, Sources
from cli.reports.numbers import in_words, rows_of
from cli.reports.plot_style import (
    WIDTH,
    colour,
    drawn_in,
    legend_outside,
    new_figure,
    quieten,
    wrapped,
)
from cli.text import attributed, one_line
from metrics import MetricResult
from metrics.aliasing.measured_spectra import EXCESS
from metrics.aliasing.power_spectra import ANGLES, Array, heat_map

_COLUMNS = 3  # heat maps beside each other
_MOST_PIXELS = 512  # of a heat map's side
_MAP = "viridis"
_ALONG = {0: "along an axis", 45: "along the diagonal"}


def write(
    results: Results, sources: Sources, found: Sequence[MetricResult], work: Measurement
) -> None:
    """Say what tells the sources apart, and write tables, plots and page."""
    names = [one.short_name for one in sources.every]
    results.tell(*summary(names, found, sources))
    notes = [(name, n) for name, one in zip(names, found, strict=True) for n in one.notes]
    results.warn(*attributed(notes, names))
    parts = [one.samples.assign(model=name) for name, one in zip(names, found, strict=True)]
    slices = pd.concat(parts, ignore_index=True)[["model", "angle", "frequency", "level"]]
    results.table(SLICES, slices)
    results.page.section("Average spectra")
    results.figure(HEAT, lambda: heat_maps(names, _drawn(found, work)), _HEAT)
    results.page.section("Slices")
    results.figure(SLICES_PLOT, lambda: slice_plot(names, slices), _SLICES)
    rows = [one.tidy(result) for one, result in zip(sources.every, found, strict=True)]
    first = found[sources.every.index(sources.models[0]) if sources.models else 0]
    settings = {**first.settings, "seconds": round(sum(r.seconds for r in found), 1)}
    facts = {"models": [one.facts() for one in sources.every], **settings}
    results.finish(pd.concat(rows, ignore_index=True), facts)
    results.point()


_HEAT = (
    "Levels of all frequencies in decibels: the lowest in the middle, the highest that the pixels "
    "hold at the edges. Bright spots off the middle are patterns that repeat."
)
_SLICES = "The same along an axis and along the diagonal, where frequencies reach further."


def summary(names: Sequence[str], found: Sequence[MetricResult], sources: Sources) -> list[str]:
    """Say how far the generators are from real pictures, or what their levels are."""
    lines = []
    real = sources.reals[0].short_name if sources.reals else ""
    for name, result in zip(names, found, strict=True):
        rows = rows_of(result)
        wanted = [row for row in rows if row["quantity"] in EXCESS.values()] or rows
        told = ", ".join(f"{row['quantity']} {in_words(row)} dB" for row in wanted)
        over = f" over {real}" if len(rows) > len(wanted) else ""
        lines.append(f"{name}: {told}{over}.")
    return [one_line(line) for line in lines]


def heat_maps(names: Sequence[str], spectra: Sequence[Array]) -> Figure:
    """Draw decibels of spectra [4R,4R] on one scale."""
    maps = [heat_map(spectrum) for spectrum in spectra]
    columns = min(_COLUMNS, len(maps))
    lines = -(-len(maps) // columns)
    figure = new_figure(WIDTH / _COLUMNS * lines * 1.05 + 0.7, WIDTH * columns / _COLUMNS + 0.3)
    panels = figure.subplots(lines, columns, squeeze=False)
    low, high = (float(f([f(each) for each in maps])) for f in (np.min, np.max))
    image = None
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, levels, name in zip(panels.flat, maps, wrapped(names, 32, 2), strict=False):
        axes.set_axis_on()
        edge = (len(levels) - 1) / 8  # cycles: four samples each, half of them to either side
        step = -(-len(levels) // _MOST_PIXELS)
        image = axes.imshow(levels[::step, ::step], cmap=_MAP, vmin=low, vmax=high,
                            extent=(-edge, edge, edge, -edge))  # fmt: skip
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_xlabel("cycles per picture", fontsize=7)
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=0.8, aspect=30)
        bar.set_label("dB", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    return figure


def slice_plot(names: Sequence[str], slices: pd.DataFrame) -> Figure:
    """Draw levels over frequency, in one panel for each angle."""
    figure = new_figure(3.6, WIDTH)
    panels = figure.subplots(1, len(ANGLES), sharey=True)
    for axes, angle in zip(panels, ANGLES, strict=True):
        for i, name in enumerate(names):
            mine = slices[(slices["model"] == name) & (slices["angle"] == angle)]
            axes.plot(mine["frequency"], mine["level"], color=colour(i), label=name, linewidth=1.2)
        axes.set_xlabel("cycles per picture")
        axes.set_title(_ALONG[angle], fontsize=10)
        quieten(axes)
    panels[0].set_ylabel("dB")
    legend_outside(figure, drawn_in(panels[0]))
    return figure


def _drawn(found: Sequence[MetricResult], work: Measurement) -> list[Array]:
    return [work.spectrum(i) for i in range(len(found))]
