"""Which pictures the files, folders and patterns of a command line stand for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentlab import ImageError
from latentlab.images.listing import find_pictures
from latentlab.numerics import Stream

_LONGEST = 200  # bytes of a folder's name, below what file systems allow
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True)
class Choice:
    """The pictures of a run, in order.

    Attributes:
        names: What to call each one's results.
        failures: Sources that hold no pictures, each with the reason.
        alone: Whether a single file was named.
    """

    names: dict[Path, str]
    failures: dict[str, ImageError]
    alone: bool


def choose(
    sources: Sequence[str], limit: int | None = None, shuffle_seed: int | None = None
) -> Choice:
    """Find pictures, each once.

    Args:
        sources: Files, folders and patterns; a folder's pictures come in sorted order.
        limit: Take the first so many; None takes all.
        shuffle_seed: Seed of a random order, which comes before ``limit``; None keeps the order.
    """
    names: dict[Path, str] = {}
    failures: dict[str, ImageError] = {}
    for source in dict.fromkeys(sources):
        try:
            found = find_pictures([source])
        except ImageError as error:
            failures[source] = error
            continue
        known = {path.absolute() for path in names}
        names |= {path: _name(path, Path(source)) for path in found if path.absolute() not in known}
    pictures = list(names)
    if shuffle_seed is not None:
        rng = np.random.default_rng([shuffle_seed, Stream.PICTURE_ORDER])
        pictures = [pictures[i] for i in rng.permutation(len(pictures))]
    alone = len(sources) == 1 and pictures == [Path(sources[0])]
    return Choice({path: names[path] for path in pictures[:limit]}, failures, alone)


def distinct(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Number the names that are there already, or differ only in case: "a", "a-2", "A-3"."""
    used = {name.casefold() for name in taken}
    counts: dict[str, int] = {}
    numbered = []
    for name in names:
        key, unique = name.casefold(), name
        while unique.casefold() in used:
            counts[key] = counts.get(key, 1) + 1
            unique = f"{name}-{counts[key]}"
        used.add(unique.casefold())
        numbered.append(unique)
    return numbered


def _name(path: Path, source: Path) -> str:
    """Name a picture after its file, and after the folders between it and its source."""
    inside = path.relative_to(source).parent.parts if path.is_relative_to(source) else ()
    text = _UNSAFE.sub("_", "-".join([*inside, path.stem])).strip(". ") or "picture"
    while len(text.encode("utf-8", "surrogateescape")) > _LONGEST:
        text = text[:-1]
    return text
