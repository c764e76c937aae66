"""The results of `latentlab equivariance`: the scores, and some of the moved pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cli.measuring.results import Results
from cli.models import Model
from cli.reports.numbers import in_words, rows_of
from cli.reports.plot_style import WIDTH, new_figure
from cli.text import counted
from latentlab import Generator
from latentlab.images import flatten, tensor_to_picture
from metrics import MetricResult
from metrics.aliasing.moved_pictures import MEASURES, Example, examples
from metrics.noise_variation import GREY_LEVELS
from metrics.sampling import GROUP

PICTURES, MOVED = "pictures.csv", "moved.png"
FILES = (PICTURES, MOVED)

_SHOWN = 2  # pictures, which are moved differently
_COLUMNS = ("as it is", "input moved", "picture moved", "difference")
_MAP = "inferno"
_LEAST, _TOP = 0.01, 1.0  # grey levels at the ends of the scale, if no more is seen


def write(results: Results, model: Model, result: MetricResult) -> None:
    """Say the scores, and write table, pictures and page."""
    results.tell(summary(result))
    results.warn(*result.notes)
    numbered = result.samples.rename_axis("sample").reset_index()
    results.table(PICTURES, numbered)
    results.page.section("Pictures that are moved")
    results.figure(MOVED, lambda: moved(model.g, result), CAPTION)
    results.finish_one(model, result)


CAPTION = (
    "Pictures as they are, drawn with their input moved, and moved by signal processing; then how "
    "far the last two differ, in the pixels that count."
)


def summary(result: MetricResult) -> str:
    """Say the scores in one sentence."""
    scores = ", ".join(f"{row['quantity']} {in_words(row)} dB" for row in rows_of(result))
    return f"{scores}, from {counted(result.settings['n'], 'picture')}."


def moved(g: Generator, result: MetricResult) -> Figure:
    """Draw the first picture of each of the first fours, moved in the three ways."""
    settings = result.settings
    shown = [examples(g, number, settings["seed"])
             for number in range(0, settings["n"], GROUP)[:_SHOWN]]  # fmt: skip
    return overlays(shown)


def overlays(shown: Sequence[Mapping[str, Example]]) -> Figure:
    """Draw examples side by side, a row for each measure."""
    wide = len(_COLUMNS) * len(shown)
    width = WIDTH * max(len(shown), 1) / _SHOWN
    figure = new_figure(width / wide * 1.25 * len(MEASURES) + 0.8, width)
    panels = figure.subplots(len(MEASURES), wide, squeeze=False)
    levels = [[apart(one[kind]) for one in shown] for kind in MEASURES]
    top = max(_TOP, *(float(np.nanmax(each)) for row in levels for each in row))
    norm = LogNorm(_LEAST, top, clip=True)
    for row, (kind, name) in enumerate(MEASURES.items()):
        for i, one in enumerate(shown):
            cells = panels[row, i * len(_COLUMNS) : (i + 1) * len(_COLUMNS)]
            _draw(cells, one[kind], levels[row][i], norm, name)
            for axes, title in zip(cells if row == 0 else (), _COLUMNS, strict=False):
                axes.set_title(title, fontsize=7)
    bar = figure.colorbar(ScalarMappable(norm, _MAP), ax=panels, location="bottom", shrink=0.5,
                          aspect=50)  # fmt: skip
    bar.set_label("difference in 8-bit grey levels; grey: does not count", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def apart(example: Example) -> NDArray[np.float64]:
    """Return how far reference and picture differ [R,R] in grey levels; NaN where it counts not."""
    levels = (example.reference - example.compared).abs().mean(dim=0).double() * GREY_LEVELS
    return np.where(example.mask.numpy() > 0, levels.numpy(), np.nan)


def _draw(
    cells: NDArray[np.object_],
    example: Example,
    levels: NDArray[np.float64],
    norm: Normalize,
    name: str,
) -> None:
    """Draw one example into its four cells."""
    pictures: Sequence[Tensor] = (example.original, example.moved, example.reference)
    for axes in cells:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, picture in zip(cells[:-1], pictures, strict=True):
        pixels = np.asarray(flatten(tensor_to_picture(picture)).convert("RGB"))
        axes.imshow(pixels, interpolation="nearest")
    cells[-1].set_facecolor("#bbbbbb")
    cells[-1].imshow(levels, cmap=_MAP, norm=norm, interpolation="nearest")
    cells[0].set_ylabel(name, fontsize=8)
