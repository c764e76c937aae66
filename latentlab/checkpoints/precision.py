"""In which types of floats a file holds its networks; opened they are float32, whatever it was."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from latentlab.checkpoints.pickles.records import Record

HALF = ("float16", "bfloat16")

_HOLDERS = (dict, list, tuple, Record)


def float_types(networks: object) -> tuple[str, ...]:
    """Return the names of the types of the floats in networks as a file has them, sorted.

    Args:
        networks: State dicts, modules and arrays as data, in any nesting.
    """
    return tuple(sorted({*_types(networks)}))


def _types(found: object) -> Iterator[str]:
    waiting, seen = [found], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            if value.is_floating_point():
                yield str(value.dtype).removeprefix("torch.")
        elif isinstance(value, np.ndarray):
            if value.dtype.kind == "f":
                yield value.dtype.name
        elif isinstance(value, _HOLDERS) and id(value) not in seen:  # what holds itself ends
            seen.add(id(value))
            waiting += _held(value)


def _held(value: Any) -> list[Any]:
    if isinstance(value, Record):
        return [value.state] if value.state is not None else []
    return [*value.values()] if isinstance(value, dict) else [*value]
