"""Colours that an embedded ICC profile describes, brought to sRGB.

Phones store Display P3 and cameras Adobe RGB; taken without their profile such colours are too
pale, and a generator knows sRGB alone. Only RGB profiles made of three curves and a matrix are
applied: that is what cameras and phones write, and all that is computed (ICC.1:2022, F.3).
"""

import io

import numpy as np
from PIL import Image

_MOST_BYTES = 1_000_000
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
