"""Colours: a loaded picture of any mode becomes RGB in sRGB, on a background.

A generator knows sRGB alone. Phones store Display P3 and cameras Adobe RGB; taken without their
ICC profile such colours are too pale. Only RGB profiles made of three curves and a matrix are
applied: that is what cameras and phones write, and all that is computed (ICC.1:2022, F.3).
"""

import io

import numpy as np
from PIL import Image, ImageCms

from latentlab.errors import ImageError
from latentlab.images.refusals import refuse_damage

Colour = tuple[int, int, int]  # 0..255 each

_COLOUR_NAMES = {(255, 255, 255): "white", (0, 0, 0): "black"}
_MOST_BYTES = 1_000_000  # of a profile
_NEAR = 2  # levels: a profile that moves no colour further is sRGB, whatever it is called
_IGNORED = "colour profile ignored"


def to_srgb(picture: Image.Image, profile: object) -> tuple[Image.Image, str | None]:
    """Convert an RGB picture by its profile.

    Args:
        picture: Of mode RGB.
        profile: The content of the profile, or None.

    Returns:
        The picture in sRGB, the very same where the profile is sRGB itself, damaged, or of another
        kind; and a note where its colours changed or a profile was ignored.
    """
    if not isinstance(profile, bytes) or not profile:
        return picture, None
    found = _rgb_profile(profile)
    if found is None:
        return picture, _IGNORED
    given, description = found
    try:
        srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(given, srgb, "RGB", "RGB", intent)
        if _is_identity(transform):
            return picture, None
        converted = ImageCms.applyTransform(picture, transform)
    except ImageCms.PyCMSError:  # Pillow's alone
        return picture, _IGNORED
    name = " ".join((description or "a colour profile").split())
    return converted or picture, f"colours converted from {name[:40]} to sRGB"


def _rgb_profile(content: bytes) -> tuple[ImageCms.ImageCmsProfile, str | None] | None:
    """Return a profile and its name; None if too large, damaged, or of a kind not applied."""
    if len(content) > _MOST_BYTES:
        return None
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space, name = given.profile.xcolor_space, given.profile.profile_description
    except (OSError, ValueError):  # the latter for text that is none
        return None
    fits = space.strip() == "RGB" and given.profile.is_matrix_shaper
    return (given, name) if fits else None


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether colours stay, by a lattice of 17^3 of them."""
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(17, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    return bool(np.abs(np.asarray(moved).astype(int) - lattice).max() <= _NEAR)


def to_rgb(
    picture: Image.Image, where: str, background: Colour | None, notes: list[str]
) -> Image.Image:
    """Convert a loaded picture, and add to the notes what its owner may want to know.

    Args:
        picture: Of any mode.
        where: What messages call it.
        background: The colour that transparent parts are laid on; None keeps them.
        notes: Added to.

    Returns:
        The picture in sRGB, without metadata: of mode RGB, or RGBA where transparent parts are
        kept.

    Raises:
        ImageError: If its values have no defined range, or its palette is damaged.
    """
    if picture.mode.startswith("I;16"):
        return _grey_16_to_rgb(picture, background, notes)
    if picture.mode in ("F", "I"):
        kind = "floating-point" if picture.mode == "F" else "32-bit integer"
        raise ImageError(f"{where}: {kind} pictures have no defined range; save it as 8 or 16 bit")
    if picture.mode == "P" and picture.palette is None:
        raise ImageError(f"{where}: the picture cannot be read (its palette is missing)")
    rgb, alpha = _colours_and_alpha(picture, where)
    if picture.mode == "CMYK":
        notes.append("CMYK converted to RGB")
    elif picture.mode not in ("1", "L", "LA", "La"):  # a grey profile is a matter of taste
        rgb, note = to_srgb(rgb, picture.info.get("icc_profile"))
        notes += [note] if note else []
    rgb.info = {}  # a profile or place left there would be saved with what is made of the picture
    return rgb if alpha is None else _lay_on_background(rgb, alpha, background, notes)


def _colours_and_alpha(picture: Image.Image, where: str) -> tuple[Image.Image, Image.Image | None]:
    """Convert a picture as it was read: its palette or transparent colour may be damaged."""
    with refuse_damage(where):
        if picture.mode in ("La", "RGBa") or picture.has_transparency_data:
            layered = picture.convert("RGBA")
            return layered.convert("RGB"), layered.getchannel("A")
        return picture.convert("RGB"), None


def _grey_16_to_rgb(
    picture: Image.Image, background: Colour | None, notes: list[str]
) -> Image.Image:
    levels = np.asarray(picture).astype(np.uint32)
    rgb = Image.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")
    key = picture.info.get("transparency")
    if key is None:
        return rgb
    alpha = Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8))
    return _lay_on_background(rgb, alpha, background, notes)


def _lay_on_background(
    rgb: Image.Image, alpha: Image.Image, background: Colour | None, notes: list[str]
) -> Image.Image:
    """Flatten before anything resizes, so that colours hidden under no opacity cannot leak."""
    if alpha.getextrema() == (255, 255):
        return rgb
    if background is None:
        rgb.putalpha(alpha)  # Pillow resizes such pictures with their colours times alpha
        return rgb
    name = _COLOUR_NAMES.get(background, "rgb({},{},{})".format(*background))
    notes.append(f"transparency laid on {name}")
    rgb.putalpha(alpha)
    return flatten(rgb, background)


def flatten(picture: Image.Image, background: Colour = (255, 255, 255)) -> Image.Image:
    """Lay a picture of mode RGBA on a background, for what has no alpha; others stay as they are.

    Returns:
        A picture of mode RGB, or of the picture's own mode.
    """
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGBA", picture.size, (*background, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")
