"""Translation: arguments of foreign networks to the fields of our configs, and back."""

from collections.abc import Mapping
from typing import Any

from latentlab.checkpoints.systems.forks import note_of, settle
from latentlab.errors import UnsupportedCheckpoint, quoted

# Their argument -> our field; None marks arguments that do not change a float32 computation.
Names = Mapping[str, str | None]


def same(*names: str) -> Names:
    """Name arguments that are called as our fields are."""
    return {name: name for name in names}


def no_matter(*names: str) -> Names:
    """Name arguments that do not change a float32 computation."""
    return dict.fromkeys(names)


def translate_arguments(
    kwargs: Mapping[str, Any],
    top: Names,
    nested: Mapping[str, Names],
    where: str,
    notes: list[str] | None = None,
) -> dict[str, Any]:
    """Rename top-level and nested arguments to our fields, refusing those that have none.

    What forks added passes where it changes nothing, see ``forks``.

    Args:
        kwargs: The arguments of a foreign network.
        top: Our fields for them.
        nested: The same for arguments that are groups of arguments themselves.
        where: File and network, for messages.
        notes: Sentences for a person are appended here.

    Raises:
        UnsupportedCheckpoint: Naming ``where`` and the argument.
    """
    places = [(where, {k: v for k, v in kwargs.items() if k not in nested}, top)]
    places += [(f"{where}: {name}", kwargs.get(name, {}), nested[name]) for name in nested]
    translated: dict[str, Any] = {}
    off: list[str] = []
    for place, values, names in places:
        if not isinstance(values, dict):
            raise UnsupportedCheckpoint(f"{place}: expected named settings, got {quoted(values)}")
        if values.get("activation", "lrelu") != "lrelu":
            raise UnsupportedCheckpoint(f"{place}: only the lrelu activation is supported")
        try:
            off += settle(
                set(values) - {*names, "activation"}, values, kwargs.get("img_resolution")
            )
        except UnsupportedCheckpoint as error:
            raise error.at(place) from error
        translated |= {ours: values[key] for key, ours in names.items() if ours and key in values}
    if notes is not None:
        notes += note_of(off)
    return translated


def arguments_back(config: Any, top: Names, nested: Mapping[str, Names]) -> dict[str, Any]:
    """Return the arguments, and groups of them, by which a foreign network is made as ours is.

    Args:
        config: The description of our network.
        top: Our fields for their arguments, as ``translate_arguments`` has them.
        nested: The same for groups of arguments.
    """

    def named(names: Names) -> dict[str, Any]:
        values = {theirs: getattr(config, ours) for theirs, ours in names.items() if ours}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    return named(top) | {group: named(names) for group, names in nested.items()}
