"""What a file cannot say and whoever opens it knows: settings taken on trust."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from latentlab.checks import check, check_whole
from latentlab.errors import shown

Assumed = Mapping[str, Any]  # settings by name
NOTHING: Assumed = MappingProxyType({})

_WRITTEN = {"true": True, "false": False}


def one_of(assume: Assumed, name: str, values: Sequence[object], default: object) -> Any:
    """Return the setting called ``name``, or ``default`` where nothing is assumed of it.

    Raises:
        SettingsError: If it is none of ``values``; texts may be written in capitals.
    """
    if name not in assume:
        return default
    given = assume[name]
    value = given.lower() if isinstance(given, str) else given
    value = _WRITTEN.get(value, value) if isinstance(value, str) else value
    fits = any(type(value) is type(known) and value == known for known in values)
    check(fits, name, f"one of {shown([str(known) for known in values])}", given)
    return value


def whole(assume: Assumed, name: str, low: int, high: int) -> int | None:
    """Return the whole number called ``name``, or None where nothing is assumed of it.

    Raises:
        SettingsError: If it is something else, or outside ``low`` to ``high``.
    """
    given = assume.get(name)
    digits = isinstance(given, str) and given.isdecimal() and len(given) < 10
    value = int(given) if digits else given  # type: ignore[arg-type]
    check_whole(value, name, low, high, optional=name not in assume)
    return value
