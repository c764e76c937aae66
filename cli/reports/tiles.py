"""Rows of pictures with a caption below each."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from cli.reports.plot_style import new_figure
from latentlab.images import tensor_to_picture

Captioned = tuple[Tensor, str]  # an image [C,H,W] in [-1,1] and what stands below it


def tiles(rows: Mapping[str, Sequence[Captioned]], title: str = "") -> Figure:
    """Draw rows of images, each row with its name at the left."""
    columns = max(len(cells) for cells in rows.values())
    figure = new_figure(1.35 * len(rows) + (0.4 if title else 0.05), 1.1 * columns + 1)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, cells) in zip(axes, rows.items(), strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
        for axis, (image, caption) in zip(line, cells, strict=False):
            pixels = np.asarray(tensor_to_picture(image.cpu()))
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_xlabel(caption, fontsize=9)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    figure.suptitle(title, fontsize=11)
    return figure
