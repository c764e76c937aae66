"""Settings and facts out of foreign data: a copy of plain values, small and without cycles."""

import math
from typing import Any

from latentlab.checkpoints.pickles.records import Record
from latentlab.errors import UnsupportedCheckpoint

_MAX_DEPTH = 6
_MAX_VALUES = 5_000
_MAX_TEXT = 10_000


def _is_name(key: object) -> bool:
    return type(key) is str and len(key) <= 100 and key.isidentifier()


def plain_copy(value: object, where: str) -> Any:
    """Copy dicts whose keys are identifiers, lists, tuples, text, numbers, booleans and None.

    The copy is a tree: what refers to itself, or to one thing from very many places, is refused,
    so that printing and comparing it is safe. Numbers are finite, so that JSON can hold them.

    Raises:
        UnsupportedCheckpoint: Naming ``where``, if there is anything else, or too much.
    """
    left = _MAX_VALUES

    def copy(item: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > _MAX_DEPTH:
            raise UnsupportedCheckpoint(f"{where}: more settings than a network has")
        if type(item) is dict and all(_is_name(key) for key in item):
            return {key: copy(held, depth + 1) for key, held in item.items()}
        if type(item) in (list, tuple):
            return type(item)(copy(held, depth + 1) for held in item)
        fits = item is None or type(item) in (bool, int)
        fits = fits or (type(item) is float and math.isfinite(item))
        fits = fits or (type(item) is str and len(item) <= _MAX_TEXT)
        if not fits:
            kind = item.called if type(item) is Record else type(item).__name__
            raise UnsupportedCheckpoint(f"{where}: a setting that is not a plain value ({kind})")
        return item

    return copy(value, 0)
