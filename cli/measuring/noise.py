"""Plots of stochastic variation: maps of the deviation, crops of several draws, versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from cli.reports.plot_style import COLOURS, new_figure
from latentlab.images import tensor_to_picture
from metrics.noise_variation import GREY_LEVELS

_MARK = COLOURS[1]
_CELL = 1.5  # inches
_LEAST = 16  # pixels, the smallest square shown


@dataclass(frozen=True)
class Example:
    """One latent as the pictures show it.

    Attributes:
        number: The latent's.
        images: It under several draws of all noise maps [N,C,R,R].
        maps: Each pixel's standard deviation [C,R,R] by set of layers.
        versions: It with one draw in a set of layers alone [C,R,R].
    """

    number: int
    images: Tensor
    maps: Mapping[str, NDArray[np.float64]]
    versions: Mapping[str, Tensor]

    def levels(self, name: str) -> NDArray[np.float64]:
        """Return a set's map in grey levels of 8 bits, averaged over channels [R,R]."""
        return np.asarray(self.maps[name].mean(axis=0) * GREY_LEVELS)

    @property
    def square(self) -> tuple[slice, slice]:
        """Rows and columns of the square, a quarter wide, with the largest mean deviation."""
        levels = self.levels("all")
        side = min(max(len(levels) // 4, _LEAST), len(levels))
        sums = np.pad(levels.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        within = (
            sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        )
        top, left = (int(i) for i in np.unravel_index(within.argmax(), within.shape))
        return slice(top, top + side), slice(left, left + side)


def deviation(shown: Sequence[Example]) -> Figure:
    """Draw an image of each latent and its deviation maps, on one scale."""
    names = list(shown[0].maps)
    figure, axes = _cells(len(shown), 1 + len(names), extra=0.9)
    most = max(float(example.levels(name).max()) for example in shown for name in names)
    for line, example in zip(axes, shown, strict=True):
        _show(line[0], example.images[0])
        for axis, name in zip(line[1:], names, strict=True):
            drawn = axis.imshow(example.levels(name), cmap="magma", vmin=0, vmax=most or 1)
    _name(axes, ["one draw", *(f"deviation, {name}" for name in names)], shown)
    figure.colorbar(drawn, ax=axes, label="standard deviation, grey levels", shrink=0.9, pad=0.02)
    return figure


def realisations(shown: Sequence[Example]) -> Figure:
    """Draw an image of each latent, and the square that varies most in several draws."""
    draws = len(shown[0].images)
    figure, axes = _cells(len(shown), 1 + draws)
    for line, example in zip(axes, shown, strict=True):
        _show(line[0], example.images[0], example.square)
        for axis, image in zip(line[1:], example.images, strict=True):
            _show(axis, image[:, *example.square])
    _name(axes, ["draw 1, whole", *(f"draw {i + 1}" for i in range(draws))], shown)
    return figure


def versions(shown: Sequence[Example]) -> Figure:
    """Draw each latent with noise in all, fine, coarse and no layers, and the square of each."""
    names = ("all", "fine", "coarse", "none")
    figure, axes = _cells(len(shown), 2 * len(names))
    for line, example in zip(axes, shown, strict=True):
        for i, name in enumerate(names):
            image = example.versions[name]
            _show(line[i], image, example.square)
            _show(line[len(names) + i], image[:, *example.square])
    _name(axes, [f"noise: {name}" for name in names] * 2, shown)
    return figure


def _cells(rows: int, columns: int, extra: float = 0.0) -> tuple[Figure, NDArray[np.object_]]:
    figure = new_figure(_CELL * rows + 0.35, _CELL * columns + 0.8 + extra)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    return figure, axes


def _name(axes: NDArray[np.object_], titles: Sequence[str], shown: Sequence[Example]) -> None:
    """Write titles above the columns and the latents beside the rows."""
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    for line, example in zip(axes, shown, strict=True):
        text = f"latent {example.number}"
        line[0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=10)


def _show(axis: Axes, image: Tensor, square: tuple[slice, slice] | None = None) -> None:
    pixels = np.asarray(tensor_to_picture(image))
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if square is not None:
        rows, columns = square
        side = rows.stop - rows.start
        corner = (columns.start - 0.5, rows.start - 0.5)
        axis.add_patch(Rectangle(corner, side, side, fill=False, color=_MARK, linewidth=1.2))
