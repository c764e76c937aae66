"""Writing animated GIFs frame by frame (GIF89a, with Netscape's extension for looping).

Pillow keeps all frames of an animation in memory. Here Pillow compresses each one as a picture of
its own, whose blocks are put into the animation.
"""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

UNITS = 100  # of a delay, in a second

_TABLE, _TABLE_SIZE = 0x80, 0x07  # bits that tell of a colour table
_EXTENSION, _END = 0x21, 0x3B
_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # for ever
_HEADER, _DESCRIPTOR = 13, 10  # bytes


@contextmanager
def gif_writer(path: Path, fps: float) -> Iterator[Callable[[Image.Image], None]]:
    """Yield a function that appends pictures of one size to a new file, which is whole afterwards.

    Each has 256 colours of its own, without dither: grey pictures are exact, RGB ones have the
    colours of the median cut. The delays are whole hundredths of a second that add up to the true
    time of each frame.
    """
    count = 0

    def append(picture: Image.Image) -> None:
        nonlocal count
        if count == 0:
            size = struct.pack("<HH", *picture.size)
            file.write(b"GIF89a" + size + bytes(3) + _LOOP)
        at = [round((count + i) * UNITS / fps) for i in (0, 1)]
        file.write(struct.pack("<BBBBHBB", _EXTENSION, 0xF9, 4, 4, at[1] - at[0], 0, 0))
        file.write(_frame(picture))
        count += 1

    with path.open("wb") as file:
        yield append
        file.write(bytes([_END]))


def _frame(picture: Image.Image) -> bytes:
    """Return a picture's descriptor, colours and compressed pixels, as a frame has them."""
    buffer = io.BytesIO()
    indexed = picture if picture.mode == "L" else picture.quantize(256, dither=Image.Dither.NONE)
    indexed.save(buffer, format="GIF", optimize=False, interlace=0)
    content = buffer.getvalue()
    bits = content[10] & _TABLE_SIZE  # a table of 2^(bits + 1) colours stands behind the header
    place = _HEADER + 3 * 2 ** (bits + 1)
    colours = content[_HEADER:place]
    while content[place] == _EXTENSION:
        place += 2
        while content[place]:
            place += 1 + content[place]
        place += 1
    descriptor = content[place : place + _DESCRIPTOR - 1] + bytes([_TABLE | bits])
    return descriptor + colours + content[place + _DESCRIPTOR : -1]
