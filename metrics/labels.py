"""Tables of labels that someone has already, as attribute logits."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlab import DataError

_WORDS: Mapping[str, float] = MappingProxyType({"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0})
_SHOWN = 80  # characters of a cell in a message


def label_logits(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Return labels as logits [K,N], NaN where a cell is empty: their sign is the class.

    A column holds 0 and 1, true and false, yes and no, or -1 and 1 as CelebA's list does; other
    numbers are scores, whose size is the confidence.

    Args:
        labels: A column an attribute, a row a sample.

    Raises:
        DataError: If there is no column, or one holds something else, nothing, probabilities, or
            0 among negative numbers.
    """
    if labels.shape[1] == 0 or len(labels) == 0:
        raise DataError("the table of labels is empty; expected a column an attribute")
    columns = [_column(str(name), labels.iloc[:, i]) for i, name in enumerate(labels.columns)]
    return np.stack(columns)


def _column(name: str, cells: pd.Series) -> NDArray[np.float64]:
    values = np.array([_value(name, row, cell) for row, cell in enumerate(cells)])
    known = set(np.unique(values[~np.isnan(values)]).tolist())
    if not known:
        raise DataError(f"column {name!r} of the labels is empty; fill it or leave it out")
    if known <= {0.0, 1.0}:
        return values * 2 - 1
    if 0.0 in known and min(known) < 0:
        raise DataError(
            f"column {name!r} holds 0 beside negative numbers; leave unknown cells empty"
        )
    if min(known) >= 0 and max(known) <= 1 and known != {1.0}:
        raise DataError(
            f"column {name!r} holds probabilities, it seems; give scores whose sign is the class, "
            "such as log(p / (1 - p))"
        )
    return values


def _value(name: str, row: int, cell: Any) -> float:
    if isinstance(cell, str):
        cell = cell.strip().lower()
    if cell == "" or pd.isna(cell):
        return np.nan
    try:
        value = _WORDS[cell] if cell in _WORDS else float(cell)
    except (TypeError, ValueError):
        value = np.inf
    if not np.isfinite(value):
        shown = str(cell)[:_SHOWN]
        raise DataError(
            f"column {name!r} of the labels, row {row + 1}: {shown!r} is no label; expected 0/1, "
            "true/false, yes/no, -1/1, a finite number, or nothing"
        )
    return value
