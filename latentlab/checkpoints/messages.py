"""Lists of names out of a file, as a message shows them: on one line, and not without end."""

from collections.abc import Sequence

_SHOWN = 20
_LONGEST = 300  # characters of one


def shown(items: Sequence[str], separator: str = ", ") -> str:
    """Join the first items, printable and of bounded length, and say how many more there are."""
    more = f"{separator}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(_readable(item) for item in items[:_SHOWN]) + more


def _readable(text: str) -> str:
    """Escape what is not plain, and cut out the middle: what is wrong with a name follows it."""
    plain = text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
    half = _LONGEST // 2
    return plain if len(plain) <= _LONGEST else f"{plain[:half]}...{plain[-half:]}"
