"""The results of `latentlab droplets`: detections, and heat over the images."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
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
from metrics.droplet_rates import images_and_heat, in_picture, inside

DETECTIONS, HEAT = "detections.csv", "heat.png"
FILES = (DETECTIONS, HEAT)

_SHOWN = 9  # pictures
_MAP = "inferno"
_INK = "#00FFFF"
_COLUMNS, _LEAST_COLUMNS = 3, 2  # pairs of an image and its heat beside each other
_RING_SIZE = 2.0  # radii of a spot
_LEAST_RADIUS = 0.05  # of the image's side, so that a ring can be seen
_FAINTEST = 0.5  # of the threshold, where heat begins to show
_OPAQUE = 0.9


def write(results: Results, model: Model, result: MetricResult) -> None:
    """Say how many there are, and write table, plot and page."""
    results.tell(*summary(result))
    results.warn(*result.notes)
    results.table(DETECTIONS, result.samples)
    found = len(inside(result.samples)) > 0
    results.page.section("Where they are" if found else "Some of the pictures")
    results.figure(HEAT, lambda: heat(model.g, result), caption(result))
    results.finish_one(model, result)


def summary(result: MetricResult) -> list[str]:
    """Say in how many pictures droplets are, and in which layers."""
    row, found = rows_of(result)[0], inside(result.samples)
    hits = found["sample"].nunique()
    have = "has" if hits == 1 else "have"
    lines = [f"{hits} of {row['n']:,} pictures {have} a droplet: a share of {in_words(row)}."]
    layers = found.groupby("layer", sort=False)["sample"].nunique().sort_values(ascending=False)
    if len(layers):
        words = ", ".join(f"{layer} ({count})" for layer, count in layers.items())
        lines.append(f"Layers, with their number of pictures: {words}.")
    return [*lines, *_not_counted(row)]


def _not_counted(row: Mapping[str, Any]) -> list[str]:
    """Say what was found besides and is in no share."""
    lines = []
    if border := int(row.get("at_border", 0)):
        lines.append(f"Not counted: {counted(border, 'spot')} at the border of the maps, "
                     "which zero padding makes.")  # fmt: skip
    if refused := int(row.get("refused", 0)):
        lines.append(f"Not counted: {counted(refused, 'compact spot')}, as the rest of the map "
                     "may be as hot by chance, or is full of them.")  # fmt: skip
    return lines


def caption(result: MetricResult) -> str:
    """Say what is seen on the picture of the heat."""
    if len(inside(result.samples)) == 0:
        return "No droplet was found; the first pictures, and beside each the heat of its maps."
    return (
        "Pictures with the strongest droplets; beside each, the heat of its maps, the strength of "
        "the strongest in it, and that one's layer. Dotted rings: spots at the border."
    )


def heat(g: Generator, result: MetricResult, most: int = _SHOWN) -> Figure:
    """Draw the pictures with the strongest droplets, or the first ones where there is none."""
    settings, found = result.settings, in_picture(g, result.samples)
    ranked = inside(found).sort_values("strength", ascending=False)
    strongest = ranked["sample"].drop_duplicates()
    chosen = strongest.head(most).tolist() or list(range(min(most, settings["n"])))
    images, maps = images_and_heat(g, chosen, settings["seed"], noise=settings["noise"])
    return overlays(images, maps, chosen, found, settings["threshold"])


def overlays(
    images: Tensor, heat: Tensor, names: Sequence[int], found: pd.DataFrame, threshold: float
) -> Figure:
    """Draw images [N,C,R,R], each beside its heat map [N,R,R] with the droplets circled.

    ``names`` are the numbers of the samples, ``found`` the detections among them, at fractions of
    the picture; those at the border have a dotted ring. Heat shows from half of the threshold, on
    a logarithmic scale.
    """
    columns = min(_COLUMNS, max(len(names), _LEAST_COLUMNS))  # the bar below needs some width
    lines = -(-len(names) // columns)
    figure = new_figure(1.6 * lines + 0.85, WIDTH * columns / _COLUMNS)
    panels = figure.subplots(lines, 2 * columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    norm = LogNorm(_FAINTEST * threshold, max(float(heat.max()), 2 * threshold), clip=True)
    for i, name in enumerate(names):
        line, pair = divmod(i, columns)
        plain, hot = panels[line, 2 * pair : 2 * pair + 2]
        pixels = np.asarray(flatten(tensor_to_picture(images[i])).convert("RGB"))
        mine = found[found["sample"] == name]
        counting = inside(mine).index
        _draw(plain, pixels, f"sample {name}")
        _draw(hot, _overlaid(pixels, heat[i].numpy(), norm), _caption(inside(mine)))
        for index, spot in mine.iterrows():
            radius = max(_RING_SIZE * float(np.sqrt(spot["area_share"] / np.pi)), _LEAST_RADIUS)
            style = "solid" if index in counting else "dotted"
            hot.add_patch(Circle((spot["column"], spot["row"]), radius, fill=False, color=_INK,
                                 linewidth=1, linestyle=style))  # fmt: skip
    colours = ScalarMappable(norm, _MAP)
    bar = figure.colorbar(colours, ax=panels, location="bottom", shrink=0.5, aspect=50)
    bar.set_label("heat: what 40 % of the channels exceed, in robust standard deviations;\nthe "
                  "hottest layer at each place", fontsize=8)  # fmt: skip
    ticks = _ticks(norm, threshold)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks], fontsize=8)
    bar.minorticks_off()
    return figure


def _caption(found: pd.DataFrame) -> str:
    """Say where the strongest droplet of an image is, and how strong."""
    if found.empty:
        return "none"
    strongest = found.nlargest(1, "strength").iloc[0]
    return f"{strongest['strength']:.3g} in {strongest['layer']}"


def _draw(axes: Axes, pixels: NDArray[np.uint8], title: str) -> None:
    axes.imshow(pixels, extent=(0, 1, 1, 0), interpolation="nearest")
    axes.set_title(title, fontsize=8, loc="left")


def _overlaid(
    pixels: NDArray[np.uint8], heat: NDArray[np.float32], norm: LogNorm
) -> NDArray[np.uint8]:
    """Blend an image, made grey and darker, with the colour of its heat."""
    share = np.asarray(norm(np.maximum(heat, norm.vmin or 0)))
    colours = mpl.colormaps[_MAP](share)[..., :3] * 255
    opacity = (_OPAQUE * np.minimum(4 * share, 1))[..., None]
    grey = 0.6 * pixels.mean(axis=2, keepdims=True)
    return np.asarray((1 - opacity) * grey + opacity * colours).astype(np.uint8)


def _ticks(norm: LogNorm, threshold: float) -> list[float]:
    """Return the threshold, and round numbers well above it."""
    top = float(norm.vmax or threshold)
    rounded = [factor * 10**power for power in range(4) for factor in (1, 2, 5)]
    return [threshold, *(tick for tick in rounded if 1.5 * threshold < tick <= top)]
