import numpy as np
import pytest
import torch
from PIL import Image

from cli.rendering.sheets import SCREEN, abreast, sheet, tile, tile_size
from latentlab.images import MAX_PIXELS


def plain(value, size=40):
    """A tile of a colour that no caption, being grey, has."""
    return Image.new("RGB", (size, size), (value, 0, 255))


def white(size=40):
    return Image.new("L", (size, size), 255)


def box(page, value):
    """(left, top, right, bottom) of all pixels of a tile's colour."""
    ys, xs = np.nonzero((np.array(page) == (value, 0, 255)).all(axis=2))
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def test_every_tile_stands_whole_in_its_row_and_column():
    values = [[11, 12, 13], [21, 22, 23]]
    page = sheet([[plain(v) for v in row] for row in values], ["a", "b", "c"], ["x", "y"])
    boxes = {value: box(page, value) for row in values for value in row}
    for row in values:
        for value in row:
            left, top, right, bottom = boxes[value]
            assert (right - left, bottom - top) == (40, 40)
            assert (left, top) == (boxes[values[0][row.index(value)]][0], boxes[row[0]][1])
    assert boxes[11][2] < boxes[12][0]
    assert boxes[11][3] < boxes[21][1]


def test_a_header_stands_apart_and_its_corner_is_blank():
    tiles = [[None, plain(12), plain(13)], [plain(21), plain(22), plain(23)]]
    page = sheet(tiles, ["", "b", "c"], ["", "y"], header=True)
    narrow = box(page, 23)[0] - box(page, 22)[2]
    assert box(page, 22)[0] - box(page, 21)[2] > narrow
    assert box(page, 22)[1] - box(page, 12)[3] > narrow
    left, _, right, _ = box(page, 21)
    _, top, _, bottom = box(page, 12)
    assert (np.array(page)[top:bottom, left:right] == 255).all()


def test_captions_stand_above_their_column_and_beside_their_row():
    page = np.array(sheet([[white(), white()]] * 2, ["", "psi 0.7"], ["seed 1", ""]))
    ys, xs = np.nonzero(page < 128)
    above, beside = ys < 31, ys >= 31
    assert above.any() and beside.any()  # noqa: PT018
    middle = page.shape[1] - 8 - 20
    assert abs((xs[above].min() + xs[above].max()) / 2 - middle) <= 2
    assert abs((ys[beside].min() + ys[beside].max()) / 2 - (31 + 20)) <= 4
    assert xs[beside].max() < page.shape[1] - 8 - 84  # left of the tiles


def test_a_long_caption_stays_over_its_column():
    long = "seed 4294967295 of many"
    page = np.array(sheet([[white(), white(), white()]], ["", long, ""], [""]))
    _, xs = np.nonzero(page < 200)
    assert xs.min() >= 8 + 44 - 2
    assert xs.max() < 8 + 84 + 2


def test_colour_and_grey_keep_their_mode():
    for mode in ("L", "RGB"):
        page = sheet([[Image.new(mode, (8, 8))]], ["a"], [""])
        assert page.mode == mode


@pytest.mark.parametrize(("resolution", "count", "largest", "size"), [
    (32, 24, SCREEN, 96), (16, 24, SCREEN, 96), (4, 1, None, 96), (64, 24, SCREEN, 128),
    (128, 24, SCREEN, 128), (1024, 24, SCREEN, 256), (1024, 6, None, 1024),
    (1024, 100, None, 512), (32, 10_000, SCREEN, 64), (1024, 10_000, SCREEN, 64),
])  # fmt: skip
def test_tiles_are_large_enough_and_fit_together(resolution, count, largest, size):
    assert tile_size(resolution, count, largest) == size
    assert count * size**2 <= MAX_PIXELS


def test_tiles_repeat_pixels_or_average_boxes():
    image = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    enlarged = np.array(tile(image, 12))
    assert np.array_equal(enlarged, np.array(tile(image, 4)).repeat(3, axis=0).repeat(3, axis=1))
    means = image.reshape(1, 2, 2, 2, 2).mean(dim=(2, 4))
    assert np.array_equal(np.array(tile(image, 2)), np.array(tile(means, 2)))


def test_long_names_above_pictures_are_broken_and_not_cut():
    long = "a-checkpoint-with-a-name-of-sixty-characters-or-even-a-few-more"
    pictures = {long: plain(11, 200), "short": plain(12, 200), "x" * 70: plain(13, 200)}
    page = abreast(pictures, 200)
    lefts = [box(page, value)[0] for value in (11, 12, 13)]
    tops = {box(page, value)[1] for value in (11, 12, 13)}
    assert len(tops) == 1
    ink = np.array(page.convert("L"))[: tops.pop()] < 128  # the pictures are below
    for left in lefts:
        assert ink[:, left : left + 200].any()
        assert not ink[:, left + 200 : left + 224].any()
    rows = ink[:, lefts[0] : lefts[0] + 200].any(axis=1)
    assert np.count_nonzero(np.diff(rows.astype(int)) == 1) >= 2  # lines
