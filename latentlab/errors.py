"""The error family: each message is one line that says what is wrong, where, and what to do.

A message names arguments in backticks, by the names that Python knows. Who has other names for
them asks for the message in words of their own: see ``LatentlabError.written``.

``exit_code`` is what the command line returns for the error.
"""

import re
import reprlib
from collections.abc import Callable, Sequence
from typing import Self

_SHOWN = 20  # items of a list
_LONGEST = 300  # characters of one text, such as a name
_QUOTED = 80  # characters of a value
_REASON = 200  # characters of another library's words
_MESSAGE = 4_000  # characters of a whole message: two paths as long as any, with words
# `layers`, `noise[2]`, `start.ws`; not `latentlab tune`, nor `pip install ...`.
_ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)(?:\[\d+\])?`")


class LatentlabError(Exception):
    """Base of every error that latentlab raises on purpose.

    Whatever a file wrote into the names in them, both attributes are printable, on one line, and
    of bounded length: see ``visible``.

    Attributes:
        message: What is wrong, and where.
        advice: What can be done, each a clause of its own that names the argument it speaks of.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, advice: Sequence[str] = ()) -> None:
        self.message = visible(message, _MESSAGE)
        self.advice = tuple(visible(each, _MESSAGE) for each in advice)
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message and the advice as one printable line."""
        return _with_advice(self.message, self.advice)

    def written(
        self, word: Callable[[str], str], advise: Callable[[str, Sequence[str]], str | None]
    ) -> str:
        """Return the message as one printable line, with arguments in the words of the caller.

        Args:
            word: Gives the word for an argument of the message; it gets the name without
                backticks.
            advise: Gives a piece of advice, which names the given arguments, in the caller's
                words, or None if it is of no use to whom the message is for.

        >>> error = SettingsError("`psi` must be 0 to 1", advice=["leave `psi` out"])
        >>> str(error)
        '`psi` must be 0 to 1; leave `psi` out'
        >>> error.written(lambda name: f"--{name}", lambda text, names: None)
        '--psi must be 0 to 1'
        """
        found = (advise(text, _ARGUMENT.findall(text)) for text in self.advice)
        advice = list(dict.fromkeys(text for text in found if text is not None))
        return _with_advice(in_words(self.message, word), advice)

    def at(self, where: object) -> Self:
        """Return the same error with the place before its message."""
        placed = type(self)(f"{where}: {self.message}", advice=self.advice)
        placed.__cause__ = self.__cause__
        return placed


class SettingsError(LatentlabError, ValueError):
    """An argument is outside what the function or command accepts."""

    exit_code = 2


class CheckpointError(LatentlabError):
    """A weights file is missing, damaged, or does not hold what was asked for."""

    exit_code = 3


class UnsafeCheckpoint(CheckpointError):
    """A checkpoint asks for code to be run."""


class TruncatedCheckpoint(CheckpointError):
    """A checkpoint ends before its data does."""


class UnsupportedCheckpoint(CheckpointError):
    """A file is readable, yet not of a kind that latentlab opens."""


class UnsupportedNetwork(SettingsError, UnsupportedCheckpoint):
    """A network's config asks for what no network here can be.

    It is a wrong setting of whoever made the config by hand. Where a file asks for such a network,
    its reader raises UnsupportedCheckpoint instead, which names the file.
    """


class ImageError(LatentlabError):
    """A picture cannot be read, or cannot be used as asked."""

    exit_code = 4


class NoFaceError(ImageError):
    """A picture has no face, or not the one that was asked for."""


class DataError(LatentlabError):
    """A training set is missing, empty, or inconsistent."""

    exit_code = 4


class LatentError(LatentlabError, ValueError):
    """Latents, labels or noise maps do not fit the generator, or hold NaN."""

    exit_code = 4


class NumericalError(LatentlabError, ArithmeticError):
    """A computation gave NaN or infinity."""

    exit_code = 5


class OutputError(LatentlabError):
    """A result cannot be written where it was asked for."""

    exit_code = 6


class ProcessError(LatentlabError):
    """Another process of the job has ended, or cannot be reached."""


class StoppedElsewhere(ProcessError):
    """Another process of the job has failed and says why itself."""

    def __init__(self, process: int, exit_code: int) -> None:
        super().__init__(f"process {process} has failed and says why")
        self.exit_code = exit_code


def in_words(text: str, word: Callable[[str], str]) -> str:
    """Put a caller's words for the arguments that a text names in backticks.

    >>> in_words("leave `start_samples` out", lambda name: "--" + name.replace("_", "-"))
    'leave --start-samples out'
    """
    return _ARGUMENT.sub(lambda found: word(found[1]), text)


def _with_advice(message: str, advice: Sequence[str]) -> str:
    text = f"{message}; {', or '.join(advice)}" if advice else message
    return visible(text, 2 * _MESSAGE)


def visible(text: str, most: int = _LONGEST) -> str:
    r"""Write foreign text so that whoever shows it says what is there, and nothing else happens.

    It is the one way of names, metadata and the words of other libraries into what people read.
    What steers a terminal (controls, escapes), breaks or turns a line (ends of lines, marks of
    direction) or is half a character is written as Python would. Of a long text the middle is
    left out: what is wrong with a name follows it.

    Args:
        text: What is to be shown.
        most: Characters of the result.

    >>> print(visible("\x1b[2Jone\nError: two"))
    \x1b[2Jone\nError: two
    >>> visible("a" * 1000, 9)
    'aaa...aaa'
    """
    if len(text) > most:  # one character becomes ten at most: neither end needs more than this
        text = f"{text[:most]}{text[-most:]}"
        plain = _escaped(text)
        head = (most - 3) // 2
        return f"{plain[:head]}...{plain[len(plain) - (most - 3 - head) :]}"
    plain = _escaped(text)
    return plain if len(plain) <= most else visible(plain, most)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


# What holds others may hold itself, or one thing in very many places: Python's repr never ends.
_HOLDERS = (list, tuple, dict, set, frozenset)
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxother, _BRIEF.maxstring = 3, _QUOTED, _QUOTED
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = _BRIEF.maxset = _BRIEF.maxfrozenset = 20


def quoted(value: object) -> str:
    r"""Write a value that a message names, printable and of bounded length; text in quotes.

    >>> print(quoted("two\nlines"), quoted(0.5))
    'two\nlines' 0.5
    """
    if isinstance(value, str):
        return repr(value[:_QUOTED])
    return (_BRIEF.repr(value) if isinstance(value, _HOLDERS) else repr(value))[:_QUOTED]


def reason(error: Exception, line: int = 0) -> str:
    r"""Return one line of what a foreign error says, of bounded length.

    >>> reason(RuntimeError("out of memory\ntried to allocate 2 GiB"))
    'out of memory'
    >>> reason(RuntimeError())
    'RuntimeError'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return visible(lines[line].strip(), _REASON)


def shown(items: Sequence[str], separator: str = ", ") -> str:
    """Join the first items, printable and of bounded length, and say how many more there are.

    >>> shown([f"b{i}" for i in range(21)], " ").endswith("b19 and 1 more")
    True
    """
    more = f"{separator}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(visible(item) for item in items[:_SHOWN]) + more
