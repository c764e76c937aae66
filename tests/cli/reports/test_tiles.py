import torch
from matplotlib.colors import to_hex

from cli.reports.tiles import MARK, tiles
from tests.support.figures import cut, overlapping, seen_texts

PICTURE = torch.zeros(1, 8, 8)


def test_marked_pictures_have_a_frame_and_the_others_none():
    rows = {
        "target": [(PICTURE, "")] * 3,
        "W": [(PICTURE, f"0.12{i}\nread as 7") for i in range(3)],
    }
    figure = tiles(rows, "Digits\nFramed: misread", {("W", 1)})
    framed = [axes.get_frame_on() for axes in figure.axes]
    assert framed == [False] * 4 + [True, False]
    spine = figure.axes[4].spines["top"]
    assert to_hex(spine.get_edgecolor()) == MARK.lower()
    assert overlapping(figure) == []
    assert cut(figure) == []


def test_rows_may_be_short_or_empty():
    figure = tiles({"generated,\nclosest": [], "real": [(PICTURE, "a")]})
    assert len(figure.axes) == 2
    assert {text.get_text() for text in seen_texts(figure)} == {"generated,\nclosest", "real", "a"}
    assert tiles({"nothing": []}).axes
