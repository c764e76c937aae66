"""JSON out of files from anywhere: bounded before it is parsed, and of one meaning.

A parser makes 64 bytes of memory and more of two brackets. So what a text would become is counted
first, in its bytes: brackets and commas outside strings.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlab.errors import quoted

_CHUNK = 2**20  # bytes
_LONGEST_INTEGER = 40  # digits
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEEPER = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as int8: 1 and -1


@dataclass(frozen=True)
class JsonLimits:
    """What a text may hold at most.

    Attributes:
        size: Bytes.
        containers: Lists and objects.
        values: Commas between values.
        depth: Lists and objects within each other.
    """

    size: int
    containers: int
    values: int
    depth: int


# What a checkpoint says of itself: settings, the log of a training, the pictures of latents.
FACTS = JsonLimits(size=2**23, containers=100_000, values=200_000, depth=32)


class JsonTooLarge(ValueError):
    """A text is beyond its limits; it has not been parsed."""


def check_json(chunks: Iterable[bytes], limits: JsonLimits) -> None:
    """Count what a text would become, and stop where that is too much.

    Only the text up to the first fault is counted rightly; a parser gets no further either.

    Raises:
        JsonTooLarge: Saying what there is too much of.
    """
    size = containers = values = depth = 0
    inside, escape = 0, b""
    for chunk in chunks:
        size += len(chunk)
        text = escape + chunk
        # An escape is its backslash and one byte more, which may be in the next chunk.
        escape = b"\\" if (len(text) - len(text.rstrip(b"\\"))) % 2 else b""
        text = text[: len(text) - len(escape)]
        pieces = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(pieces[inside::2])
        inside = (inside + len(pieces) - 1) % 2
        containers += outside.count(b"{") + outside.count(b"[")
        values += outside.count(b",")
        deepest, depth = _depths(outside, depth)
        for what, there, most in (
            ("bytes", size, limits.size),
            ("lists and objects", containers, limits.containers),
            ("values", values, limits.values),
            ("levels", deepest, limits.depth),
        ):
            if there > most:
                raise JsonTooLarge(f"over {most:,} {what}")


def _depths(outside: bytes, depth: int) -> tuple[int, int]:
    """Return the greatest depth in a text without strings, and the one at its end."""
    steps = np.frombuffer(outside.translate(_DEEPER, _NOT_BRACKETS), np.int8)
    if not len(steps):
        return depth, depth
    depths = np.cumsum(steps, dtype=np.int32)
    return depth + int(depths.max()), depth + int(depths[-1])


def parse_json(text: str | bytes, limits: JsonLimits = FACTS, *, any_number: bool = False) -> Any:
    """Return the value of a text that stays within limits and means one thing to every reader.

    Args:
        text: JSON.
        limits: What it may hold.
        any_number: Leave it to the caller to look for NaN, infinity and numbers beyond float64.

    Raises:
        ValueError: If it is too large, which is a JsonTooLarge, or no JSON, names something twice,
            or holds NaN, infinity, or a number that float64 does not reach. The message is a clause
            that says so, and is to be put after the place.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    check_json(_pieces(raw), limits)
    if isinstance(text, bytes):  # the parser would guess other encodings, which were not counted
        text = text.decode("utf-8")
    if any_number:
        return json.loads(text, object_pairs_hook=_once)
    return json.loads(
        text, object_pairs_hook=_once, parse_constant=_refused, parse_float=_finite,
        parse_int=_whole,
    )  # fmt: skip


def _pieces(raw: bytes) -> Iterator[bytes]:
    return (raw[start : start + _CHUNK] for start in range(0, len(raw), _CHUNK))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in found if times[name] > 1)
        raise ValueError(f"{quoted(twice)} is there twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is there, which is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"a number beyond float64 is there: {text[:_LONGEST_INTEGER]}")
    return number


def _whole(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"a number of {len(text)} digits is there")
    return int(text)
