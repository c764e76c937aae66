"""HEIC pictures, as phones take them, by the pillow-heif library: an extra.

Nothing is registered with Pillow: other code that opens pictures notices no difference.
"""

from typing import IO

from PIL import ImageFile

from latentlab.errors import ImageError

INSTALL = "pip install latentlab[heic]"

# Brands of ISO/IEC 23008-12: still pictures and bursts, coded by HEVC, or by what the file says.
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_HEADER = 12  # bytes: length, "ftyp", major brand


def is_heif(file: IO[bytes]) -> bool:
    """Whether the content is HEIF; leaves the file at its beginning."""
    start = file.read(_HEADER)
    file.seek(0)
    return start[4:8] == b"ftyp" and start[8:12] in _BRANDS


def open_heif(file: IO[bytes], where: str) -> ImageFile.ImageFile:
    """Open a HEIF picture; its pixels are decoded later.

    The library applies the file's rotation itself.

    Raises:
        ImageError: If the extra is not installed.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageError(f"{where}: is a HEIC picture; to read it, {INSTALL}") from error
    picture: ImageFile.ImageFile = HeifImageFile(file)
    return picture
