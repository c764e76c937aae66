"""Every way a picture enters or leaves: decoding, cropping, resizing, value ranges, saving.

Tensors are [N,C,H,W] or [C,H,W] with values nominally in [-1,1]. The decode policy is our own, so
that no picture is read by a library's silent default:

* the format is decided by content (PNG, JPEG, WebP, BMP, TIFF), the size limit by the header;
* EXIF orientation is applied; a corrupt EXIF block is ignored;
* transparency is flattened on white;
* 16-bit grey is scaled by 1/257 and rounded, 16-bit colour keeps its high bytes;
* of a phone's multi-picture JPEG the photo itself is read;
* truncated, animated, floating-point and 32-bit integer pictures are refused.
"""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from torch import Tensor

from latentlab.errors import ImageError, NumericalError, SettingsError
from latentlab.files import atomic_write

Crop = Literal["center", "none"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 64_000_000
MAX_UPSCALE = 4.0
BACKGROUND = (255, 255, 255)  # where a transparent picture lets through

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError,
    OverflowError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_pillow_globals = threading.Lock()


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
) -> Tensor:
    """Read a picture file at a generator's size.

    Args:
        path: The file.
        resolution: Side of the result in pixels.
        channels: 3 for colour, 1 for grey (Rec. 601 luma).
        crop: "center" takes the largest centred square, "none" takes square pictures only.
        max_upscale: Refuse pictures that would be enlarged more than this.

    Returns:
        Pixels [channels,resolution,resolution] in [-1,1].

    Raises:
        ImageError: If the file cannot be read or used, with the reason.
    """
    picture = read_picture(path)
    return picture_to_tensor(fit(picture, resolution, crop, max_upscale, str(path)), channels)


def read_picture(source: Path | str | IO[bytes], name: str | None = None) -> Image.Image:
    """Decode a picture to upright 8-bit RGB by the policy above.

    Raises:
        ImageError: If it cannot be read, naming the file and the reason.
    """
    where = name or str(source)
    try:
        with _strict_pillow(), Image.open(source, formats=FORMATS) as picture:
            _check_header(picture, where)
            picture.load()
            return _to_rgb(_upright(picture), where)
    except FileNotFoundError as error:
        raise ImageError(f"{where}: no such file") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
        raise ImageError(f"{where}: not a picture (its content is none of {formats})") from error
    except _DECODE_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"{where}: the picture cannot be read ({reason})") from error


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
    if crop not in get_args(Crop):
        raise SettingsError(f"`crop` must be one of {', '.join(get_args(Crop))}, but got {crop!r}")
    width, height = picture.size
    side = min(width, height)
    if crop == "none" and width != height:
        raise ImageError(f"{where}: {width}x{height} is not square; use crop center, or crop it")
    if resolution > side * max_upscale:
        raise ImageError(
            f"{where}: {width}x{height} would be enlarged {resolution / side:.1f} times; "
            f"take a larger picture, or allow more than {max_upscale:g}"
        )
    left, top = (width - side) // 2, (height - side) // 2
    square = (left, top, left + side, top + side)
    cropped = picture.crop(square)  # first, so that the filter reads nothing beyond the crop
    if side == resolution:
        return cropped
    return cropped.resize((resolution, resolution), Image.Resampling.LANCZOS)


def picture_to_tensor(picture: Image.Image, channels: int = 3) -> Tensor:
    """Convert an RGB picture to [channels,H,W] in [-1,1]."""
    if channels not in (1, 3):
        raise SettingsError(f"`channels` must be 1 or 3, but got {channels}")
    pixels = np.array(picture.convert("L" if channels == 1 else "RGB"))
    return from_uint8(
        torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels)).permute(2, 0, 1)
    )


def pixels_to_tensor(pixels: NDArray[np.uint8], channels: int = 3) -> Tensor:
    """Convert grey pictures [N,H,W] in 0..255 to [N,channels,H,W] in [-1,1]."""
    grey = from_uint8(torch.tensor(pixels))
    return grey.unsqueeze(1).repeat(1, channels, 1, 1)


def tensor_to_picture(image: Tensor) -> Image.Image:
    """Convert an image [C,H,W] in [-1,1] with one or three channels to an 8-bit picture.

    Raises:
        NumericalError: If it holds NaN or infinity.
        ImageError: If it has another number of channels.
    """
    if not bool(torch.isfinite(image).all()):
        raise NumericalError("the image holds NaN or infinity; no picture was written")
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ImageError(f"a picture has 1 or 3 channels, but the image is {list(image.shape)}")
    pixels = to_uint8(image.detach().cpu()).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def save_image(path: Path | str, image: Tensor) -> None:
    """Write an image [C,H,W] in [-1,1] as PNG, whole or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    save_picture(path, tensor_to_picture(image))


def save_picture(path: Path | str, picture: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all."""
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def shrink(images: Tensor, limit: int) -> Tensor:
    """Box-average images [N,C,H,W] with a side above ``limit`` down to it."""
    height, width = min(images.shape[-2], limit), min(images.shape[-1], limit)
    if images.shape[-2:] == (height, width):
        return images
    return F.adaptive_avg_pool2d(images, (height, width))


def grid(images: Tensor | Sequence[Tensor], columns: int, gap: int = 0) -> Tensor:
    """Tile images [C,H,W] row by row into one image [C,H',W']; gaps and blanks are white."""
    channels, height, width = images[0].shape
    rows = -(-len(images) // columns)
    tiled = torch.ones(channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        tiled[:, top : top + height, left : left + width] = image
    return tiled


@contextmanager
def _strict_pillow() -> Iterator[None]:
    """Make decoding independent of the process-wide switches that other libraries set."""
    with _pillow_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def _check_header(picture: Image.Image, where: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{where}: {width}x{height} is more than {MAX_PIXELS // 10**6} megapixels; "
            "scale it down first"
        )
    tags = getattr(picture, "tag_v2", {})
    if picture.mode.startswith("I;16") and tags and (tags.get(258), tags.get(262)) != ((16,), 1):
        raise ImageError(f"{where}: grey TIFF of 12 bit or with white as zero; save it as PNG")
    # Phones store depth maps and previews behind the photo; the photo is the first frame.
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
        raise ImageError(f"{where}: animated or of several pages; save the frame you want")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG)
    except _DECODE_ERRORS:  # EXIF is advice: a corrupt block leaves the picture as it is
        return picture
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image, where: str) -> Image.Image:
    if picture.mode.startswith("I;16"):
        pixels = np.asarray(picture).astype(np.uint32)
        pixels[pixels == picture.info.get("transparency", -1)] = 65535  # as BACKGROUND is white
        return Image.fromarray(((pixels + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("F", "I"):
        kind = "floating-point" if picture.mode == "F" else "32-bit integer"
        raise ImageError(f"{where}: {kind} pictures have no defined range; save it as 8 or 16 bit")
    if picture.mode in ("La", "RGBa") or picture.has_transparency_data:
        return _flatten(picture.convert("RGBA"))
    return picture.convert("RGB")


def _flatten(picture: Image.Image) -> Image.Image:
    background = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
    return Image.alpha_composite(background, picture).convert("RGB")
