"""Picture files made by hand, as bytes."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE = (255, 255, 255)
RED = (200, 10, 10)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blocks() -> NDArray[np.uint8]:
    """A 32x16 picture of eight 8x8 blocks, each of its own colour."""
    return noise(4, 2, seed=3).repeat(8, axis=0).repeat(8, axis=1)


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(
    width: int, height: int, bits: int, colour: int, rows: bytes = b"", extra: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def grey_tiff(bits: int, white_is_zero: bool, content: bytes) -> bytes:
    """A 4x4 grey TIFF, uncompressed."""
    tags = {256: 4, 257: 4, 258: bits, 259: 1, 262: int(not white_is_zero), 273: 0, 277: 1, 278: 4,
            279: len(content)}  # fmt: skip
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    fields = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + fields + bytes(4) + content
