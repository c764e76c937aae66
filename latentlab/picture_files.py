"""Finding picture files: named ones, those of folders, and those that a pattern matches."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from latentlab.decoding import SUFFIXES
from latentlab.errors import ImageError

_WILD = "*?["


def find_pictures(sources: Sequence[Path | str], recursive: bool = True) -> list[Path]:
    """List picture files, each once, in an order that the file system does not decide.

    Hidden files and folders are left out, and a link whose target is listed itself. Files named
    one by one are listed whatever they are, even if they are missing: reading them tells.

    Args:
        sources: Files, folders, and patterns such as ``photos/*.jpg`` (``**`` for inner folders).
            A file or folder whose name looks like a pattern is taken as such.
        recursive: Whether folders are searched with those inside them.

    Returns:
        Paths in the order of the sources, sorted within a folder or pattern.

    Raises:
        ImageError: If a folder or pattern has no pictures.
    """
    found: dict[str, Path] = {}
    for source in sources:
        for path in _listed(Path(source), recursive):
            found.setdefault(os.path.abspath(path), path)
    return list(found.values())


def _listed(source: Path, recursive: bool) -> list[Path]:
    suffixes = ", ".join(SUFFIXES)
    try:
        is_folder, exists = source.is_dir(), os.path.lexists(source)
    except (OSError, ValueError) as error:
        raise ImageError(f"{source}: cannot be looked at ({error})") from error
    if is_folder:
        pictures = sorted(_under(source, recursive))
        if not pictures:
            raise ImageError(f"{source}: no pictures in this folder (looked for {suffixes})")
        return pictures
    if exists or not any(sign in str(source) for sign in _WILD):
        return [source]
    matched = map(Path, glob.glob(str(source), recursive=True))
    pictures = sorted(path for path in matched if _is_picture(path.name) and path.is_file())
    if not pictures:
        raise ImageError(f"{source}: matches no pictures (looked for {suffixes})")
    return pictures


def _under(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the pictures of a folder; of links, those that lead to files not listed anyway."""
    plain: list[str] = []
    links: list[str] = []
    visited: set[str] = set()
    folders, linked_folders = [str(folder)], list[str]()
    while folders or linked_folders:
        place = (folders or linked_folders).pop()
        real = os.path.realpath(place)
        if real in visited:  # a link leads back
            continue
        visited.add(real)
        for entry in _entries(place):
            if _is_folder(entry):
                (linked_folders if entry.is_symlink() else folders).append(entry.path)
            elif _is_picture(entry.name) and entry.is_file():
                (links if entry.is_symlink() else plain).append(entry.path)
        if not recursive:
            break
    yield from map(Path, plain)
    known = {os.path.realpath(path) for path in plain} if links else set()
    for path in sorted(links):
        target = os.path.realpath(path)
        if target not in known:
            known.add(target)
            yield Path(path)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, without hidden ones, in a fixed order."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise ImageError(f"{folder}: cannot be listed ({error.strerror})") from error
    return sorted(shown, key=lambda entry: entry.name, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES
