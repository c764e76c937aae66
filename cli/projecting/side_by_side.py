"""Pictures side by side at a size at which one can see them, named above and measured below."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from latentlab.images import flatten, shrink, tensor_to_picture

_LEAST, _MOST = 256, 1024  # pixels of a side: less is enlarged by a whole factor, more is reduced
_GAP = 8  # pixels between pictures, and around the text
_FONT = 15  # pixels, the height of the text where a picture is as small as possible
_PER_LINE = 1.35  # of the text's height


def side_by_side(pictures: Mapping[str, tuple[Tensor, Sequence[str]]]) -> Image.Image:
    """Lay out images on white, each with its name above and lines of text below.

    Args:
        pictures: Images [C,R,R] in [-1,1] of one size, and the lines, by their names.
    """
    shown = {name: visible(image) for name, (image, _) in pictures.items()}
    side = next(iter(shown.values())).width
    texts = [text for name, (_, lines) in pictures.items() for text in (name, *lines)]
    font = _font_within(side - _GAP, _font_height(side), texts)
    line = round(_font_height(side) * _PER_LINE)
    top, most = line + _GAP, max(len(lines) for _, lines in pictures.values())
    below = most * line + _GAP if most else 0
    size = (len(shown) * (side + _GAP) + _GAP, top + side + below + _GAP)
    page = Image.new("RGB", size, "white")
    ink = ImageDraw.Draw(page)
    for i, (name, (_, lines)) in enumerate(pictures.items()):
        left = _GAP + i * (side + _GAP)
        page.paste(shown[name], (left, top))
        for row, text in ((top / 2, name), *_rows(lines, top + side + _GAP / 2, line)):
            ink.text((left + side / 2, row), text, "black", font, anchor="mm")
    return page


def visible(image: Tensor) -> Image.Image:
    """Return an image [C,R,R] on white: small ones enlarged by a whole factor, not smoothed."""
    picture = flatten(tensor_to_picture(shrink(image.unsqueeze(0).cpu(), _MOST)[0]))
    factor = -(-_LEAST // picture.width)
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST) if factor > 1 else picture


def quality_lines(numbers: Mapping[str, Any]) -> list[str]:
    """Say a picture's distance and PSNR: of the whole, and within its mask if there is one."""
    whole = _in_words(numbers["distance"], numbers["psnr"])
    if numbers.get("mask_distance") is None:
        return [whole]
    within = _in_words(numbers["mask_distance"], numbers["mask_psnr"])
    return [f"whole: {whole}", f"in the mask: {within}"]


def _in_words(distance: float, psnr: float | None) -> str:
    pixels = "equal pixels" if psnr is None else f"PSNR {psnr:.1f} dB"
    return f"distance {distance:.3g}, {pixels}"


def _rows(lines: Sequence[str], top: float, height: int) -> list[tuple[float, str]]:
    return [(top + (i + 0.5) * height, text) for i, text in enumerate(lines)]


def _font_height(side: int) -> int:
    return _FONT * side // _LEAST


def _font_within(width: int, height: int, texts: Sequence[str]) -> Any:
    """Return a font of that height, or the largest in which no text is wider than that."""
    font = ImageFont.load_default(height)
    widest = max(font.getlength(text) for text in texts)
    if widest <= width:
        return font
    return ImageFont.load_default(max(1, int(height * width / widest)))
