"""Which result belongs to which target: by their names, in folders of other tools."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from cli.inversions.methods import unpadded

Paths = Sequence[PurePath]


@dataclass(frozen=True)
class Matching:
    """What belongs together.

    Attributes:
        pairs: Targets and results by their numbers, in the order of the targets.
        targets: The numbers of those without a result.
        results: The numbers of those without a target.
        by_order: Whether results are numbers that count the targets.
    """

    pairs: list[tuple[int, int]]
    targets: list[int]
    results: list[int]
    by_order: bool = False


def matched(targets: Paths, results: Paths) -> Matching:
    """Match pictures by their paths within two folders.

    First by the whole path, then without the ending, then with numbers however they are padded,
    then by the file's name alone: each step takes what is left, and only what is alone of its name
    on either side. Where nothing has the name of a target and all results are numbers, they count
    the targets in the order of their paths, as those of e4e do.
    """
    pairs: dict[int, int] = {}
    for key in _KEYS:
        left = [i for i in range(len(targets)) if i not in pairs]
        taken = {*pairs.values()}
        over = [i for i in range(len(results)) if i not in taken]
        first, second = _alone(targets, left, key), _alone(results, over, key)
        pairs |= {first[name]: second[name] for name in first if name in second}
    by_order = not pairs and all(path.stem.isdecimal() for path in results)
    if by_order:
        pairs = _counted(targets, results)
    taken = {*pairs.values()}
    return Matching(
        sorted(pairs.items()),
        [i for i in range(len(targets)) if i not in pairs],
        [i for i in range(len(results)) if i not in taken],
        by_order and bool(pairs),
    )


_KEYS: tuple[Callable[[PurePath], str], ...] = (
    PurePath.as_posix,
    lambda path: path.with_suffix("").as_posix(),
    lambda path: unpadded(path.with_suffix("").as_posix()),
    lambda path: unpadded(path.stem),
)


def _alone(paths: Paths, numbers: Sequence[int], key: Callable[[PurePath], str]) -> dict[str, int]:
    """Return those whose name no other has, by their names."""
    names = {i: key(paths[i]) for i in numbers}
    counts = Counter(names.values())
    return {name: i for i, name in names.items() if counts[name] == 1}


def _counted(targets: Paths, results: Paths) -> dict[int, int]:
    """Match numbers with the order of targets; they begin at 0 if any is 0, or else at 1."""
    numbers = {i: int(path.stem) for i, path in enumerate(results)}
    if len({*numbers.values()}) < len(numbers):
        return {}
    first = min(1, *numbers.values()) if numbers else 1
    order = sorted(range(len(targets)), key=lambda i: targets[i].as_posix())
    return {order[n - first]: i for i, n in numbers.items() if n - first < len(order)}
