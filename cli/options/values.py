"""The types of the values that options take.

Nothing here imports torch: help and usage errors answer at once.
"""

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, TypeVar

import click

TABLE_SUFFIXES = (".csv", ".json", ".parquet", ".md")  # see cli.reports.tables.write_table
VIDEO_SUFFIXES = (".mp4", ".gif")  # as latentlab.video.SUFFIXES
STYLE_NAMES = ("coarse", "middle", "fine")  # as latentlab.latents.STYLE_RANGES, without torch

_MOST_NUMBERS = 1_000_000
_MOST_FLOATS = 100
_MOST_SAMPLES = 10_000_000
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_DIGITS = re.compile("[0-9]{1,10}")

T = TypeVar("T")


class FiniteFloat(click.FloatRange):
    """A number within bounds, neither NaN nor infinite."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the text, and refuse what is not a finite number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return float(number)


class Parsed(click.ParamType[T]):
    """A value that is parsed from text; click names the option where that fails."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse a text; what is a value already, such as a default, is returned."""
        return self.parse(value) if isinstance(value, str) else value

    def parse(self, text: str) -> T:
        """Return the value; raises BadParameter."""
        raise NotImplementedError


class NumberList(Parsed[list[int]]):
    """Whole numbers such as "0,3,8-15"; both ends of a range are included."""

    name = "numbers"

    def parse(self, text: str) -> list[int]:
        """Parse the text; the count is checked before a list is made."""
        numbers: list[int] = []
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            if not _DIGITS.fullmatch(first) or (dash and not _DIGITS.fullmatch(last)):
                self.fail(f"{text[:80]!r} is not a list of numbers such as 0,3,8-15")
            low, high = int(first), int(last if dash else first)
            if high < low:
                self.fail(f"the range {part.strip()} runs backwards")
            if len(numbers) + high - low >= _MOST_NUMBERS or high >= 2**32:
                self.fail(f"{text[:80]!r} asks for too many or too large numbers")
            numbers.extend(range(low, high + 1))
        return numbers


class AnyFloat(Parsed[float]):
    """A finite number; unlike a range without ends, the help says nothing of bounds."""

    name = "number"

    def parse(self, text: str) -> float:
        """Parse the text."""
        return FiniteFloat().convert(text, None, None)


class FloatList(Parsed[list[float]]):
    """Finite numbers such as "1,0.7,-0.5"."""

    name = "numbers"

    def parse(self, text: str) -> list[float]:
        """Parse the text; the count is checked before it is taken apart."""
        if text.count(",") >= _MOST_FLOATS:
            self.fail(f"more than {_MOST_FLOATS} numbers")
        return [FiniteFloat().convert(part.strip(), None, None) for part in text.split(",")]


class SampleCounts(Parsed[dict[str, int]]):
    """Sample counts by metric, such as "ppl=5000,droplets=64"."""

    name = "counts"

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def parse(self, text: str) -> dict[str, int]:
        """Parse the text; each name must be known, and stand there once."""
        counts: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = (each.strip() for each in part.partition("="))
            if name not in self._names or name in counts:
                self.fail(f"{part[:80]!r}: give METRIC=N, each once, of {', '.join(self._names)}")
            if not _DIGITS.fullmatch(number) or not 1 <= int(number) <= _MOST_SAMPLES:
                self.fail(f"{part[:80]!r}: N is 1 to {_MOST_SAMPLES:,}")
            counts[name] = int(number)
        return counts


class Colour(Parsed[tuple[int, int, int]]):
    """A colour such as "#ffffff"."""

    name = "colour"

    def parse(self, text: str) -> tuple[int, int, int]:
        """Parse the text; returns red, green and blue in 0..255."""
        if not _COLOUR.fullmatch(text):
            self.fail(f"{text[:80]!r} is no colour such as #ffffff")
        red, green, blue = bytes.fromhex(text[1:])
        return red, green, blue


class FileName(Parsed[str]):
    """Name of a file without folders, with one of the suffixes; () takes every suffix."""

    name = "file"

    def __init__(self, suffixes: Sequence[str] = ()) -> None:
        self._suffixes = suffixes

    def parse(self, text: str) -> str:
        """Refuse names with folders, and other suffixes."""
        fits = not self._suffixes or PurePath(text).suffix in self._suffixes
        if PurePath(text).name != text or text in ("", "..") or not fits:
            ending = f" that ends in {', '.join(self._suffixes)}" if self._suffixes else ""
            self.fail(f"{text[:80]!r} is no file name{ending}")
        return text


class StyleLayers(Parsed["str | list[int]"]):
    """Layers of a generator: the name of a range, or numbers such as "0-3,5"."""

    name = "layers"

    def parse(self, text: str) -> str | list[int]:
        """Return the name, or the numbers in order and each once."""
        if text in STYLE_NAMES:
            return text
        if not text.strip()[:1].isdigit():
            names = ", ".join(STYLE_NAMES)
            self.fail(f"{text[:80]!r} is none of {names}, nor numbers such as 0-3,5")
        return sorted(set(NumberList().parse(text)))
