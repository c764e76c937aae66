"""HEIC, the format of iPhone pictures, read by pillow-heif where it is installed.

Nothing is registered with Pillow: what else runs in the process keeps its list of formats.
"""

from typing import IO

from PIL import Image

from latentlab.errors import ImageError
from latentlab.images.refusals import refuse_damage, too_large

# The major and compatible brands of ISO/IEC 23008-12, annex B, and of AVIF.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF_BRANDS = {b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_MOST_BRANDS = 64
_CODED_BRIGHTNESS = {16: "PQ", 18: "HLG"}  # transfer characteristics of ITU-T H.273


def kind(head: bytes) -> str | None:
    """Return "HEIC", "AVIF" or None for the first bytes of a file."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head), 16 + 4 * _MOST_BRANDS)
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))}
    if head[8:12] in _AVIF_BRANDS or (brands & _AVIF_BRANDS and not brands & _HEIC_BRANDS):
        return "AVIF"
    return "HEIC" if brands & (_HEIC_BRANDS | _HEIF_BRANDS) else None


def read(file: IO[bytes], where: str, max_pixels: int) -> tuple[Image.Image, list[str]]:
    """Decode the main picture: upright, in 8 bits or as 16-bit grey, with its profile; and notes.

    libheif turns the picture as the file says; its EXIF orientation says the same once more, so it
    is not applied.

    Raises:
        ImageError: If pillow-heif is missing, or the picture is damaged or larger than
            ``max_pixels``.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(
            f"{where}: a HEIC picture; to read it, run `pip install 'latentlab[heic]'`"
        ) from error
    with refuse_damage(where):
        container = pillow_heif.open_heif(file, convert_hdr_to_8bit=True, bgr_mode=False)
        (width, height), info = container.size, container.info  # of the main picture, if any
    if width * height > max_pixels:
        raise too_large(where, max_pixels, f"{width}x{height} is ")
    notes = [f"main picture of {len(container)}"] if len(container) > 1 else []
    if info.get("bit_depth", 8) > 8:
        notes.append(f"{info['bit_depth']}-bit picture cut to 8 bit")
    transfer = (info.get("nclx_profile") or {}).get("transfer_characteristics")
    if transfer in _CODED_BRIGHTNESS:
        notes.append(f"HDR brightness ({_CODED_BRIGHTNESS[transfer]}) taken as it is")
    with refuse_damage(where):
        picture = container.to_pillow()
    picture.info.pop("exif", None)
    return picture, notes
