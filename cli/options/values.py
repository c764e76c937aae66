"""The types of the values that options take; click names the option where one refuses a text.

Nothing here imports torch: help and usage errors answer at once.
"""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import click

TABLE_SUFFIXES = (".csv", ".json", ".parquet", ".md")  # see cli.reports.tables.write_table
VIDEO_SUFFIXES = (".mp4", ".gif")  # as latentlab.video.SUFFIXES
LATENT_KINDS = ("npy", "npz", "pt", "rosinality", "safetensors", "parquet")
STYLE_NAMES = ("coarse", "middle", "fine")  # as latentlab.latents.STYLE_RANGES, without torch

_MOST_NUMBERS = 1_000_000
_MOST_FLOATS = 100
_MOST_SAMPLES = 10_000_000
_SEEDS = 2**32  # numpy's, which make z
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_DIGITS = re.compile("[0-9]{1,10}")
_SHORT = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?([kKM])")
_ZEROS = {"k": 3, "K": 3, "M": 6}  # of the letter that a count may end in


class Count(click.IntRange):
    """A whole number within bounds, which may be written as 50k or 1M."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the text, and refuse what is not a whole number within the bounds."""
        return int(super().convert(_written_out(value), param, ctx))


class Seed(click.IntRange):
    """The seed of one picture; unlike a range with an end, the help says nothing of bounds."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the text, and refuse what is not a whole number of 32 bits."""
        seed = int(super().convert(value, param, ctx))
        if seed >= _SEEDS:
            self.fail(f"{value!r} is no seed; they are whole numbers below {_SEEDS:,}", param, ctx)
        return seed


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


def finite_float(value: str | float) -> float:
    """Parse a finite number; unlike a range without ends, the help says nothing of bounds."""
    return FiniteFloat().convert(value, None, None)


def assumptions(
    _: click.Context, __: click.Parameter, texts: Sequence[str]
) -> dict[str, str] | None:
    """Parse settings such as "a=1,b=none", each given once; None where there are none."""
    found: dict[str, str] = {}
    for text in (part for each in texts for part in each.split(",")):
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = value
    return found or None


def float_list(text: str) -> list[float]:
    """Parse finite numbers such as "1,0.7,-0.5"; they are counted before they are taken apart."""
    if text.count(",") >= _MOST_FLOATS:
        raise click.BadParameter(f"more than {_MOST_FLOATS} numbers")
    return [finite_float(part.strip()) for part in text.split(",")]


def float_pair(text: str) -> tuple[float, float]:
    """Parse two finite numbers such as "0.25,-0.1"."""
    found = float_list(text)
    if len(found) != 2:
        raise click.BadParameter(f"{text[:80]!r} is not two numbers such as 0.25,-0.1")
    return found[0], found[1]


def number_list(text: str) -> list[int]:
    """Parse whole numbers such as "0,3,8-15"; both ends of a range are included.

    The count is checked before a list is made.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not _DIGITS.fullmatch(first) or (dash and not _DIGITS.fullmatch(last)):
            raise click.BadParameter(f"{text[:80]!r} is not a list of numbers such as 0,3,8-15")
        low, high = int(first), int(last if dash else first)
        if high < low:
            raise click.BadParameter(f"the range {part.strip()} runs backwards")
        if len(numbers) + high - low >= _MOST_NUMBERS or high >= _SEEDS:
            raise click.BadParameter(f"{text[:80]!r} asks for too many or too large numbers")
        numbers.extend(range(low, high + 1))
    return numbers


def class_list(text: str) -> tuple[str, ...]:
    """Parse classes such as "3", "0-4", "cat,dog" or "all"; a checkpoint says which there are."""
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts) or any(part[:1] == "-" and part[1:].isdigit() for part in parts):
        raise click.BadParameter(f"{text[:80]!r} is no list of classes such as 0-4, or all")
    return parts


def sample_counts(names: Sequence[str]) -> Callable[[str], dict[str, int]]:
    """Return a parser of sample counts such as "ppl=5000,droplets=64", each name once."""

    def counts_by_name(text: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = (each.strip() for each in part.partition("="))
            if name not in names or name in counts:
                rule = f"give METRIC=N, each once, of {', '.join(names)}"
                raise click.BadParameter(f"{part[:80]!r}: {rule}")
            digits = str(_written_out(number))
            if not _DIGITS.fullmatch(digits) or not 1 <= int(digits) <= _MOST_SAMPLES:
                raise click.BadParameter(f"{part[:80]!r}: N is 1 to {_MOST_SAMPLES:,}, or 50k")
            counts[name] = int(digits)
        return counts

    return counts_by_name


def _written_out(value: Any) -> Any:
    """Return "50k" as 50000 and "1.5M" as 1500000; anything else as it is."""
    found = _SHORT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    whole, part, zeros = found[1], found[2] or "", _ZEROS[found[3]]
    if part[zeros:].strip("0"):
        return value  # there is no such whole number
    return int(whole + part[:zeros].ljust(zeros, "0"))


def colour(text: str) -> tuple[int, int, int]:
    """Parse a colour such as "#ffffff"; returns red, green and blue in 0..255."""
    if not _COLOUR.fullmatch(text):
        raise click.BadParameter(f"{text[:80]!r} is not a colour such as #ffffff")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def file_name(*suffixes: str) -> Callable[[str], str]:
    """Return what refuses names with folders, and suffixes other than these if there are any."""

    def name(text: str) -> str:
        fits = not suffixes or PurePath(text).suffix in suffixes
        if PurePath(text).name != text or text in ("", "..") or not fits:
            ending = f" that ends in {', '.join(suffixes)}" if suffixes else ""
            raise click.BadParameter(f"{text[:80]!r} is not a file name{ending}")
        return text

    return name


def layer_list(text: str) -> str | list[int]:
    """Parse layers: the name of a range, or numbers such as "0-3,5", in order and each once."""
    if text in STYLE_NAMES:
        return text
    if not text.strip()[:1].isdigit():
        names = ", ".join(STYLE_NAMES)
        raise click.BadParameter(f"{text[:80]!r} is none of {names}, nor numbers such as 0-3,5")
    return sorted(set(number_list(text)))
