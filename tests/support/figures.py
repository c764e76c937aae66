"""What a reader sees of a figure: which texts, where, and which axes have something in them."""

from functools import cache
from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TOUCHING = 1.0  # pixels by which the boxes of two texts may meet


@cache  # laying out takes a while
def seen_texts(figure: Figure) -> dict[Text, Bbox]:
    """Return all texts that are drawn, with their boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    hidden = {text for axes in figure.axes for text in _hidden(axes)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text not in hidden]
    return {
        text: text.get_window_extent(canvas.get_renderer())
        for text in texts
        if text.get_text().strip()
    }


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return pairs of texts that cover each other."""
    boxes = seen_texts(figure)
    return [
        (a.get_text(), b.get_text())
        for (a, one), (b, other) in combinations(boxes.items(), 2)
        if _shared(one.intervalx, other.intervalx) and _shared(one.intervaly, other.intervaly)
    ]


def cut(figure: Figure) -> list[str]:
    """Return texts that reach beyond the figure."""
    page = figure.bbox
    return [
        text.get_text()
        for text, box in seen_texts(figure).items()
        if box.x0 < page.x0 - _TOUCHING or box.x1 > page.x1 + _TOUCHING
        or box.y0 < page.y0 - _TOUCHING or box.y1 > page.y1 + _TOUCHING
    ]  # fmt: skip


def empty_axes(figure: Figure) -> list[int]:
    """Return the numbers of axes that show a frame or ticks, and nothing within."""
    seen_texts(figure)  # which lays it out
    return [i for i, axes in enumerate(figure.axes) if axes.axison and not _has_data(axes)]


def _has_data(axes):
    view = axes.viewLim
    patches = [p.get_window_extent() for p in axes.patches if p.get_visible()]
    lines = [line.get_xydata() for line in axes.lines]
    drawn = any(box.width > 0.5 and box.height > 0.5 for box in patches)
    points = any(
        ((data >= np.sort([view.p0, view.p1], axis=0)[0] - 1e-9)
         & (data <= np.sort([view.p0, view.p1], axis=0)[1] + 1e-9)).all(axis=1).any()
        for data in lines
        if len(data)
    )  # fmt: skip
    areas = any(np.ptp(path.vertices[:, 0]) > 0 for c in axes.collections for path in c.get_paths())
    return drawn or points or areas or bool(axes.images) or bool(axes.texts)


def _hidden(axes):
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not axes.axison or not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def _shared(one, other):
    return min(one[1], other[1]) - max(one[0], other[0]) > _TOUCHING
