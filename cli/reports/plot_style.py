"""How every plot looks: size, colours of models, quiet axes."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from latentlab.errors import visible
from latentlab.files import atomic_write

# Okabe and Ito's colours, told apart by colour-blind readers too; a model keeps its own everywhere.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "#595959"
WIDTH = 8.0  # inches

_DPI = 150
_ROUND_DECADES = 3  # up to which 2 and 5 have a number beside 1
_SPREAD = 4.0  # from the least to the most of a logarithmic axis, at least: a number is in sight
_PLACES = {"above": "upper", "below": "lower"}
_CHARACTERS = 10.5  # of a legend to an inch


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure; it is drawn without a window, on any machine."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def colour(index: int) -> str:
    """Return the colour of the model or series of that number."""
    return COLOURS[index % len(COLOURS)]


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Return each model's colour, which it keeps on all plots of a page."""
    return {name: colour(i) for i, name in enumerate(names)}


def quieten(axes: Axes, along: Literal["x", "y"] = "y") -> None:
    """Leave out the frame that says nothing, and draw a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=along, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def draw_shares(
    axes: Axes, values: NDArray[np.float64], edges: Sequence[float], shade: str, label: str
) -> None:
    """Draw the share of values between edges, in percent, in the colour of a model or series."""
    share = np.full(len(values), 100 / max(len(values), 1))
    axes.hist(values, edges, weights=share, histtype="stepfilled", alpha=0.25, color=shade)
    axes.hist(values, edges, weights=share, histtype="step", color=shade, label=label)


def log_edges(values: NDArray[np.float64], bins: int) -> list[float]:
    """Return the edges of bins for a logarithmic axis; zeros count as the least above them."""
    positive = values[values > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 1.0)
    if high < low * _SPREAD:  # equal values, say
        middle = np.sqrt(low * high)
        low, high = middle / np.sqrt(_SPREAD), middle * np.sqrt(_SPREAD)
    edges: list[float] = np.geomspace(low, high, bins + 1).tolist()
    return edges


def log_axis(axes: Axes, edges: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with plain numbers that do not crowd."""
    axes.set_xscale("log")
    few = np.log10(edges[-1] / edges[0]) <= _ROUND_DECADES
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def legend_outside(
    figure: Figure, drawn: Mapping[str, Artist], where: Literal["above", "below"] = "above"
) -> None:
    """Name what is drawn above or below the axes, where it covers nothing."""
    place: Any = f"outside {_PLACES[where]} center"
    line = int(figure.get_figwidth() * _CHARACTERS)
    labels = shortened(list(drawn), line)
    columns = max(1, min(len(labels), line // (max(map(len, labels)) + 8)))
    figure.legend([*drawn.values()], labels, frameon=False, loc=place, ncols=columns)


def drawn_in(axes: Axes) -> dict[str, Artist]:
    """Return what axes hold, by its label."""
    artists, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, artists, strict=True))


def shades(count: int) -> list[tuple[float, float, float, float]]:
    """Return colours from dark to light for an ordered series such as resolutions."""
    scale = mpl.colormaps["viridis"]
    return [scale(0.05 + 0.85 * i / max(count - 1, 1)) for i in range(count)]


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all.

    Names may come from files: they are no formulas, whatever signs they have.
    """
    for text in figure.findobj(Text):
        lines = text.get_text().split("\n")
        if "$" in text.get_text():  # ticks are not drawn yet, and have none
            text.set_parse_math(False)
        if not all(line.isprintable() for line in lines):
            text.set_text("\n".join(map(visible, lines)))
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def shortened(names: Sequence[str], most: int = 40) -> list[str]:
    """Return names that fit: long ones lose their middle, and are numbered where two are alike."""
    cut = [_without_middle(name, most) for name in names]
    alike = {
        name for name in cut if len({a for a, b in zip(names, cut, strict=True) if b == name}) > 1
    }
    number = {name: i for i, name in enumerate(dict.fromkeys(names), 1)}
    return [
        f"{_without_middle(name, most - 5)} ({number[name]})" if short in alike else short
        for name, short in zip(names, cut, strict=True)
    ]


def wrapped(names: Sequence[str], width: int, lines: int = 3) -> list[str]:
    """Return names in a few lines each, shortened to as many."""
    cut = shortened(names, width * lines - width // 2)
    return ["\n".join(textwrap.wrap(name, width)) for name in cut]


def _without_middle(name: str, most: int) -> str:
    start = most // 3
    return name if len(name) <= most else f"{name[:start]}\u2026{name[start + 1 - most :]}"
