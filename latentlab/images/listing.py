"""The picture files that files, folders and patterns stand for: each once, in a fixed order.

Folders are walked here rather than by ``Path.rglob``, which is slow for seventy thousand files and
does not follow links.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

from latentlab.errors import ImageError
from latentlab.images.decoding import SUFFIXES

_MAGIC = frozenset("*?[")


class _Entry(NamedTuple):
    path: str
    real: str  # without links; equal for the same file
    is_folder: bool


def find_pictures(sources: Sequence[str | Path], recursive: bool = True) -> list[Path]:
    """List the pictures that the sources stand for.

    A file stands for itself whatever its name, even if it is missing: reading it will say so. A
    folder stands for the files in it (and, if ``recursive``, in the folders inside it) that have a
    picture's suffix; hidden ones are left out, links are followed unless they lead to a folder
    above themselves, and a link that leads nowhere is kept. A name that does not exist and has
    ``*``, ``?`` or ``[`` in it is a pattern for files and folders, where ``**`` is any number of
    folders; if it ends in a suffix, files with that suffix are taken.

    Returns:
        Files in the order of the sources, those of one source sorted by the parts of their path,
        by code points. A file that is reached a second time, by whatever path, is left out.

    Raises:
        ImageError: If a folder or pattern has no pictures, or a folder cannot be listed.
    """
    found: dict[str, Path] = {}
    real_folder = cache(os.path.realpath)  # seventy thousand names may stand in one folder
    for source in sources:
        name = os.fspath(source)
        if not name:
            raise ImageError("a picture's name is empty; give a file, a folder or a pattern")
        entries = list(_entries(name, recursive, real_folder))
        if not entries:
            kind = "in this folder" if os.path.isdir(name) else "match this pattern"
            raise ImageError(f"{name}: no pictures {kind} (looked for {', '.join(SUFFIXES)})")
        for entry in entries:
            found.setdefault(entry.real, Path(entry.path))
    return list(found.values())


def files_under(folder: Path) -> list[Path]:
    """List the files of any kind in a folder and those inside it, as ``find_pictures`` walks them.

    Raises:
        ImageError: If a folder cannot be listed.
    """
    found: dict[str, Path] = {}
    for entry in _walk(_entry(os.fspath(folder))):
        if not entry.is_folder:
            found.setdefault(entry.real, Path(entry.path))
    return list(found.values())


def _entries(name: str, recursive: bool, real_folder: Callable[[str], str]) -> Iterator[_Entry]:
    if os.path.isdir(name):
        return _under(_entry(name), recursive)
    if _MAGIC.isdisjoint(name) or os.path.lexists(name):
        folder, file = os.path.split(name)
        linked = os.path.islink(name)
        real = os.path.realpath(name) if linked else os.path.join(real_folder(folder), file)
        return iter([_Entry(name, real, False)])
    return _matching(name, recursive)


def _under(folder: _Entry, recursive: bool) -> Iterator[_Entry]:
    """Yield the pictures in a folder."""
    inside = (entry for entry in _walk(folder, recursive) if not entry.is_folder)
    return (entry for entry in inside if _suffix(entry.path) in SUFFIXES)


def _walk(folder: _Entry, recursive: bool = True) -> Iterator[_Entry]:
    """Yield a folder and what is inside, depth first: paths come sorted by their parts."""
    waiting, seen = [folder], set[str]()
    while waiting:
        entry = waiting.pop()
        if not entry.is_folder:
            yield entry
        elif entry.real not in seen and (recursive or not seen):
            seen.add(entry.real)
            yield entry
            waiting += reversed(_listing(entry))


def _matching(pattern: str, recursive: bool) -> Iterator[_Entry]:
    """Yield the files that a pattern matches, and the pictures in folders that it matches."""
    path = Path(pattern)
    matches = [_entry(path.anchor)]
    for part in path.parts[bool(path.anchor) :]:
        inside = (found for match in matches for found in _inside(match, part))
        matches = list(dict.fromkeys(inside))
    suffix = _suffix(pattern)
    wanted = SUFFIXES if not suffix or _MAGIC & set(suffix) else (suffix,)
    for match in sorted(matches, key=lambda match: match.path.split(os.sep)):
        if match.is_folder:
            yield from _under(match, recursive)
        elif _suffix(match.path) in wanted:
            yield match


def _inside(entry: _Entry, part: str) -> list[_Entry]:
    """Return what one part of a pattern matches in a folder."""
    if not entry.is_folder:
        return []
    if part == "**":
        return [inside for inside in _walk(entry) if inside.is_folder]
    if _MAGIC.isdisjoint(part):
        path = os.path.join(entry.path, part)
        return [_entry(path)] if os.path.lexists(path) else []
    return [
        inside
        for inside in _listing(entry, hidden=part.startswith("."))
        if fnmatchcase(name := os.path.basename(inside.path), part) or name == part
    ]


def _entry(path: str) -> _Entry:
    return _Entry(path, os.path.realpath(path), os.path.isdir(path or "."))


def _listing(folder: _Entry, hidden: bool = False) -> list[_Entry]:
    """Return files and folders in a folder, sorted by name."""
    listed = []
    path, real = os.path.join(folder.path, ""), os.path.join(folder.real, "")
    try:
        with os.scandir(folder.path or ".") as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") and not hidden:
                    continue
                if entry.is_symlink():
                    listed += _linked(path + entry.name, folder)
                elif (is_folder := entry.is_dir()) or entry.is_file():
                    listed.append(_Entry(path + entry.name, real + entry.name, is_folder))
    except OSError as error:
        raise ImageError(
            f"{folder.path or '.'}: the folder cannot be listed ({error.strerror})"
        ) from error
    return listed


def _linked(path: str, folder: _Entry) -> list[_Entry]:
    """Return what a link leads to, except pipes and folders around the link itself."""
    entry = _entry(path)
    if entry.is_folder:
        around = os.path.join(entry.real, "")
        return [] if os.path.join(folder.real, "").startswith(around) else [entry]
    return [entry] if os.path.isfile(path) or not os.path.exists(path) else []


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()
