"""What the commands say, and how they write names and numbers."""

import multiprocessing
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import click

_HELD = "latentlab.held_lines"  # of click's context; None once they have been said
_NAMED = 10  # of the pictures left out
_MOST_SHOWN = 4_000  # characters of a line
_COLOURS = {1: "grey", 3: "colour", 4: "colour with alpha"}  # by channels


def say(text: str) -> None:
    """Print a line on stderr; processes that this one has started leave that to it."""
    if multiprocessing.parent_process() is None:
        click.echo(shown_line(plain_text(text)), err=True)


def say_soon(text: str) -> None:
    """Say a line at once on a terminal; elsewhere hold it until ``say_held``.

    In a log, a command that is refused leaves its error alone.
    """
    ctx = click.get_current_context(silent=True)
    held = None if ctx is None or sys.stderr.isatty() else ctx.meta.setdefault(_HELD, [])
    if held is None:
        say(text)
    else:
        held.append(text)


def say_held() -> None:
    """Say the lines that were held; from now on none is."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None:
        lines, ctx.meta[_HELD] = ctx.meta.get(_HELD), None
        for line in lines or []:
            say(line)


def tell(*lines: str) -> None:
    """Print lines on stdout; what its encoding cannot write becomes \\xff."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = "\n".join(map(shown_line, lines))
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def shown_line(text: str) -> str:
    r"""Return what is printed as one line: what could steer a terminal or end it becomes \x1b.

    All that commands print comes through here, so that a place that forgets what a file may have
    written into a name does no harm. Of more than 4,000 characters the middle is left out.
    """
    if text.isprintable() and len(text) <= _MOST_SHOWN:
        return text
    from latentlab.errors import visible  # imports torch, if nothing else has

    return visible(text, _MOST_SHOWN)


def one_line(text: str) -> str:
    """Bring foreign text on one line; what could steer a terminal is written as \\x1b."""
    return shown_line(" ".join(text.split()))


def counted(number: int, noun: str) -> str:
    """Put a number before a noun: "1 picture", "3,000 pictures"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def listed(names: Sequence[str]) -> str:
    """Name all in a sentence: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def attributed(sentences: Iterable[tuple[str, str]], everyone: Collection[str]) -> list[str]:
    """Say each sentence once, after the names of those that it is about where these are not all.

    Args:
        sentences: The name of one and what is said of it; several may be given the same sentence.
        everyone: The names of all.
    """
    about: dict[str, dict[str, None]] = {}
    for name, sentence in sentences:
        about.setdefault(sentence, {})[name] = None
    return [sentence if len(names) == len(everyone) else f"{', '.join(names)}: {sentence}"
            for sentence, names in about.items()]  # fmt: skip


def colours_in_words(channels: int) -> str:
    """Say what pictures of so many channels are: "grey", "colour", "4 channels"."""
    return _COLOURS.get(channels) or counted(channels, "channel")


def setting_in_words(value: Any, most: int | None = None) -> str:
    """Write the value of a setting for a person; of long lists the first ``most``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, Mapping | list | tuple):
        return "none" if value is None else plain_text(value)
    if isinstance(value, Mapping):
        parts = [f"{name} {setting_in_words(each, most)}" for name, each in value.items()]
        inner: list[Any] = [*value.values()]
    else:
        inner = [*value[:most]]
        parts = [setting_in_words(each, most) for each in inner]
    nested = any(isinstance(each, Mapping | list | tuple) for each in inner)
    more = "" if len(parts) == len(value) else f" and {len(value) - len(parts):,} more"
    return ("; " if nested else ", ").join(parts) + more or "none"


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
    r"""Return text that every encoding can write: what is not UTF-8 in a path becomes \xff.

    So do halves of a character, which names in foreign files may have.
    """
    try:
        return os.fsencode(str(value)).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def number_ranges(numbers: Sequence[int]) -> str:
    """Write rising numbers with their ranges: "0-3,5"."""
    starts = [n for i, n in enumerate(numbers) if i == 0 or numbers[i - 1] != n - 1]
    ends = [n for i, n in enumerate(numbers) if n == numbers[-1] or numbers[i + 1] != n + 1]
    runs = zip(starts, ends, strict=True)
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)
