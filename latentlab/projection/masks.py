"""Masks: what of a picture counts in a projection."""

from pathlib import Path

from PIL import Image
from torch import Tensor

from latentlab.errors import ImageError
from latentlab.images import MAX_UPSCALE, Crop, DecodePolicy, fit, picture_to_tensor, read_picture

BLACK = (0, 0, 0)  # transparent parts of a mask do not count


def load_mask(
    path: Path | str, resolution: int, crop: Crop = "center", max_upscale: float = MAX_UPSCALE
) -> Tensor:
    """Read a mask from a picture file: white counts, black does not, grey counts in part.

    It is cropped and resized as its picture is, and clipped to [0,1] where the resize overshoots.

    Returns:
        The mask [1,resolution,resolution] in [0,1].

    Raises:
        ImageError: If the file cannot be read or used, or is black all over.
    """
    picture = read_picture(path, policy=DecodePolicy(background=BLACK))
    return mask_from(fit(picture, resolution, crop, max_upscale, str(path)), str(path))


def mask_from(picture: Image.Image, where: str = "mask") -> Tensor:
    """Convert a picture to a mask [1,H,W] in [0,1]: white counts, black does not.

    Raises:
        ImageError: If it is black all over.
    """
    mask = ((picture_to_tensor(picture, channels=1) + 1) / 2).clamp(0, 1)
    if not bool((mask > 0).any()):
        raise ImageError(f"{where}: the mask is black all over; paint white what counts")
    return mask
