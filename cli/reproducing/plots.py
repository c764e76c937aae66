"""A table as a picture: what is measured here and what is published, a panel for each column."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.reports.plot_style import (
    QUIET,
    colour,
    drawn_in,
    legend_outside,
    new_figure,
    quieten,
    wrapped,
)
from cli.reproducing.cells import Cell

_ROW = 0.42  # inches
_LONG = 8  # letters of a key that says as much as a name
_NAME = 26  # characters of a row's name in a line
_ACROSS = 2  # panels side by side
_MARGIN = 1.08  # beyond the largest number
_OURS, _THEIRS = "measured here, with its 95 % interval", "published"


def dots(cells: Sequence[Cell]) -> Figure:
    """Draw each cell as a dot, and the published number beside it as a ring."""
    titles = list(dict.fromkeys(cell.column.title for cell in cells))
    names = list(dict.fromkeys(_name(cell) for cell in cells))
    across = min(len(titles), _ACROSS)
    down = -(-len(titles) // across)
    figure = new_figure(0.9 + down * (0.8 + _ROW * len(names)))
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, title in zip(panels, titles, strict=False):
        mine = [cell for cell in cells if cell.column.title == title]
        _panel(axes, mine, names)
        axes.set_title(title, fontsize=10)
    for axes in panels[len(titles) :]:
        axes.set_visible(False)
    panels[0].set_yticks(range(len(names)), wrapped(names, _NAME, 2))
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    legend = {label: artist for axes in panels for label, artist in drawn_in(axes).items()}
    legend_outside(figure, legend)
    return figure


def _name(cell: Cell) -> str:
    """Return what a row is called: "F: + Mixing regularization", or its name if that is enough."""
    row = cell.row
    key, name = (re.sub(r"\W", "", text.lower()) for text in (row.key, row.name))
    if name and key == f"{name}{row.space}":
        return f"{row.name}, {row.space.upper()}"
    if len(key) >= _LONG and name.endswith(key):
        return row.name
    return ": ".join(filter(None, (row.key, row.name)))


def _panel(axes: Axes, cells: Sequence[Cell], names: Sequence[str]) -> None:
    places = [(names.index(_name(cell)), cell) for cell in cells]
    theirs = [(place, cell.figure) for place, cell in places if cell.figure is not None]
    if theirs:
        axes.errorbar(
            [figure.value for _, figure in theirs], [place for place, _ in theirs],
            xerr=[figure.spread or 0 for _, figure in theirs], fmt="o", mfc="none", color=QUIET,
            linewidth=1, label=_THEIRS,
        )  # fmt: skip
    rows = [(place, cell.value) for place, cell in places if cell.value is not None]
    ours = [(place, row) for place, row in rows if pd.notna(row["value"])]
    if ours:
        values = np.array([float(row["value"]) for _, row in ours])
        ends = np.array([[float(row["ci_low"]), float(row["ci_high"])] for _, row in ours]).T
        reach = np.nan_to_num(np.abs(ends - values))  # no interval has no length
        axes.errorbar(
            values, [place for place, _ in ours], xerr=reach, fmt="o", color=colour(0),
            linewidth=1, label=_OURS,
        )  # fmt: skip
    axes.set_xlim(0, axes.dataLim.x1 * _MARGIN)
    axes.tick_params(axis="y", length=0)
    quieten(axes, "x")
