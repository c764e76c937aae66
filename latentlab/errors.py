"""The error family: each message is one line that says what is wrong, where, and what to do.

``exit_code`` is what the command line returns for the error.
"""

from collections.abc import Sequence

_SHOWN = 20  # items of a list
_LONGEST = 300  # characters of one item
_QUOTED = 80  # characters of a value
_REASON = 200  # characters of another library's words


class LatentlabError(Exception):
    """Base of every error that latentlab raises on purpose."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message as one printable line, whatever a file wrote into the names in it."""
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in super().__str__())


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


def quoted(value: object) -> str:
    r"""Write a value that a message names, printable and of bounded length; text in quotes.

    >>> print(quoted("two\nlines"), quoted(0.5))
    'two\nlines' 0.5
    """
    return repr(value[:_QUOTED]) if isinstance(value, str) else repr(value)[:_QUOTED]


def reason(error: Exception, line: int = 0) -> str:
    r"""Return one line of what a foreign error says, of bounded length.

    >>> reason(RuntimeError("out of memory\ntried to allocate 2 GiB"))
    'out of memory'
    >>> reason(RuntimeError())
    'RuntimeError'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[line].strip()[:_REASON]


def shown(items: Sequence[str], separator: str = ", ") -> str:
    """Join the first items, printable and of bounded length, and say how many more there are.

    >>> shown([f"b{i}" for i in range(21)], " ").endswith("b19 and 1 more")
    True
    """
    more = f"{separator}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(_readable(item) for item in items[:_SHOWN]) + more


def _readable(text: str) -> str:
    """Escape what is not plain, and cut out the middle: what is wrong with a name follows it."""
    plain = text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
    half = _LONGEST // 2
    return plain if len(plain) <= _LONGEST else f"{plain[:half]}...{plain[-half:]}"
