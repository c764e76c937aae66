"""The orientation that a camera notes in EXIF, by a reader of our own.

Pillow's reader, before version 13, copies what every entry points to: a block of a megabyte whose
entries all point to one place fills gigabytes. Later ones take a fraction for an orientation, and
report a corrupt block by a warning alone. Only one entry of the first directory is wanted here.
"""

import re
import struct

from PIL import Image

_TAG = 0x0112
_MOST_ENTRIES = 4096
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_LENGTHS = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4)}  # by EXIF type: byte, short, long
_XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([0-9]{1,3})")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(picture: Image.Image) -> tuple[Image.Image, str | None]:
    """Return a loaded picture as its orientation says it is to be seen, and a note on that.

    EXIF is advice: a corrupt block, or an orientation outside 1 to 8, leaves the picture as it is.
    """
    try:
        orientation = _orientation(picture)
    except (ValueError, struct.error):
        return picture, "corrupt EXIF ignored"
    if orientation in (None, 1):
        return picture, None
    if orientation not in _UPRIGHT:
        return picture, f"EXIF orientation {orientation} ignored"
    return picture.transpose(_UPRIGHT[orientation]), f"turned by EXIF orientation {orientation}"


def exif_orientation(block: bytes) -> int | None:
    """Read the orientation off an EXIF block, with or without "Exif" in front.

    Returns:
        The number that is there, or None.

    Raises:
        ValueError: If the block is corrupt.
        struct.error: If it ends too early.
    """
    content = block.removeprefix(b"Exif\0\0")
    if not content:
        return None
    order = _BYTE_ORDERS.get(content[:4])
    if order is None:
        raise ValueError("no TIFF header")
    (start,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, start)
    for i in range(min(count, _MOST_ENTRIES)):
        tag, kind, _, value = struct.unpack_from(order + "HHI4s", content, start + 2 + 12 * i)
        if tag == _TAG:
            if kind not in _LENGTHS:
                raise ValueError("an orientation that is not a whole number")
            letter, length = _LENGTHS[kind]
            return int(struct.unpack(order + letter, value[:length])[0])
    return None


def _orientation(picture: Image.Image) -> int | None:
    """Look where the formats keep it: TIFF's own tags, EXIF, EXIF as PNG text, then XMP."""
    tags = getattr(picture, "tag_v2", None)
    if tags is not None:
        found = tags.get(_TAG)
        return found if isinstance(found, int) else None
    info = picture.info
    if isinstance(block := info.get("exif"), bytes):
        found = exif_orientation(block)
    elif isinstance(text := info.get("Raw profile type exif"), str):  # as ImageMagick writes it
        found = exif_orientation(bytes.fromhex("".join(text.split("\n")[3:])))
    else:
        found = None
    return found if found is not None else _xmp_orientation(info)


def _xmp_orientation(info: dict[str | tuple[int, int], object]) -> int | None:
    for key in ("xmp", "XML:com.adobe.xmp"):
        packet = info.get(key)
        content = packet.encode(errors="replace") if isinstance(packet, str) else packet
        if isinstance(content, bytes) and (match := _XMP.search(content)):
            return int(match[1])
    return None
