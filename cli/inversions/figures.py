"""Plots of a report of inversions: how measures spread, and the worst and best pictures."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.inversions.methods import Method, read_bytes
from cli.reports.plot_style import QUIET, new_figure, quieten, shortened, wrapped
from cli.reports.tables import short
from cli.reports.tiles import Captioned, tiles
from cli.text import plain_text
from metrics import MetricResult
from metrics.picture_pairs.pixels import pair_of, stacked
from metrics.picture_pairs.quality import OK
from metrics.scheme import LOWER

WORST_SHOWN = 8  # pictures, and as many of the best

_PANELS = 3  # side by side
_POINTS = 500  # of a method in a panel: more are drawn by number, evenly
_SPREAD = 0.3  # of the height that a method has, up and down
_TILE = 128  # pixels
_NAME, _METHOD = 12, 14  # characters


def measures_plot(measured: Mapping[str, MetricResult], colours: Mapping[str, str]) -> Figure:
    """Draw a panel for each measure of pictures: points, and the mean of each method."""
    rows = [row for result in measured.values() for row in result.rows.to_dict("records")]
    points = {name for result in measured.values() for name in result.samples}
    every = {row["measure"]: row["quantity"] for row in rows if row["measure"] in points}
    lines = -(-len(every) // _PANELS)
    figure = new_figure((0.9 + 0.34 * len(measured)) * lines)
    panels = figure.subplots(lines, _PANELS, squeeze=False)
    names = wrapped([*measured], _METHOD, 2)
    for place, axes in enumerate(panels.ravel()):
        if place >= len(every):
            axes.set_visible(False)
            continue
        measure, quantity = [*every.items()][place]
        for row, (name, result) in enumerate(measured.items()):
            _draw(axes, result, measure, row, colours[name])
        axes.set_title(quantity, fontsize=10)
        axes.set(yticks=range(len(measured)), ylim=(len(measured) - 0.5, -0.5))
        axes.set_yticklabels(names if place % _PANELS == 0 else [], fontsize=9)
        quieten(axes, "x")
    return figure


def _draw(axes: Axes, result: MetricResult, measure: str, row: int, shade: str) -> None:
    """Draw the pictures of a method as points, and their mean with its interval."""
    rows = result.rows[result.rows["measure"] == measure]
    if rows.empty:
        return
    values = result.samples[measure].dropna().to_numpy(np.float64)
    values = values[np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(int)]
    places = row + _SPREAD * np.random.default_rng(row).uniform(-1, 1, len(values))
    axes.plot(values, places, ".", color=shade, alpha=0.5, markersize=6, markeredgewidth=0)
    mean = rows.iloc[0]
    axes.plot([mean["ci_low"], mean["ci_high"]], [row, row], color="black", linewidth=2)
    axes.plot(mean["value"], row, "o", color="white", markeredgecolor="black", markersize=5)


def ranked(
    measured: Mapping[str, MetricResult], common: Sequence[str]
) -> tuple[list[str], str, str]:
    """Order pictures, the worst first, by the method that is worst on each.

    Returns:
        The names of pictures that all methods have, or of those that any has where there are none;
        what the measure is called; and its column.
    """
    first = next(iter(measured.values())).rows.iloc[0]
    column, quantity = str(first["measure"]), str(first["quantity"])
    sign = 1 if first["better_when"] == LOWER else -1
    worst: dict[str, float] = {}
    for result in measured.values():
        for name, value in zip(result.samples["picture"], result.samples[column], strict=True):
            if np.isfinite(value):
                worst[str(name)] = max(worst.get(str(name), -np.inf), sign * float(value))
    names = [name for name in worst if name in {*common}] or [*worst]
    return sorted(names, key=lambda name: -worst[name]), quantity, column


def pictures_by(
    measured: Mapping[str, MetricResult], methods: Sequence[Method], names: Sequence[str],
    column: str,
) -> Figure:  # fmt: skip
    """Draw targets in a row, and below each what every method made of it, with its number."""
    below = dict(zip(names, shortened([PurePath(name).name for name in names], _NAME), strict=True))
    targets: dict[str, Captioned] = {}
    rows: dict[str, list[Captioned]] = {"target": []}
    labels = wrapped([method.short_name for method in methods], _METHOD)
    for label, method in zip(labels, methods, strict=True):
        samples = measured[method.short_name].samples
        samples = samples[samples["status"] == OK]
        values = dict(zip(samples["picture"], samples[column], strict=True))
        pairs = {plain_text(pair.name): pair for pair in method.found.pairs}
        cells = []
        for name in names:
            if name not in values:
                cells.append((stacked([_blank()])[0], "none"))
                continue
            pair = pair_of(read_bytes(pairs[name].target), read_bytes(pairs[name].result), _TILE)
            targets.setdefault(name, (stacked(pair.targets[:1])[0], below[name]))
            number = short(float(f"{values[name]:.3g}"))
            cells.append((stacked(pair.results[:1])[0], number))
        rows[label] = cells
    rows["target"] = [targets[name] for name in names]
    return tiles(rows)


def _blank() -> "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]":
    return np.full((_TILE, _TILE, 3), int(QUIET[1:3], 16), dtype=np.uint8)
