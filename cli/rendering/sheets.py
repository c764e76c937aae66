"""Sheets of pictures: rows and columns with captions, for looking at on a screen."""

import textwrap
from collections.abc import Mapping, Sequence
from fractions import Fraction

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from latentlab.errors import visible
from latentlab.images import MAX_PIXELS, shrink, tensor_to_picture

SCREEN = 256  # pixels, the largest tile where there are many

_SMALLEST = 96  # pixels; smaller images are enlarged by whole factors
_GAP = 4  # pixels between tiles
_HEADER_GAP = 16  # more pixels after a header
_MARGIN = 8  # pixels around captions
_BETWEEN = 24  # pixels between pictures side by side
_FONT = 15  # pixels, the height of captions
_LONGEST = 120  # characters of a caption, which may come from a file
_NAME_FONT, _LINE = 24, 28  # pixels, of the names of large pictures and of their lines

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def tile_size(resolution: int, count: int, largest: int | None = None) -> int:
    """Return a side for ``count`` tiles that stay within MAX_PIXELS together.

    It is a multiple of the resolution, or the resolution halved a few times.
    """
    size = resolution * -(-_SMALLEST // resolution)
    while (largest and size > largest) or count * size * size > MAX_PIXELS:
        size = size - resolution if size > resolution else size // 2
    return size


def tile(image: Tensor, size: int) -> Image.Image:
    """Bring an image [C,R,R] in [-1,1] to the side ``size``: by repeated pixels, or box means."""
    if size > image.shape[-1]:
        factor = size // image.shape[-1]
        image = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    return tensor_to_picture(shrink(image.unsqueeze(0), size)[0])


def sheet(
    tiles: Sequence[Sequence[Image.Image | None]],
    columns: Sequence[str],
    rows: Sequence[str],
    header: bool = False,
) -> Image.Image:
    """Lay out rows of tiles of one size on white; None leaves a place blank.

    Args:
        tiles: The rows, all of one length.
        columns: A caption above each column.
        rows: A caption beside each row; "" for none.
        header: Whether the first row and the first column stand apart from the others.
    """
    some = next(picture for row in tiles for picture in row if picture is not None)
    columns, rows = ([visible(text, _LONGEST) for text in texts] for texts in (columns, rows))
    size, ink = some.width, ImageDraw.Draw(some)
    font = _font_within(size, columns, ink)
    beside = max(round(ink.textlength(text, _font(_FONT))) for text in rows)
    left = beside + 2 * _MARGIN if beside else _MARGIN
    top = _FONT + 2 * _MARGIN
    extra = _HEADER_GAP if header else 0
    across = [left + i * (size + _GAP) + extra * (i > 0) for i in range(len(columns))]
    down = [top + i * (size + _GAP) + extra * (i > 0) for i in range(len(rows))]
    page = Image.new(some.mode, (across[-1] + size + _MARGIN, down[-1] + size + _MARGIN), "white")
    ink = ImageDraw.Draw(page)
    for x, text in zip(across, columns, strict=True):
        ink.text((x + size // 2, top // 2), text, "black", font, anchor="mm")
    for y, text, row in zip(down, rows, tiles, strict=True):
        ink.text((left - _MARGIN, y + size // 2), text, "black", _font(_FONT), anchor="rm")
        for x, picture in zip(across, row, strict=True):
            if picture is not None:
                page.paste(picture, (x, y))
    return page


def abreast(pictures: Mapping[str, Image.Image], widest: int) -> Image.Image:
    """Lay out pictures side by side on white, each with its name above.

    Small ones are enlarged by whole factors, up to ``widest`` pixels; wider ones are reduced to it.
    """
    scaled = []
    for picture in pictures.values():
        scale = widest // picture.width or Fraction(widest, picture.width)
        size = (round(picture.width * scale), max(round(picture.height * scale), 1))
        method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
        scaled.append(picture.resize(size, method))
    font, ink = _font(_NAME_FONT), ImageDraw.Draw(scaled[0])
    names = [visible(name, _LONGEST) for name in pictures]
    broken = [_broken(n, p.width, font, ink) for n, p in zip(names, scaled, strict=True)]
    top = max(len(lines) for lines in broken) * _LINE + 2 * _MARGIN
    width = sum(each.width for each in scaled) + (len(scaled) - 1) * _BETWEEN + 2 * _MARGIN
    page = Image.new("RGB", (width, max(each.height for each in scaled) + top + _MARGIN), "white")
    ink, left = ImageDraw.Draw(page), _MARGIN
    for lines, picture in zip(broken, scaled, strict=True):
        for i, line in enumerate(reversed(lines)):  # the last one stands upon the picture
            middle = top - _MARGIN - i * _LINE - _LINE // 2
            ink.text((left, middle), line, "black", font, anchor="lm")
        page.paste(picture, (left, top))
        left += picture.width + _BETWEEN
    return page


def _font(height: int) -> Font:
    return ImageFont.load_default(height)


def _broken(name: str, width: int, font: Font, ink: ImageDraw.ImageDraw) -> list[str]:
    """Break a name into lines that are no wider than its picture."""
    share = width / max(ink.textlength(name, font), 1)
    for characters in range(max(int(len(name) * share), 1), 1, -1):
        lines = textwrap.wrap(name, characters) or [""]
        if all(ink.textlength(line, font) <= width for line in lines):
            return lines
    return list(name)


def _font_within(width: int, texts: Sequence[str], ink: ImageDraw.ImageDraw) -> Font:
    """Return the font of captions, smaller where a text would otherwise be wider than a tile."""
    widest = max(ink.textlength(text, _font(_FONT)) for text in texts)
    return _font(max(1, min(_FONT, int(_FONT * width / max(widest, 1)))))
