"""Where in a file the networks are: whole, by places, behind prefixes, in a module, or nested.

The same network is saved in many ways: alone, in a dict beside a discriminator, in the state dict
of a larger model, of ``DataParallel``, or as a pickled module. Here each becomes one form: a dict
that has the networks under the names that their system has for them, and what else the file holds
under its own.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems.torch_modules import has_weight, state_dict_of

_DEPTH = 3  # of dicts in dicts
_MOST = 2_000  # dicts that are looked into
_WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before all names
_WRAPPED = "module"  # the name of the network in a pickled DataParallel
_AVERAGED = ("ema", "smooth", "running", "avg", "average")  # in names of averaged generators


@dataclass(frozen=True)
class Places:
    """What tells the generators of a system, and where its files have them.

    Attributes:
        marks: Names of weights that together only its generator has.
        roles: The system's name of each network -> ours ("G_ema", "G", "D"), the averaged
            generator first; empty where a file is one state dict.
        prefixes: What stands before the names of a network's weights in a larger state dict -> the
            system's name of the network.
        as_records: Whether it reads pickled modules with their settings; others get state dicts.
        any_module: Whether any module of NVIDIA's releases will do for a generator.
    """

    marks: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    as_records: bool = False
    any_module: bool = False

    @property
    def generators(self) -> list[str]:
        """The system's names of its generators."""
        return [name for name, role in self.roles.items() if role != "D"]

    @property
    def discriminators(self) -> list[str]:
        """The system's names of its discriminators."""
        return [name for name, role in self.roles.items() if role == "D"]

    def has_marks(self, part: object, prefix: str = "") -> bool:
        """Whether this is the state dict, or the module, of a generator."""
        if type(part) is Record:
            if self.any_module:
                return part.origin == "torch"
            return bool(self.marks) and all(has_weight(part, name) for name in self.marks)
        return (
            type(part) is dict
            and bool(self.marks)
            and all(f"{prefix}{name}" in part for name in self.marks)
        )


def levels(found: object) -> Iterator[object]:
    """Yield what a file holds: the whole, then each dict in it, the outer ones first.

    What lies beside an inner dict is taken along, for it may belong to the networks: a mean of w
    beside a state dict, for instance.
    """
    todo: deque[tuple[object, int]] = deque([(found, 0)])
    met: set[int] = set()
    while todo and len(met) < _MOST:
        level, depth = todo.popleft()
        level = _unwrapped(level)
        yield level
        if type(level) is not dict or depth == _DEPTH:
            continue
        for key, inner in level.items():
            if type(inner) is dict and id(inner) not in met and len(met) < _MOST:
                met.add(id(inner))
                beside = {k: v for k, v in level.items() if k != key}
                todo.append(({**beside, **_unwrapped(inner)}, depth + 1))


def arranged(
    level: object, places: Places, where: str, *, anywhere: bool = False
) -> dict[Any, Any] | None:
    """Return the networks of one system in a level of a file, in the form that it reads, or None.

    Args:
        level: One of ``levels``.
        places: What the system's files look like.
        where: The file, for messages.
        anywhere: Look under names that the system does not have for its networks, and nowhere else.

    Raises:
        CheckpointError: If a pickled module is damaged.
    """
    found = (_elsewhere if anywhere else _by_place)(level, places)
    if found is None or places.as_records:
        return found
    return {
        key: state_dict_of(value, f"{where}: {key}")
        if key in places.roles and type(value) is Record
        else value
        for key, value in found.items()
    }


def _by_place(level: Any, places: Places) -> dict[Any, Any] | None:
    if places.has_marks(level):
        return _whole(level, places)
    if type(level) is not dict:
        return None
    if any(places.has_marks(level, prefix) for prefix in places.prefixes):
        return _split(level, places.prefixes)
    parts = {name: _unwrapped(level[name]) for name in places.roles if name in level}
    if any(places.has_marks(parts.get(name)) for name in places.generators):
        return {**level, **parts}
    return None


def _whole(level: Any, places: Places) -> dict[Any, Any]:
    if places.roles:
        return {next(iter(places.roles)): level}
    return level if type(level) is dict else {"": level}


def _split(level: Mapping[Any, Any], prefixes: Mapping[str, str]) -> dict[Any, Any]:
    """Take the state dict of a larger model apart; its other parts keep their names."""
    found: dict[Any, Any] = {}
    for key, value in level.items():
        prefix = next((p for p in prefixes if type(key) is str and key.startswith(p)), None)
        part = None if prefix is None else prefixes[prefix]
        if part is None and type(key) is str and "." in key:
            part = key.split(".")[0]
            prefix = f"{part}."
        held = found.setdefault(part, {}) if part is not None else None
        if prefix is None or type(held) is not dict:
            found[key] = value
        else:
            held[key.removeprefix(prefix)] = value
    return found


def _elsewhere(level: Any, places: Places) -> dict[Any, Any] | None:
    """Find generators under other names, or behind other prefixes."""
    if type(level) is not dict or not places.roles:
        return None
    first = next(iter(places.roles))
    if named := [key for key, part in level.items() if _is_generator(_unwrapped(part), places)]:
        chosen = _best(named)
        others = {k: part for k, part in level.items() if k != chosen and k not in places.roles}
        return {first: _unwrapped(level[chosen]), **others}
    if prefixes := [p for p in _prefixes(level, places) if places.has_marks(level, p)]:
        return _split(level, {_best(prefixes): first})
    return None


def _best(names: list[Any]) -> Any:
    """Return the first name that says that it is an average; if none does, the first."""
    averaged = [name for name in names if any(word in str(name).lower() for word in _AVERAGED)]
    return (averaged or names)[0]


def _prefixes(level: Mapping[Any, Any], places: Places) -> list[str]:
    """Return what stands before the first mark in a state dict, wherever it is."""
    ends = tuple(f".{mark}" for mark in places.marks[:1])
    return [
        key.removesuffix(places.marks[0])
        for key in level
        if ends and type(key) is str and key.endswith(ends)
    ]


def _is_generator(part: object, places: Places) -> bool:
    if places.any_module and type(part) is Record:
        return places.has_marks(part) and has_weight(part, "synthesis.", partial=True)
    return places.has_marks(part)


def _unwrapped(part: Any) -> Any:
    """Take off what DataParallel and its kin put around a network or before its weights' names."""
    while type(part) is Record and part.origin == "class" and part.state is not None:
        modules = part.state.get("_modules")
        if type(modules) is not dict or list(modules) != [_WRAPPED]:
            break
        part = modules[_WRAPPED]
    while type(part) is dict and part:
        prefix = next((p for p in _WRAPPERS if _all_start_with(p, part)), None)
        if prefix is None:
            break
        part = {name.removeprefix(prefix): value for name, value in part.items()}
    return part


def _all_start_with(prefix: str, part: Mapping[Any, Any]) -> bool:
    return all(type(name) is str and name.startswith(prefix) for name in part)
