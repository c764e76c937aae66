"""Changes to bytes of which nothing is known."""

import struct
from collections.abc import Sequence
from random import Random

_ENDS = 512  # bytes at either end, where headers and directories are
# What lengths, counts and offsets are when they are wrong.
ODD = (
    0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 65535, 65536,
    10**6, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53, 2**62, 2**63 - 1,
    2**63, 2**64 - 1, -1, -2, -(2**31), -(2**63),
)  # fmt: skip


def place(rng: Random, size: int) -> int:
    """Return a place in so many bytes: half of the time near an end."""
    if size <= 0:
        return 0
    kind = rng.random()
    if kind < 0.3:
        return rng.randrange(min(size, _ENDS))
    if kind < 0.5:
        return size - 1 - rng.randrange(min(size, _ENDS))
    return rng.randrange(size)


def changed(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Change bytes in one way of several."""
    kinds = (_flipped, _flipped, _cut, _without, _repeated, _spliced, _filled, _number, _number,
             _lengthened)  # fmt: skip
    return rng.choice(kinds)(rng, content, others)


def _flipped(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    found = bytearray(content)
    for _i in range(rng.choice((1, 1, 1, 2, 8)) if found else 0):
        found[place(rng, len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _cut(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: place(rng, len(content))]


def _without(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start = place(rng, len(content))
    return content[:start] + content[start + rng.choice((1, 2, 4, 8, 100, 1000)) :]


def _repeated(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, size = place(rng, len(content)), rng.choice((1, 2, 4, 16, 64, 300))
    part = content[start : start + size]
    return content[:start] + part * rng.choice((2, 2, 3, 10, 1000)) + content[start + size :]


def _spliced(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else content
    return content[: place(rng, len(content))] + other[place(rng, len(other)) :]


def _filled(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, size = place(rng, len(content)), rng.choice((1, 2, 4, 8, 16))
    fill = rng.choice((b"\0", b"\xff", b"\x7f", b" ", b"\n", b"A", b'"', b"\x80"))
    return content[:start] + fill * size + content[start + size :]


def _number(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, width = place(rng, len(content)), rng.choice((1, 2, 4, 4, 8, 8))
    number = rng.choice(ODD) % 256**width
    raw = number.to_bytes(width, rng.choice(("little", "little", "big")))
    return content[:start] + raw + content[start + width :]


def _lengthened(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    more = rng.choice((b"\0", b"x", struct.pack("<d", float("nan")), content[:64])) or b"\0"
    return content + more * rng.choice((1, 3, 100, 10_000))
