"""The results of `latentlab noise`: maps of the deviation, crops of several draws, versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from cli.measuring.results import Results
from cli.models import Model
from cli.reports.numbers import interval, number_of, rows_of
from cli.reports.plot_style import COLOURS, new_figure
from cli.text import counted
from latentlab import Generator
from latentlab.images import tensor_to_picture
from metrics import MetricResult
from metrics.noise_variation import GREY_LEVELS, deviation_maps, latent
from metrics.noise_variation import realisations as draw_realisations

LATENTS, DEVIATION, REALISATIONS, VERSIONS = (
    "latents.csv", "deviation.png", "realisations.png", "versions.png"
)  # fmt: skip
FILES = (LATENTS, DEVIATION, REALISATIONS, VERSIONS)

_SHOWN, _DRAWS_SHOWN = 3, 6  # latents in the pictures, and draws of each
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


def write(
    results: Results,
    model: Model,
    result: MetricResult,
    sets: Mapping[str, list[int]],
    batch: int | None,
) -> None:
    """Say how far noise moves a pixel, and write table, plots and page."""
    results.tell(summary(result))
    results.warn(*result.notes)
    results.table(LATENTS, result.samples)
    shown = cache(partial(_examples, model.g, result, sets, batch))
    results.page.section("Where images vary", *_caution(result))
    draws = result.settings["draws"]
    results.figure(DEVIATION, lambda: deviation(shown()), "One draw, and the standard deviation of "
                   f"each pixel over {draws} draws, in 8-bit grey levels.")  # fmt: skip
    results.page.section("What varies")
    results.figure(REALISATIONS, lambda: realisations(shown()), "The marked square, where the "
                   "deviation is largest, in several draws of all noise maps.")  # fmt: skip
    results.page.section("Which layers vary it")
    results.figure(VERSIONS, lambda: versions(shown()), f"One draw, kept in the named layers alone "
                   f"({result.settings['split']}), and the marked square of each.")  # fmt: skip
    results.finish_one(model, result)


def summary(result: MetricResult) -> str:
    """Say how far noise moves a pixel."""
    rows = {row["layers"]: row for row in rows_of(result)}
    known = interval(rows["all"])
    alone = " and ".join(
        f"{number_of(rows[name])} from the {name} layers ({rows[name]['resolutions']}) alone"
        for name in ("coarse", "fine")
    )
    latents = counted(result.settings["n"], "latent")
    return (
        f"Noise moves a pixel by {number_of(rows['all'])} of 255 grey levels (standard deviation"
        f"{f', 95 % interval {known}' if known else ''}), {alone}; {latents}, "
        f"{result.settings['draws']:,} draws each."
    )


def _caution(result: MetricResult) -> list[str]:
    """Say where the pictures cannot show what the maps do."""
    if float(result.rows["value"].max()) >= 1:
        return []
    return ["The deviation is below one grey level on average: the maps show it, while pictures "
            "of several draws look alike."]  # fmt: skip


def _examples(
    g: Generator, result: MetricResult, sets: Mapping[str, list[int]], batch: int | None
) -> list[Example]:
    """Render what the pictures show of the first latents."""
    settings, found = result.settings, []
    seed, draws = settings["seed"], settings["draws"]
    for number in range(min(_SHOWN, settings["n"])):
        ws = latent(g, number, seed, settings["truncation_psi"])
        maps = {
            name: deviation_maps(g, ws, layers, draws, seed, numbers=[number], batch=batch)[0]
            for name, layers in sets.items()
            if layers
        }
        versions = {
            name: draw_realisations(g, ws, layers, range(1), seed, number)[0].cpu()
            for name, layers in sets.items()
        }
        several = range(min(_DRAWS_SHOWN, draws))
        images = draw_realisations(g, ws, sets["all"], several, seed, number).cpu()
        found.append(Example(number, images, maps, versions))
    return found


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
