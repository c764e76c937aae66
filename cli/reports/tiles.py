"""Rows of pictures with a caption below each."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from cli.reports.plot_style import COLOURS, new_figure
from latentlab.images import tensor_to_picture

Captioned = tuple[Tensor, str]  # an image [C,H,W] in [-1,1] and what stands below it

MARK = COLOURS[1]
_LETTER = 0.09  # inches of a row's name
_FRAME = 3.0  # points, of a marked picture


def tiles(
    rows: Mapping[str, Sequence[Captioned]],
    title: str = "",
    marked: Collection[tuple[str, int]] = (),
) -> Figure:
    """Draw rows of images, each row with its name at the left.

    Pictures that are ``marked``, by the name of their row and their place in it, have a frame.
    """
    columns = max([1, *map(len, rows.values())])
    breaks = max([0, *(text.count("\n") for cells in rows.values() for _, text in cells)])
    height = (1.35 + 0.16 * breaks) * len(rows) + (0.4 if title else 0.05)
    longest = max(len(line) for label in rows for line in label.split("\n"))
    figure = new_figure(height, 1.1 * columns + 0.3 + _LETTER * longest)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, cells) in zip(axes, rows.items(), strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
        for i, (axis, (image, caption)) in enumerate(zip(line, cells, strict=False)):
            pixels = np.asarray(tensor_to_picture(image.cpu()))
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_xlabel(caption, fontsize=9)
            if (label, i) in marked:
                axis.set_frame_on(True)
                axis.spines[:].set(color=MARK, linewidth=_FRAME)
                axis.xaxis.label.set(color=MARK, fontweight="bold")
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    figure.suptitle(title, fontsize=11)
    return figure
