"""The orientation that a camera notes; decoded pictures of all eight are in test_decoding.py."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from latentlab.images import Decoded, decode
from latentlab.images.orientation import exif_orientation
from tests.support.picture_bytes import blocks, chunk, encode, noise, png


def read(content: bytes) -> Decoded:
    return decode(io.BytesIO(content), "picture")


def block(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    fields = b"".join(struct.pack(order + "HHI4s", *entry) for entry in entries)
    return start + struct.pack(order + "IH", 8, len(entries)) + fields + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize(("kind", "letter"), [(1, "B"), (3, "H"), (4, "I")])
def test_i07_the_entry_is_read_in_both_byte_orders(
    order: str, prefix: bytes, kind: int, letter: str
) -> None:
    entry = (0x0112, kind, 1, struct.pack(order + letter, 6))
    other = (0x010F, 2, 99, b"\xff\xff\xff\xff")  # points outside: none of our business
    assert exif_orientation(prefix + block(order, other, entry)) == 6


@pytest.mark.parametrize("content", [b"", b"Exif\0\0", block("<", (0x0100, 3, 1, b"\6\0\0\0"))])
def test_a_block_without_an_orientation_has_none(content: bytes) -> None:
    assert exif_orientation(content) is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_i07_every_cut_block_is_corrupt_or_has_the_orientation(order: str) -> None:
    whole = block(order, (0x0112, 3, 1, struct.pack(order + "H", 6)))
    for length in range(1, len(whole)):
        try:
            assert exif_orientation(whole[:length]) == 6
            assert length >= len(whole) - 4
        except (ValueError, struct.error):
            assert length < len(whole) - 4


@pytest.mark.parametrize(
    ("stored", "note"),
    [
        (block("<", (0x0112, 3, 1, b"\6\0\0\0")), "turned by EXIF orientation 6"),
        (block("<", (0x0112, 3, 1, b"\1\0\0\0")), None),
        (block("<", (0x0112, 3, 1, b"\x63\0\0\0")), "EXIF orientation 99 ignored"),
        (block("<", (0x0112, 3, 1, b"\0\0\0\0")), "EXIF orientation 0 ignored"),
        (block("<", (0x0112, 5, 1, b"\0\0\0\0")), "corrupt EXIF ignored"),
        (b"II*\0\xff\xff\xff\xff", "corrupt EXIF ignored"),
        (b"garbage!", "corrupt EXIF ignored"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_i07_what_became_of_the_orientation_is_noted(
    kind: str, stored: bytes, note: str | None
) -> None:
    prefix = b"Exif\0\0" if kind == "JPEG" else b""
    found = read(encode(Image.fromarray(noise(8, 4)), kind, exif=prefix + stored))
    assert list(found.notes) == ([note] if note else [])
    assert found.picture.size == ((4, 8) if note and "turned" in note else (8, 4))


def test_an_orientation_that_only_xmp_has_is_applied() -> None:
    packet = b'<rdf:Description tiff:Orientation="8"/>'
    found = read(encode(Image.fromarray(blocks()), "JPEG", xmp=packet, quality=100, subsampling=0))
    np.testing.assert_allclose(np.asarray(found.picture).astype(int), np.rot90(blocks()), atol=3)


def test_an_orientation_in_a_png_text_is_applied() -> None:
    exif = block(">", (0x0112, 3, 1, b"\0\3\0\0"))
    text = b"Raw profile type exif\0\nexif\n%8d\n" % len(exif) + exif.hex().encode() + b"\n"
    rows = b"\0\1\2\3"
    found = read(png(3, 1, 8, 0, rows, chunk(b"tEXt", text)))
    assert np.asarray(found.picture)[0, :, 0].tolist() == [3, 2, 1]
    broken = text.replace(b"4d4d", b"4dxx")
    assert read(png(3, 1, 8, 0, rows, chunk(b"tEXt", broken))).notes == ("corrupt EXIF ignored",)
