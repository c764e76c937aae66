"""How every plot looks: size, colours of models, quiet axes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentlab.files import atomic_write

# Okabe and Ito's colours, told apart by colour-blind readers too; a model keeps its own everywhere.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "#595959"
WIDTH = 8.0  # inches

_DPI = 150


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure; it is drawn without a window, on any machine."""
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def colour(index: int) -> str:
    """Return the colour of the model or series of that number."""
    return COLOURS[index % len(COLOURS)]


def quieten(axes: Axes, along: Literal["x", "y"] = "y") -> None:
    """Leave out the frame that says nothing, and draw a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=along, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def draw_shares(
    axes: Axes, values: NDArray[np.float64], edges: Sequence[float], index: int, label: str
) -> None:
    """Draw the share of values between edges, in percent, in the colour of a model or series."""
    share = np.full(len(values), 100 / len(values))
    axes.hist(values, edges, weights=share, histtype="stepfilled", alpha=0.25, color=colour(index))
    axes.hist(values, edges, weights=share, histtype="step", color=colour(index), label=label)


def shades(count: int) -> list[tuple[float, float, float, float]]:
    """Return colours from dark to light for an ordered series such as resolutions."""
    scale = mpl.colormaps["viridis"]
    return [scale(0.05 + 0.85 * i / max(count - 1, 1)) for i in range(count)]


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def shortened(names: Sequence[str], most: int = 40) -> list[str]:
    """Return names that fit a legend: long ones keep their end, which tells files apart."""
    return [name if len(name) <= most else f"...{name[3 - most :]}" for name in names]
