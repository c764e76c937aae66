"""What the commands say, and how they write names and numbers."""

import os
import sys
from collections.abc import Sequence, Set
from pathlib import PurePath

import click

_NAMED = 10  # of the pictures left out


def say(text: str) -> None:
    """Print a line on stderr."""
    click.echo(plain_text(text), err=True)


def tell(text: str) -> None:
    """Print lines on stdout; what its encoding cannot write becomes \\xff."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def one_line(text: str) -> str:
    """Bring foreign text on one line; what could steer a terminal is written as \\x1b."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def counted(number: int, noun: str) -> str:
    """Put a number before a noun: "1 picture", "3 pictures"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say_left_out(notes: Sequence[str]) -> None:
    """Say why pictures were left out: the first ones, as there may be thousands."""
    for note in notes[:_NAMED]:
        say(f"Left out: {note}")
    if len(notes) > _NAMED:
        say(f"Left out: {len(notes) - _NAMED} more, named in the report.")


def distinct_names(paths: Sequence[str]) -> list[str]:
    """Return the files' names, each with as many of its folders as tell it from the others."""
    parts = [PurePath(path).parts for path in paths]
    names = []
    for own in parts:
        tails = (own[-n:] for n in range(1, len(own)))
        ends = (tail for tail in tails if _ending_in(tail, set(parts)) == 1)
        names.append(str(PurePath(*next(ends, own))))
    return names if len(set(names)) == len(set(paths)) else list(paths)


def _ending_in(tail: tuple[str, ...], parts: Set[tuple[str, ...]]) -> int:
    return sum(each[-len(tail) :] == tail for each in parts)


def plain_text(value: object) -> str:
    """Return text that every encoding can write: what is not UTF-8 in a path becomes \\xff."""
    return os.fsencode(str(value)).decode("utf-8", "backslashreplace")


def number_ranges(numbers: Sequence[int]) -> str:
    """Write rising numbers with their ranges: "0-3,5"."""
    starts = [n for i, n in enumerate(numbers) if i == 0 or numbers[i - 1] != n - 1]
    ends = [n for i, n in enumerate(numbers) if n == numbers[-1] or numbers[i + 1] != n + 1]
    runs = zip(starts, ends, strict=True)
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)
