"""Settings and facts out of foreign data: a copy of plain values, small and without cycles."""

import math
from typing import Any

from latentlab.checkpoints.pickles.language import Global
from latentlab.checkpoints.pickles.records import Record, class_of
from latentlab.errors import UnsupportedCheckpoint

_MAX_DEPTH = 6
_MAX_VALUES = 5_000
_MAX_TEXT = 10_000


def _is_name(key: object) -> bool:
    return type(key) is str and len(key) <= 100 and key.isidentifier()


def plain_facts(value: object, where: str) -> Any:
    """Copy facts for a person as ``plain_copy`` does settings, with a name for each object.

    >>> plain_facts({"steps": 3, "device": Record("class", "device", module="torch")}, "x")
    {'steps': 3, 'device': 'torch.device'}
    """
    return plain_copy(value, where, named=True)


def plain_copy(value: object, where: str, *, named: bool = False) -> Any:
    """Copy dicts whose keys are identifiers, lists, tuples, text, numbers, booleans and None.

    The copy is a tree: what refers to itself, or to one thing from very many places, is refused,
    so that printing and comparing it is safe. Numbers are finite, so that JSON can hold them.
    Where ``named``, objects of the file's own classes and names are replaced by what they are
    called.

    Raises:
        UnsupportedCheckpoint: Naming ``where``, if there is anything else, or too much.
    """
    left = _MAX_VALUES

    def copy(item: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > _MAX_DEPTH:
            raise UnsupportedCheckpoint(f"{where}: more settings than a network has")
        if named and type(item) is Record and item.origin == "argparse":
            item = item.state
        if named and type(item) in (Record, Global):
            return class_of(item)
        if type(item) is dict and all(_is_name(key) for key in item):
            return {key: copy(held, depth + 1) for key, held in item.items()}
        if type(item) in (list, tuple):
            return type(item)(copy(held, depth + 1) for held in item)
        fits = item is None or type(item) in (bool, int)
        fits = fits or (type(item) is float and math.isfinite(item))
        fits = fits or (type(item) is str and len(item) <= _MAX_TEXT)
        if not fits:
            kind = class_of(item)
            raise UnsupportedCheckpoint(f"{where}: a setting that is not a plain value ({kind})")
        return item

    return copy(value, 0)
