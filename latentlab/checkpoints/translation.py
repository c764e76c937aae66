"""Constructor arguments of published networks to fields of our configs, by tables of names."""

from collections.abc import Mapping
from typing import Any

from latentlab.errors import UnsupportedCheckpoint

# Their argument -> our field; None marks arguments that do not change a float32 computation.
Names = Mapping[str, str | None]


def translate(
    kwargs: Mapping[str, Any], top: Names, nested: Mapping[str, Names], where: str
) -> dict[str, Any]:
    """Rename top-level and nested arguments to our fields, refusing what has no place there.

    Raises:
        UnsupportedCheckpoint: Naming ``where`` and the argument.
    """
    places = [(where, {k: v for k, v in kwargs.items() if k not in nested}, top)]
    places += [(f"{where}: {name}", kwargs.get(name, {}), nested[name]) for name in nested]
    translated: dict[str, Any] = {}
    for place, values, names in places:
        if not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected named settings, but got {values!r}")
        if values.get("activation", "lrelu") != "lrelu":
            raise UnsupportedCheckpoint(f"{place}: only the lrelu activation is supported")
        unknown = sorted(set(values) - {*names, "activation"})
        if unknown:
            raise UnsupportedCheckpoint(f"{place}: unknown setting {', '.join(unknown)}")
        translated |= {
            field: values[key] for key, field in names.items() if field and key in values
        }
    return translated
