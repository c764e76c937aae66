"""The types of the values that options take.

Nothing here imports torch: help and usage errors answer at once.
"""

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import click

TABLE_SUFFIXES = (".csv", ".json", ".parquet", ".md")  # see cli.reports.tables.write_table
VIDEO_SUFFIXES = (".mp4", ".gif")  # as latentlab.video.SUFFIXES
STYLE_NAMES = ("coarse", "middle", "fine")  # as latentlab.latents.STYLE_RANGES, without torch

_MOST_NUMBERS = 1_000_000
_MOST_FLOATS = 100
_MOST_SAMPLES = 10_000_000
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_DIGITS = re.compile("[0-9]{1,10}")


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


class NumberList(click.ParamType[list[int]]):
    """Whole numbers such as "0,3,8-15"; both ends of a range are included."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Parse the text; the count is checked before a list is made."""
        if isinstance(value, list):
            return value
        numbers: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            if not _DIGITS.fullmatch(first) or (dash and not _DIGITS.fullmatch(last)):
                self.fail(f"{value[:80]!r} is not a list of numbers such as 0,3,8-15", param, ctx)
            low, high = int(first), int(last if dash else first)
            if high < low:
                self.fail(f"the range {part.strip()} runs backwards", param, ctx)
            if len(numbers) + high - low >= _MOST_NUMBERS or high >= 2**32:
                self.fail(f"{value!r} asks for too many or too large numbers", param, ctx)
            numbers.extend(range(low, high + 1))
        return numbers


class AnyFloat(click.ParamType[float]):
    """A finite number; unlike a range without ends, the help says nothing of bounds."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the text."""
        return FiniteFloat().convert(value, param, ctx)


class FloatList(click.ParamType[list[float]]):
    """Finite numbers such as "1,0.7,-0.5"."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[float]:
        """Parse the text; the count is checked before it is taken apart."""
        if isinstance(value, list):
            return value
        text = str(value)
        if text.count(",") >= _MOST_FLOATS:
            self.fail(f"more than {_MOST_FLOATS} numbers", param, ctx)
        return [FiniteFloat().convert(part.strip(), param, ctx) for part in text.split(",")]


class SampleCounts(click.ParamType[dict[str, int]]):
    """Sample counts by metric, such as "ppl=5000,droplets=64"."""

    name = "counts"

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, int]:
        """Parse the text; each name must be known, and stand there once."""
        if isinstance(value, dict):
            return value
        counts: dict[str, int] = {}
        for part in str(value).split(","):
            name, _, number = (text.strip() for text in part.partition("="))
            if name not in self._names or name in counts:
                known = ", ".join(self._names)
                self.fail(f"{part[:80]!r}: give METRIC=N, each once, of {known}", param, ctx)
            if not _DIGITS.fullmatch(number) or not 1 <= int(number) <= _MOST_SAMPLES:
                self.fail(f"{part[:80]!r}: N is 1 to {_MOST_SAMPLES:,}", param, ctx)
            counts[name] = int(number)
        return counts


class Colour(click.ParamType[tuple[int, int, int]]):
    """A colour such as "#ffffff"."""

    name = "colour"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """Parse the text; returns red, green and blue in 0..255."""
        if isinstance(value, tuple):
            return value
        if not _COLOUR.fullmatch(str(value)):
            self.fail(f"{value[:80]!r} is no colour such as #ffffff", param, ctx)
        red, green, blue = bytes.fromhex(str(value)[1:])
        return red, green, blue


class FileName(click.ParamType[str]):
    """Name of a file without folders, with one of the suffixes; () takes every suffix."""

    name = "file"

    def __init__(self, suffixes: Sequence[str] = ()) -> None:
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse names with folders, and other suffixes."""
        fits = not self._suffixes or PurePath(value).suffix in self._suffixes
        if PurePath(value).name != value or not fits:
            ending = f" that ends in {', '.join(self._suffixes)}" if self._suffixes else ""
            self.fail(f"{value!r} is no file name{ending}", param, ctx)
        return str(value)


class StyleLayers(click.ParamType["str | list[int]"]):
    """Layers of a generator: the name of a range, or numbers such as "0-3,5"."""

    name = "layers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | list[int]:
        """Return the name, or the numbers in order and each once."""
        if isinstance(value, list) or value in STYLE_NAMES:
            return value  # type: ignore[no-any-return]
        if not str(value).strip()[:1].isdigit():
            names = ", ".join(STYLE_NAMES)
            self.fail(f"{value[:80]!r} is none of {names}, nor numbers such as 0-3,5", param, ctx)
        return sorted(set(NumberList().convert(value, param, ctx)))
