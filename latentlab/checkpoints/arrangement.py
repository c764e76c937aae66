"""Where in a file the networks are: whole, by places, behind prefixes, in a module, or nested.

The same network is saved in many ways: alone, in a dict beside a discriminator, in the state dict
of a larger model, of ``DataParallel``, or as a pickled module. Here each becomes one form: a dict
that has the networks under the names that their system has for them, and what else the file holds
under its own. Nothing is copied before a network is found, and each dict is looked at once, so
that a file cannot make the search long.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems.torch_modules import has_module, has_weight, state_dict_of

_DEPTH = 3  # of dicts in dicts
_MOST = 200  # dicts that are looked into, and dicts in one of them that may be networks
_MOST_PARTS = 2_000  # that may be networks, in all dicts together
_MOST_NAMES = 50_000  # of weights, in all dicts together; the largest state dict has some 2,000
# What DataParallel and torch.compile put before all names, and call the network that they hold.
_WRAPPERS = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module.")
_WRAPPED = ("module", "_orig_mod")
_WHOLE = ""  # the name of a network in a system that has no names for them
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
        absent: Names of weights that its generator has none of, where others have them.
        any_module: Whether any module of NVIDIA's releases will do for a generator.
    """

    marks: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    as_records: bool = False
    any_module: bool = False
    absent: tuple[str, ...] = ()

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
        if type(part) is Record and self.any_module:
            return part.origin == "torch"
        if type(part) is Record:
            return self._match(lambda name: has_weight(part, name))
        return type(part) is dict and self._match(lambda name: f"{prefix}{name}" in part)

    def _match(self, has: Callable[[str], bool]) -> bool:
        """Whether all marks are there, and nothing that must not be."""
        return bool(self.marks) and all(map(has, self.marks)) and not any(map(has, self.absent))

    def fits(self, part: object) -> bool:
        """Whether this is a generator, or a wrapper around one."""
        if type(part) is Record:
            return self.has_marks(_unwrapped(part))
        if type(part) is not dict or not any(all(m in part for m in ms) for ms in self._wrapped):
            return False
        return any(self.has_marks(part, wrapper) for wrapper in ("", *_WRAPPERS))

    @cached_property
    def _wrapped(self) -> list[list[str]]:
        """The marks behind each wrapper: looking them up is quick, and most parts have none."""
        wrappers = ("", *_WRAPPERS) if self.marks else ()
        return [[f"{wrapper}{mark}" for mark in self.marks] for wrapper in wrappers]


@dataclass(frozen=True)
class Level:
    """What a file holds, or a dict in it.

    Attributes:
        found: The whole file, or the dict.
        around: The dicts that it is in, the outermost first, each with its key there.
        searched: Whether generators are looked for under any name, and behind any prefix.
    """

    found: Any
    around: tuple[tuple[dict[Any, Any], str], ...] = ()
    searched: bool = True

    @cached_property
    def parts(self) -> dict[str, Any]:
        """What may be a network, or hold one, by its name."""
        if type(self.found) is not dict:
            return {}
        named = (
            (key, value)
            for key, value in self.found.items()
            if type(key) is str and type(value) in (dict, Record)
        )
        return dict(islice(named, _MOST))

    @cached_property
    def names(self) -> list[str]:
        """Names of weights with a dot in them."""
        if type(self.found) is not dict:
            return []
        return [key for key in self.found if type(key) is str and "." in key]

    def with_surroundings(self, layout: Mapping[Any, Any]) -> dict[Any, Any]:
        """Add what lies beside the level, which may belong to its networks: a mean of w, say."""
        beside: dict[Any, Any] = {}
        for outer, key in self.around:
            beside.update((k, v) for k, v in outer.items() if k != key)
        return {**beside, **layout}


def levels(found: object) -> Iterator[Level]:
    """Yield the whole file, then the dicts and pickled modules in it, the outer ones first."""
    todo = deque([Level(found)])
    met = {id(found)}
    names = parts = 0
    while todo:
        level = todo.popleft()
        names += len(level.found) if type(level.found) is dict else 0
        parts += len(level.parts)
        yield replace(level, searched=names <= _MOST_NAMES and parts <= _MOST_PARTS)
        if len(level.around) == _DEPTH:
            continue
        whole = {"": level.found} if type(level.found) is Record else {}
        for key, part in {**level.parts, **whole}.items():
            inner = part.modules if type(part) is Record else part
            if inner and id(inner) not in met and len(met) < _MOST:
                met.add(id(inner))
                own = [] if part is level.found else [(level.found, key)]
                todo.append(Level(inner, (*level.around, *own)))


def arranged(
    level: Level, places: Places, where: str, *, anywhere: bool = False
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
    layout = (_elsewhere if anywhere else _by_place)(level, places)
    if layout is None:
        return None
    if not places.roles:
        whole = layout[_WHOLE]
        return state_dict_of(whole, where) if type(whole) is Record else whole
    found = level.with_surroundings(layout)
    for key in places.roles.keys() & found.keys():
        found[key] = _unwrapped(found[key])
        if type(found[key]) is Record and not places.as_records:
            found[key] = state_dict_of(found[key], f"{where}: {key}")
    return found


def _by_place(level: Level, places: Places) -> dict[Any, Any] | None:
    found = level.found
    if places.fits(found):
        name = next(iter(places.roles), _WHOLE)
        return {name: _unwrapped(found)}
    if type(found) is not dict:
        return None
    if any(places.has_marks(found, prefix) for prefix in places.prefixes):
        return _split(found, places.prefixes)
    for wrapper in _WRAPPERS:
        if any(places.has_marks(found, f"{wrapper}{prefix}") for prefix in places.prefixes):
            return _split(_unwrapped(found), places.prefixes)
    if any(places.fits(found.get(name)) for name in places.generators):
        return dict(found)
    return None


def _elsewhere(level: Level, places: Places) -> dict[Any, Any] | None:
    """Find generators under other names, or behind other prefixes."""
    if not places.roles or not level.searched:
        return None
    first = next(iter(places.roles))
    if named := [key for key, part in level.parts.items() if _is_generator(part, places)]:
        chosen = _best(named)
        others = {k: v for k, v in level.found.items() if k != chosen and k not in places.roles}
        return {first: level.found[chosen], **others}
    ends = tuple(f".{mark}" for mark in places.marks[:1])
    starts = [
        name.removesuffix(ends[0][1:]) for name in level.names if ends and name.endswith(ends)
    ]
    if starts := [start for start in starts if places.has_marks(level.found, start)]:
        return _split(level.found, {_best(starts): first})
    return None


def _best(names: list[str]) -> str:
    """Return the first name that says that it is an average; if none does, the first."""
    averaged = [name for name in names if any(word in name.lower() for word in _AVERAGED)]
    return (averaged or names)[0]


def _is_generator(part: object, places: Places) -> bool:
    if places.any_module and type(part) is Record:
        inner = _unwrapped(part)
        return places.has_marks(inner) and has_module(inner, "synthesis")
    return places.fits(part)


def _split(level: Mapping[Any, Any], prefixes: Mapping[str, str]) -> dict[Any, Any]:
    """Take the state dict of a larger model apart; its other parts keep their names."""
    found: dict[Any, Any] = {}
    for key, value in level.items():
        text = key if type(key) is str else ""
        prefix = next((start for start in prefixes if text.startswith(start)), None)
        prefix = f"{text.split('.')[0]}." if prefix is None and "." in text else prefix
        if prefix is None:
            found[key] = value
            continue
        held = found.setdefault(prefixes.get(prefix, prefix[:-1]), {})
        if type(held) is dict:  # else the name of the part is that of something else
            held[text.removeprefix(prefix)] = value
    return found


def _unwrapped(part: Any) -> Any:
    """Take off what DataParallel and its kin put around a network or before its weights' names."""
    for _ in range(3):
        modules = part.modules if type(part) is Record and part.origin == "class" else {}
        if len(modules) == 1 and next(iter(modules)) in _WRAPPED:
            inner = next(iter(modules.values()))
            if type(inner) is not Record:  # no module, and going through dicts here takes long
                break
            part = inner
        elif type(part) is dict and part:
            wrapper = next((w for w in _WRAPPERS[:2] if _all_start_with(w, part)), None)
            if wrapper is None:
                break
            part = {name.removeprefix(wrapper): value for name, value in part.items()}
    return part


def _all_start_with(prefix: str, part: Mapping[Any, Any]) -> bool:
    return all(type(name) is str and name.startswith(prefix) for name in part)
