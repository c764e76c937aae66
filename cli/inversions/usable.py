"""Which pairs can be compared at all, as far as the headers of their files show it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.inversions.methods import Inversions, PicturePair
from cli.running.progress import ProgressBar
from cli.running.wording import told
from cli.text import plain_text
from latentlab import ImageError
from latentlab.images import DecodePolicy, read_picture, size_of
from metrics.picture_pairs.pixels import SIDE

_MANY = 1000  # pairs, whose headers take a while
_RATIO = 1.02  # of width to height of two pictures of one shape: sizes are rounded


def usable(found: Sequence[Inversions]) -> tuple[list[Inversions], int]:
    """Leave out the pairs that cannot be compared.

    Returns:
        The methods with those that are left, and the pixels at which they are compared: 256, or
        the largest side where all pictures have less.

    Raises:
        ImageError: If a method has none.
    """
    sizes: dict[Path, tuple[int, int] | ImageError] = {}
    methods, largest = [], 1
    count = sum(len(each.pairs) for each in found)
    with ProgressBar(count, "looking", unit="pair", hidden=count < _MANY) as bar:
        for method in found:
            pairs, left_out = [], [*method.left_out]
            for pair in method.pairs:
                problem = _problem(pair, sizes)
                bar.advance()
                if problem:
                    left_out.append(problem)
                else:
                    pairs.append(pair)
            if not pairs:
                raise ImageError(f"{method.place}: no pair can be used; first: {left_out[0]}")
            sides = (sizes[file] for pair in pairs for file in (pair.target, pair.result))
            largest = max(largest, *(max(size) for size in sides if isinstance(size, tuple)))
            methods.append(replace(method, pairs=pairs, left_out=left_out))
    return methods, min(largest, SIDE)


def _problem(pair: PicturePair, sizes: dict[Path, tuple[int, int] | ImageError]) -> str:
    """Return why a pair cannot be used; "" if nothing is against it."""
    for file in (pair.target, pair.result):
        if file not in sizes:
            sizes[file] = _size(file)
        if isinstance(found := sizes[file], ImageError):
            return plain_text(told(found))
    if _alike(sizes[pair.target], sizes[pair.result]):
        return ""
    try:  # a photograph on its side is turned when it is read
        true = {file: read_picture(file).size for file in (pair.target, pair.result)}
    except ImageError as error:
        return plain_text(told(error))
    sizes |= true
    if _alike(true[pair.target], true[pair.result]):
        return ""
    (width, height), (other, tall) = true[pair.target], true[pair.result]
    return plain_text(
        f"{pair.result}: {other}x{tall}, but its target {pair.target} is {width}x{height}; give "
        "targets as the method saw them, cropped"
    )


def _size(file: Path) -> tuple[int, int] | ImageError:
    try:
        return size_of(file, policy=DecodePolicy(background=None))
    except ImageError as error:
        return error


def _alike(
    first: tuple[int, int] | ImageError, second: tuple[int, int] | ImageError
) -> bool:  # fmt: skip
    if isinstance(first, ImageError) or isinstance(second, ImageError):
        return False
    ratio = first[0] / first[1] / (second[0] / second[1])
    return 1 / _RATIO < ratio < _RATIO
