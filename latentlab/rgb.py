"""Pictures of every mode become 8-bit RGB: depth, palettes, inks, colour profiles, transparency."""

import numpy as np
from PIL import Image

from latentlab.colour_profiles import to_srgb
from latentlab.errors import ImageError

Colour = tuple[int, int, int]  # 0..255 each

_COLOUR_NAMES = {(255, 255, 255): "white", (0, 0, 0): "black"}


def to_rgb(picture: Image.Image, where: str, background: Colour, notes: list[str]) -> Image.Image:
    """Convert a loaded picture, and add to the notes what its owner may want to know.

    Args:
        picture: Of any mode.
        where: What messages call it.
        background: What transparency is laid on.
        notes: Added to.

    Returns:
        The picture in mode RGB, in sRGB, without metadata.

    Raises:
        ImageError: If its values have no defined range.
    """
    if picture.mode.startswith("I;16"):
        return _grey_16_to_rgb(picture, background, notes)
    if picture.mode in ("F", "I"):
        kind = "floating-point" if picture.mode == "F" else "32-bit integer"
        raise ImageError(f"{where}: {kind} pictures have no defined range; save it as 8 or 16 bit")
    alpha = None
    if picture.mode in ("La", "RGBa") or picture.has_transparency_data:
        layered = picture.convert("RGBA")
        alpha, rgb = layered.getchannel("A"), layered.convert("RGB")
    else:
        rgb = picture.convert("RGB")
    if picture.mode == "CMYK":
        notes.append("CMYK converted to RGB")
    elif picture.mode not in ("1", "L", "LA", "La"):  # a grey profile is a matter of taste
        rgb, note = to_srgb(rgb, picture.info.get("icc_profile"))
        notes += [note] if note else []
    rgb.info = {}  # a profile or place left there would be saved with what is made of the picture
    return rgb if alpha is None else _lay_on_background(rgb, alpha, background, notes)


def _grey_16_to_rgb(picture: Image.Image, background: Colour, notes: list[str]) -> Image.Image:
    levels = np.asarray(picture).astype(np.uint32)
    rgb = Image.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")
    key = picture.info.get("transparency")
    if key is None:
        return rgb
    alpha = Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8))
    return _lay_on_background(rgb, alpha, background, notes)


def _lay_on_background(
    rgb: Image.Image, alpha: Image.Image, background: Colour, notes: list[str]
) -> Image.Image:
    """Flatten before anything resizes, so that colours hidden under no opacity cannot leak."""
    if alpha.getextrema() == (255, 255):
        return rgb
    name = _COLOUR_NAMES.get(background, "rgb({},{},{})".format(*background))
    notes.append(f"transparency laid on {name}")
    rgb.putalpha(alpha)
    ground = Image.new("RGBA", rgb.size, (*background, 255))
    return Image.alpha_composite(ground, rgb).convert("RGB")
