"""Pictures of droplets: heat maps over images, with the detections circled."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from cli.plots.style import new_figure
from latentlab.images import tensor_to_picture

_COLUMNS = 4
_CIRCLE = 0.5  # of a circle's radius, kept between the spot and the line
_INK = "#00FFFF"  # on a heat map from black through red to yellow


def overlays(
    images: Tensor, heat: Tensor, names: Sequence[int], found: pd.DataFrame, threshold: float
) -> Figure:
    """Draw images [N,C,R,R], each above its heat map [N,R,R] with the droplets circled.

    ``names`` are the numbers of the samples, ``found`` the detections among them. Black is no
    heat, and white the threshold or more.
    """
    rows = -(-len(images) // _COLUMNS)
    figure = new_figure(0.6 + 2.1 * 2 * rows)
    axes = figure.subplots(2 * rows, _COLUMNS, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, name in enumerate(names):
        top, below = axes[2 * (i // _COLUMNS) : 2 * (i // _COLUMNS) + 2, i % _COLUMNS]
        pixels = np.asarray(tensor_to_picture(images[i]).convert("RGB"))
        mine = found[found["sample"] == name]
        places = len(mine[["layer"]].drop_duplicates())
        words = (
            f"sample {name}: in {places} layer{'s' * (places != 1)}" if places else f"sample {name}"
        )
        top.imshow(pixels, interpolation="nearest")
        top.set_title(words, fontsize=8)
        faint = pixels.mean(axis=2)
        below.imshow(faint, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        shown = below.imshow(heat[i].numpy(), cmap="hot", vmin=0, vmax=threshold, alpha=0.7)
        size = len(pixels)
        for row, column, area in mine[["row", "column", "area_share"]].to_numpy(dtype=float):
            radius = size * ((area / np.pi) ** 0.5 * (1 + _CIRCLE) + 0.02)
            centre = (float(column * size - 0.5), float(row * size - 0.5))
            below.add_patch(Circle(centre, float(radius), fill=False, color=_INK, linewidth=1))
    bar = figure.colorbar(shown, ax=axes, shrink=0.5, aspect=40, location="bottom", pad=0.02)
    bar.set_label("heat: what 40 % of the channels exceed, in robust standard deviations; the "
                  "hottest layer at each place", fontsize=8)  # fmt: skip
    return figure
