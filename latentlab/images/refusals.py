"""Refusing a picture: damage as its decoder reports it, and sizes above the limit."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import UnidentifiedImageError

from latentlab.errors import ImageError

# What Pillow and libheif raise for damaged files. Python raises most of these for faults of our
# own code as well, so none of it may run where they are caught.
_DECODER_ERRORS = (
    OSError, ValueError, RuntimeError, SyntaxError, EOFError, IndexError, KeyError, TypeError,
    OverflowError, MemoryError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def refuse_damage(where: str) -> Iterator[None]:
    """Turn what a decoder raises into ImageError; only for calls of a decoder.

    UnidentifiedImageError passes: a file of another kind is not damaged.
    """
    try:
        yield
    except UnidentifiedImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{where}: no such file") from error
    except _DECODER_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join(reason.split())
        raise ImageError(f"{where}: the picture cannot be read ({reason})") from error


def too_large(where: str, max_pixels: int, found: str = "") -> ImageError:
    """Return the error for a picture above the limit; ``found`` begins it, as "9x9 is "."""
    limit = f"{max_pixels / 10**6:g} megapixels"
    return ImageError(f"{where}: {found}more than {limit}; scale it down first")
