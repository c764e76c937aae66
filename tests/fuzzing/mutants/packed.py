"""Changes to what compressed files hold."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzzing.mutants import octets

_BOMB = bytes(2**25)


def repacked(
    rng: Random, content: bytes, others: Sequence[bytes],
    change: Callable[[Random, bytes, Sequence[bytes]], bytes],
) -> bytes:  # fmt: skip
    """Change what is inside, or put something else there."""
    try:
        for packer, start in ((gzip, b"\x1f\x8b"), (bz2, b"BZh"), (lzma, b"\xfd7zXZ")):
            if content.startswith(start):
                inner = packer.decompress(content)
                if rng.random() < 0.05:
                    inner += _BOMB
                else:
                    inner = change(rng, inner, others)
                return (
                    gzip.compress(inner, 1, mtime=0) if packer is gzip else packer.compress(inner)
                )
    except (OSError, EOFError, ValueError, lzma.LZMAError, gzip.zlib.error):
        pass  # damaged by an earlier change
    return octets.changed(rng, content, others)
