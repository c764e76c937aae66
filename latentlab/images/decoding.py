"""Decoding: a picture file becomes an upright 8-bit RGB picture, by a policy of our own.

Nothing is left to a library's silent defaults, and what was done to a picture is noted for reports:

* the format is decided by content (PNG, JPEG, WebP, BMP, TIFF; HEIC where pillow-heif is there),
  the size limit by the header;
* the orientation of EXIF is applied; a corrupt EXIF block is ignored;
* an embedded RGB profile, such as Display P3, is converted to sRGB;
* transparency is laid on a background, white unless another is asked for, or kept on request;
* 16-bit grey is scaled by 1/257 and rounded, 16-bit colour keeps its high bytes;
* CMYK becomes the light that the inks leave: 255 * (1 - ink) * (1 - black), inks in [0,1];
* from a phone's multi-picture JPEG or HEIC the photo itself is read;
* truncated, floating-point and 32-bit integer pictures are refused, and, unless the first frame is
  asked for, animations and files of several pages. GIF is a format for animations: it is read
  only then.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

from latentlab.checks import check, check_whole
from latentlab.errors import ImageError
from latentlab.foreign_files.opening import open_regular
from latentlab.images import heic
from latentlab.images.colour import Colour, to_rgb
from latentlab.images.orientation import upright
from latentlab.images.refusals import refuse_damage, too_large

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 64_000_000
BACKGROUND = (255, 255, 255)  # seen through transparent parts

_SUFFIX_FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG",
    ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF",
    ".tiff": "TIFF", ".heic": "HEIC", ".heif": "HEIC", ".gif": "GIF",
}  # fmt: skip
SUFFIXES = tuple(suffix for suffix in _SUFFIX_FORMATS if suffix != ".gif")
_ONE_FRAME = ("save the frame you want as PNG", "take the first with `first_frame`")
_HEAD = 512  # bytes that tell formats apart
_pillow_globals = threading.Lock()


@dataclass(frozen=True)
class DecodePolicy:
    """What whoever reads pictures may choose.

    Attributes:
        background: Colour (0..255 each) on which transparent parts are laid; None keeps them.
        first_frame: Take the first frame of animations, GIF included, and the first of several
            pages, instead of refusing them.
        max_pixels: Refuse pictures with more pixels, going by their header.
    """

    background: Colour | None = BACKGROUND
    first_frame: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.background is not None:
            fits = len(self.background) == 3 and all(0 <= value <= 255 for value in self.background)
            check(fits, "background", "three numbers 0 to 255", self.background)
        check_whole(self.max_pixels, "max_pixels", 1)


@dataclass(frozen=True)
class Decoded:
    """A picture as it was read.

    Attributes:
        picture: Upright, in sRGB, without metadata; of mode RGB, or RGBA where the policy keeps
            transparent parts and there are some.
        notes: What was done to it that its owner may want to know, such as "JPEG inside a .png".
    """

    picture: Image.Image
    notes: tuple[str, ...] = ()


STANDARD = DecodePolicy()


def decode(
    source: Path | str | IO[bytes], name: str | None = None, policy: DecodePolicy = STANDARD
) -> Decoded:
    """Decode a picture to upright 8-bit RGB.

    Args:
        source: A file, by name or open for reading.
        name: What messages call it; its own name if left out.
        policy: What may be chosen.

    Raises:
        ImageError: If it cannot be read, naming the file and the reason.
    """
    where = name or str(source)
    with _refusing(where, policy), _opened(source, where) as file:
        return _decode(file, where, policy)


def size_of(
    source: Path | str | IO[bytes], name: str | None = None, policy: DecodePolicy = STANDARD
) -> tuple[int, int]:
    """Return width and height of a picture as it is stored, by its header; HEIC is read whole.

    Raises:
        ImageError: If the header shows that ``decode`` would refuse it.
    """
    where = name or str(source)
    with _refusing(where, policy), _opened(source, where) as file:
        if _kind(file, where, policy) == "HEIC":
            return _decode(file, where, policy).picture.size
        with _strict_pillow(policy.max_pixels), _header(file, where, policy) as picture:
            _check_header(picture, where, policy)
            return picture.size


@contextmanager
def _refusing(where: str, policy: DecodePolicy) -> Iterator[None]:
    """Turn Pillow's errors into ours, naming the file."""
    try:
        yield
    except UnidentifiedImageError as error:  # this and the next are Pillow's alone
        formats = ", ".join(FORMATS)
        raise ImageError(f"{where}: not a picture (its content is none of {formats})") from error
    except Image.DecompressionBombError as error:
        raise too_large(where, policy.max_pixels) from error


def _opened(source: Path | str | IO[bytes], where: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file by name; one that is open already is closed by whoever opened it."""
    if not isinstance(source, str | PurePath):
        return nullcontext(source)
    with refuse_damage(where):
        return open_regular(source)


def _decode(file: IO[bytes], where: str, policy: DecodePolicy) -> Decoded:
    if not file.seekable():
        with refuse_damage(where):
            file = io.BytesIO(file.read())
    kind = _kind(file, where, policy)
    if kind == "HEIC":
        picture, notes = heic.read(file, where, policy.max_pixels)
    else:
        picture, kind, notes = _open(file, where, policy)
    named = _SUFFIX_FORMATS.get(PurePath(where).suffix.lower())
    if named not in (None, kind):
        notes.insert(0, f"{kind} inside a {PurePath(where).suffix.lower()}")
    return Decoded(to_rgb(picture, where, policy.background, notes), tuple(notes))


def _kind(file: IO[bytes], where: str, policy: DecodePolicy) -> str | None:
    """Return "HEIC", or None for a picture of Pillow's; refuse what is read by neither."""
    with refuse_damage(where):
        file.seek(0)
        start = file.read(_HEAD)
        file.seek(0)
    kind = heic.kind(start)
    if kind == "AVIF":
        raise ImageError(f"{where}: an AVIF picture, which is not read; save it as PNG or JPEG")
    if start.startswith(b"GIF8") and not policy.first_frame:
        raise ImageError(
            f"{where}: a GIF (its content is none of {', '.join(FORMATS)})",
            advice=_ONE_FRAME,
        )
    return kind


def _header(file: IO[bytes], where: str, policy: DecodePolicy) -> ImageFile.ImageFile:
    formats = (*FORMATS, "GIF") if policy.first_frame else FORMATS
    with refuse_damage(where):
        return Image.open(file, formats=formats)


def _open(file: IO[bytes], where: str, policy: DecodePolicy) -> tuple[Image.Image, str, list[str]]:
    """Return a picture of Pillow's formats, loaded and upright, its format, and notes."""
    with _strict_pillow(policy.max_pixels), _header(file, where, policy) as picture:
        notes = _check_header(picture, where, policy)
        kind = picture.format or "picture"
        deep = any(";16" in str(tile) for tile in picture.tile)  # before loading empties it
        with refuse_damage(where):
            picture.load()
        if deep:
            notes.append(_reduce_depth(picture))
        turned, note = upright(picture)
        return turned, "JPEG" if kind == "MPO" else kind, notes + ([note] if note else [])


@contextmanager
def _strict_pillow(max_pixels: int) -> Iterator[None]:
    """Make decoding independent of the process-wide switches that other libraries set."""
    with _pillow_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        # Pillow checks on opening, before some formats allocate; it refuses above twice its limit.
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = tolerant, most


def _check_header(picture: ImageFile.ImageFile, where: str, policy: DecodePolicy) -> list[str]:
    """Refuse what can be refused by the header alone; return notes."""
    width, height = picture.size
    if width * height > policy.max_pixels:
        raise too_large(where, policy.max_pixels, f"{width}x{height} is ")
    tags = getattr(picture, "tag_v2", {})
    if picture.mode.startswith("I;16") and tags and (tags.get(258), tags.get(262)) != ((16,), 1):
        raise ImageError(f"{where}: grey TIFF of 12 bit or with white as zero; save it as PNG")
    # Phones store depth maps and previews behind the photo; the photo is the first frame.
    with refuse_damage(where):
        frames = getattr(picture, "n_frames", 1)
    if frames <= 1 or picture.format == "MPO":
        return []
    if not policy.first_frame:
        raise ImageError(f"{where}: animated or of several pages", advice=_ONE_FRAME)
    with refuse_damage(where):
        picture.seek(0)
    return [f"first of {frames} {'pages' if picture.format == 'TIFF' else 'frames'}"]


def _reduce_depth(picture: Image.Image) -> str:
    """Note what becomes of 16 bits; Pillow keeps the high bytes of colours, not of their key."""
    if picture.mode.startswith("I;16"):
        return "16-bit grey scaled to 8 bit"
    key = picture.info.get("transparency")
    if isinstance(key, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    return "16-bit colour cut to 8 bit"
