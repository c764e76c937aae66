"""Picture files to upright 8-bit RGB, by a policy of our own.

No picture is read by a library's silent default:

* the format is decided by content, the size limit by the header, before any pixel is decoded;
* EXIF orientation is applied; a corrupt EXIF block is ignored, with a note;
* transparency is flattened on a stated background, so that no hidden colour shows;
* colours of an embedded RGB profile (Display P3 of a phone) are brought to sRGB;
* 16-bit grey is scaled by 1/257 and rounded, 16-bit colour keeps its high bytes;
* CMYK becomes the light that its inks leave;
* of a phone's multi-picture JPEG the photo itself is read;
* truncated, floating-point and 32-bit integer pictures are refused, and animated ones unless the
  first frame is asked for.
"""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from latentlab import heif
from latentlab.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif")
MAX_PIXELS = 64_000_000
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
_SUFFIXES_OF = {
    "PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "WEBP": (".webp",),
    "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "GIF": (".gif",), "HEIF": (".heic", ".heif"),
}  # fmt: skip
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, AttributeError,
    RuntimeError, OverflowError, MemoryError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
_pillow_globals = threading.Lock()


@dataclass(frozen=True)
class DecodePolicy:
    """What is left to choose in decoding.

    Attributes:
        background: Colour (red, green, blue) in 0..255 behind transparent parts.
        first_frame: Take the first frame of animations and the first page of several, which are
            refused otherwise. Animated GIFs can be read in this way only.
        max_pixels: Refuse pictures with more pixels.
    """

    background: tuple[int, int, int] = BACKGROUND
    first_frame: bool = False
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True)
class Decoded:
    """An upright 8-bit RGB picture, and what a user should know of how it came about."""

    picture: Image.Image
    notes: tuple[str, ...] = ()


def decode(
    source: Path | str | IO[bytes], name: str | None = None, policy: DecodePolicy | None = None
) -> Decoded:
    """Decode a picture to upright 8-bit RGB by the policy above.

    Args:
        source: A file, or its opened content.
        name: What messages call it; default: ``source``.
        policy: What is left to choose.

    Raises:
        ImageError: If it cannot be read, naming the file and the reason.
    """
    where = name or str(source)
    try:
        with _opened(source) as file:
            return _Decoding(where, policy or DecodePolicy()).run(file)
    except FileNotFoundError as error:
        raise ImageError(f"{where}: no such file") from error
    except UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
        raise ImageError(f"{where}: not a picture (its content is none of {formats})") from error
    except _DECODE_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"{where}: the picture cannot be read ({reason})") from error


class _Decoding:
    """The steps from a file to its picture, and the notes on the way."""

    def __init__(self, where: str, policy: DecodePolicy) -> None:
        self._where, self._policy, self._notes = where, policy, list[str]()

    def run(self, file: IO[bytes]) -> Decoded:
        formats = [*FORMATS, "GIF"] if self._policy.first_frame else FORMATS
        with _strict_pillow(), self._open(file, formats) as picture:
            self._check_header(picture)
            picture.load()
            upright = self._upright(picture)
            return Decoded(self._to_rgb(upright), tuple(self._notes))

    def _open(self, file: IO[bytes], formats: list[str] | tuple[str, ...]) -> Image.Image:
        if heif.is_heif(file):
            return heif.open_heif(file, self._where)
        return Image.open(file, formats=formats)

    def _check_header(self, picture: Image.Image) -> None:
        width, height = picture.size
        if width * height > self._policy.max_pixels:
            limit = self._policy.max_pixels / 10**6
            raise ImageError(
                f"{self._where}: {width}x{height} is more than {limit:g} megapixels; scale it down "
                "first"
            )
        tags = getattr(picture, "tag_v2", {})
        grey = (tags.get(258), tags.get(262))
        if picture.mode.startswith("I;16") and tags and grey != ((16,), 1):
            raise ImageError(
                f"{self._where}: grey TIFF of 12 bit or with white as zero; save it as PNG"
            )
        self._check_frames(picture)
        suffixes = _SUFFIXES_OF.get(picture.format or "", ())
        suffix = Path(self._where).suffix.lower()
        if suffix in SUFFIXES and suffix not in suffixes:
            self._notes.append(f"{picture.format} inside a {suffix} file")

    def _check_frames(self, picture: Image.Image) -> None:
        # Phones store depth maps and previews behind the photo; the photo is the first frame.
        frames = getattr(picture, "n_frames", 1)
        if frames == 1 or picture.format in ("MPO", "HEIF"):
            return
        if not self._policy.first_frame:
            raise ImageError(
                f"{self._where}: animated or of several pages ({frames}); save the frame you want, "
                "or take --first-frame"
            )
        self._notes.append(f"first of {frames} frames")

    def _upright(self, picture: Image.Image) -> Image.Image:
        try:
            orientation = picture.getexif().get(_ORIENTATION_TAG)
            block = (picture.info.get("exif") or b"").removeprefix(b"Exif\0\0")
            if block and not block.startswith((b"II*\0", b"MM\0*")):
                raise ValueError("no TIFF header")  # Pillow passes over it
        except _DECODE_ERRORS:  # EXIF is advice: a corrupt block leaves the picture as it is
            self._notes.append("corrupt EXIF ignored")
            return picture
        if orientation in (None, 0, 1):
            return picture
        turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
        if turn is None:
            self._notes.append("unknown EXIF orientation ignored")
            return picture
        return picture.transpose(turn)

    def _to_rgb(self, picture: Image.Image) -> Image.Image:
        if picture.mode.startswith("I;16"):
            return self._from_16_bit(picture)
        if picture.mode in ("F", "I"):
            kind = "floating-point" if picture.mode == "F" else "32-bit integer"
            raise ImageError(
                f"{self._where}: {kind} pictures have no defined range; save it as 8 or 16 bit"
            )
        profile = picture.info.get("icc_profile")
        if picture.mode in ("La", "RGBa") or picture.has_transparency_data:
            picture = self._flatten(picture.convert("RGBA"))
        if picture.mode in ("RGB", "P") and profile:
            return self._to_srgb(picture.convert("RGB"), profile)
        if picture.mode == "CMYK":
            self._notes.append("CMYK without its profile")
        return picture.convert("RGB")

    def _from_16_bit(self, picture: Image.Image) -> Image.Image:
        values = np.asarray(picture).astype(np.uint32)
        grey = Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
        clear = picture.info.get("transparency")
        if not isinstance(clear, int):
            return grey
        opaque = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
        grey.putalpha(opaque)
        return self._flatten(grey)

    def _flatten(self, picture: Image.Image) -> Image.Image:
        """Lay an RGBA picture on the background."""
        lowest, _ = picture.getchannel("A").getextrema()
        if lowest != 255:
            self._notes.append(
                "transparency on #{:02x}{:02x}{:02x}".format(*self._policy.background)
            )
        background = Image.new("RGBA", picture.size, (*self._policy.background, 255))
        return Image.alpha_composite(background, picture).convert("RGB")

    def _to_srgb(self, picture: Image.Image, profile: bytes) -> Image.Image:
        """Bring colours of an embedded profile to sRGB; a profile that is no RGB one is ignored."""
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(embedded).strip()
            if "sRGB" in name or embedded.profile.xcolor_space.strip() != "RGB":
                return picture
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, embedded, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, *_DECODE_ERRORS):
            self._notes.append("damaged colour profile ignored")
            return picture
        self._notes.append(f"colours of {name[:40]} brought to sRGB")
        return converted or picture


@contextmanager
def _opened(source: Path | str | IO[bytes]) -> Iterator[IO[bytes]]:
    if isinstance(source, Path | str):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


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
