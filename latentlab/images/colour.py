"""Colours that an embedded ICC profile describes, brought to sRGB.

Phones store Display P3 and cameras Adobe RGB; taken without their profile such colours are too
pale, and a generator knows sRGB alone. Only RGB profiles made of three curves and a matrix are
applied: that is what cameras and phones write, and all that is computed (ICC.1:2022, F.3).
"""

import io

import numpy as np
from PIL import Image

from latentlab.errors import ImageError

_MOST_BYTES = 1_000_000
_NEAR = 2  # levels: a profile that moves no colour further is sRGB, whatever it is called
_IGNORED = "colour profile ignored"
Colour = tuple[int, int, int]  # 0..255 each

_COLOUR_NAMES = {(255, 255, 255): "white", (0, 0, 0): "black"}


def to_srgb(picture: Image.Image, profile: object) -> tuple[Image.Image, str | None]:
    """Convert an RGB picture by its profile.

    Args:
        picture: Of mode RGB.
        profile: The content of the profile, or None.

    Returns:
        The picture in sRGB, the very same where the profile is sRGB itself, damaged, or of another
        kind; and a note where its colours changed or a profile was ignored.
    """
    from PIL import ImageCms

    if not isinstance(profile, bytes) or not profile:
        return picture, None
    if len(profile) > _MOST_BYTES:
        return picture, _IGNORED
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if given.profile.xcolor_space.strip() != "RGB" or not given.profile.is_matrix_shaper:
            return picture, _IGNORED
        transform = ImageCms.buildTransform(
            given, ImageCms.createProfile("sRGB"), "RGB", "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )  # fmt: skip
        if _is_identity(transform):
            return picture, None
        converted = ImageCms.applyTransform(picture, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture, _IGNORED
    name = " ".join((given.profile.profile_description or "a colour profile").split())
    return converted or picture, f"colours converted from {name[:40]} to sRGB"


def _is_identity(transform: object) -> bool:
    """Tell whether colours stay, by a lattice of 17^3 of them."""
    from PIL import ImageCms

    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(17, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(lattice), transform)  # type: ignore[arg-type]
    return bool(np.abs(np.asarray(moved).astype(int) - lattice).max() <= _NEAR)


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
