"""Pictures as tensors and back: cropping, resizing, value ranges, saving.

Tensors are [N,C,H,W] or [C,H,W] with values nominally in [-1,1].
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latentlab.checks import check, check_choice
from latentlab.errors import ImageError, NumericalError
from latentlab.files import write_bytes
from latentlab.images.channels import ALPHA, KINDS
from latentlab.images.colour import flatten
from latentlab.images.decoding import STANDARD, DecodePolicy, decode

Crop = Literal["center", "none"]

MAX_UPSCALE = 4.0

_LEAST_SHARE = 1e-6  # of alpha, below which a colour is not told from another
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by channels


def to_uint8(images: Tensor) -> Tensor:
    """Map [-1,1] to bytes 0..255 as the official generator scripts do: x * 127.5 + 128, cut off."""
    return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8)


def from_uint8(pixels: Tensor) -> Tensor:
    """Map bytes 0..255 to [-1,1]: x / 127.5 - 1."""
    return pixels.to(torch.float32) / 127.5 - 1


def load_image(
    path: Path | str,
    resolution: int,
    channels: int = 3,
    crop: Crop = "center",
    max_upscale: float = MAX_UPSCALE,
    policy: DecodePolicy = STANDARD,
) -> Tensor:
    """Read a picture file at a generator's size.

    Args:
        path: The file.
        resolution: Side of the result in pixels.
        channels: 3 for colour, 1 for grey (Rec. 601 luma), 4 for colour with alpha: the file's
            own, or opaque.
        crop: "center" takes the largest centred square, "none" takes square pictures only.
        max_upscale: Refuse pictures that would be enlarged by more than this factor.
        policy: How it is decoded; with 4 channels, its background is not used.

    Returns:
        Pixels [channels,resolution,resolution] in [-1,1].

    Raises:
        ImageError: If the file cannot be read or used, with the reason.
    """
    picture = read_picture(path, policy=policy_for(channels, policy))
    return picture_to_tensor(fit(picture, resolution, crop, max_upscale, str(path)), channels)


def policy_for(channels: int, policy: DecodePolicy = STANDARD) -> DecodePolicy:
    """Return how pictures are decoded for so many channels: with 4, they keep their alpha."""
    return replace(policy, background=None) if channels == ALPHA else policy


def read_picture(
    source: Path | str | IO[bytes], name: str | None = None, policy: DecodePolicy = STANDARD
) -> Image.Image:
    """Decode a picture to upright 8-bit RGB, as ``decode`` does, without its notes.

    Raises:
        ImageError: If it cannot be read, naming the file and the reason.
    """
    return decode(source, name, policy).picture


def fit(
    picture: Image.Image,
    resolution: int,
    crop: Crop = "center",
    max_upscale: float = MAX_UPSCALE,
    where: str = "picture",
) -> Image.Image:
    """Crop a picture to a square and resize it with the antialiased Lanczos filter.

    Raises:
        ImageError: If it is not square under crop "none", or too small.
    """
    check_size(picture.size, resolution, crop, max_upscale, where)
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = (left, top, left + side, top + side)
    cropped = picture.crop(square)  # first, so that the filter reads nothing beyond the crop
    if side == resolution:
        return cropped
    return cropped.resize((resolution, resolution), Image.Resampling.LANCZOS)


def check_size(
    size: tuple[int, int],
    resolution: int,
    crop: Crop = "center",
    max_upscale: float = MAX_UPSCALE,
    where: str = "picture",
) -> None:
    """Check that a picture of a size (width, height) can be brought to a generator's.

    Raises:
        ImageError: If it is not square under crop "none", or too small.
    """
    check_choice(crop, "crop", get_args(Crop))
    width, height = size
    side = min(width, height)
    if crop == "none" and width != height:
        raise ImageError(
            f"{where}: {width}x{height} is not square", advice=["crop it", "use `crop` center"]
        )
    if resolution > side * max_upscale:
        raise ImageError(
            f"{where}: {width}x{height} would be enlarged {resolution / side:.1f} times",
            advice=["take a larger picture", f"allow more than {max_upscale:g} by `max_upscale`"],
        )


def picture_to_tensor(picture: Image.Image, channels: int = 3) -> Tensor:
    """Convert an RGB or RGBA picture to [channels,H,W] in [-1,1].

    With 4 channels, alpha is the last one; with fewer, transparent parts are laid on white.
    """
    check(channels in KINDS, "channels", "1, 3 or 4", channels)
    if channels != ALPHA:
        picture = flatten(picture)
    pixels = np.array(picture.convert(_MODES[channels]))
    rows = torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels))
    return from_uint8(rows.permute(2, 0, 1))


def pixels_to_tensor(pixels: NDArray[np.uint8], channels: int = 3) -> Tensor:
    """Convert grey pictures [N,H,W] in 0..255 to [N,channels,H,W] in [-1,1], opaque with alpha."""
    check(channels in KINDS, "channels", "1, 3 or 4", channels)
    grey = from_uint8(torch.tensor(pixels)).unsqueeze(1).repeat(1, channels, 1, 1)
    grey[:, 3:] = 1
    return grey


def tensor_to_picture(image: Tensor) -> Image.Image:
    """Convert an image [C,H,W] in [-1,1] to an 8-bit picture of mode L, RGB or, with alpha, RGBA.

    Raises:
        NumericalError: If it holds NaN or infinity.
        ImageError: If it has not 1, 3 or 4 channels.
    """
    if not bool(torch.isfinite(image).all()):
        raise NumericalError("the image holds NaN or infinity; no picture was written")
    if image.ndim != 3 or image.shape[0] not in KINDS:
        shape = list(image.shape)
        raise ImageError(f"a picture has 1, 3 or 4 channels, but the image is {shape}")
    pixels = to_uint8(image.detach().cpu()).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def save_image(path: Path | str, image: Tensor) -> None:
    """Write an image [C,H,W] in [-1,1] as PNG, with its alpha if it has some, whole or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    save_picture(path, tensor_to_picture(image))


def save_picture(path: Path | str, picture: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    content = io.BytesIO()
    picture.save(content, format="PNG")
    write_bytes(path, content.getvalue())


def shrink(images: Tensor, limit: int) -> Tensor:
    """Box-average images [N,C,H,W] with a side above ``limit`` down to it.

    Colours count as much as their alpha, if there is any: what is not seen does not show.
    """
    height, width = min(images.shape[-2], limit), min(images.shape[-1], limit)
    if images.shape[-2:] == (height, width):
        return images
    if images.shape[1] != ALPHA:
        return F.adaptive_avg_pool2d(images, (height, width))
    colours, share = images[:, :3], ((images[:, 3:] + 1) / 2).clamp(0, 1)
    shares = F.adaptive_avg_pool2d(share, (height, width))
    seen = F.adaptive_avg_pool2d(colours * share, (height, width))
    return torch.cat([seen / shares.clamp(min=_LEAST_SHARE), shares * 2 - 1], dim=1)


def grid(images: Tensor | Sequence[Tensor], columns: int, gap: int = 0) -> Tensor:
    """Tile images [C,H,W] row by row into one image [C,H',W']; gaps and blanks are white."""
    channels, height, width = images[0].shape
    rows = -(-len(images) // columns)
    tiled = torch.ones(channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        tiled[:, top : top + height, left : left + width] = image
    return tiled
