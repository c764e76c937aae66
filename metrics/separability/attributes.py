"""Attributes as linear separability takes them: one logit per sample, whose sign is the class.

The published classifiers give one logit l each. Softmax over (l, -l) is the class, 0 for a
positive logit, and its confidence.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import DataError
from latentlab.checks import check_choice
from latentlab.csv_files import number_hint
from latentlab.errors import quoted

OUTPUTS = ("classes", "attributes")
_WORDS: Mapping[str, float] = MappingProxyType({"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0})


def attribute_logits(outputs: Tensor, kind: str = "classes") -> Tensor:
    """Turn a classifier's outputs [N,K] into attribute logits [N,A].

    One output is an attribute as it is. Of several "classes" each becomes one against the rest,
    with the logit l_k = (z_k - log(sum of exp of the other z)) / 2, so that softmax over (l, -l)
    is the class's probability and the rest's; two classes are one attribute, the second's.
    "attributes" are independent outputs and stay as they are.

    Raises:
        SettingsError: If ``kind`` is neither.
    """
    check_choice(kind, "outputs", OUTPUTS)
    if kind == "attributes" or outputs.shape[1] == 1:
        return outputs
    z = outputs.cpu().double()
    if z.shape[1] == 2:
        return (z[:, 1:] - z[:, :1]) / 2
    total, top = z.logsumexp(dim=1, keepdim=True), z.argmax(dim=1, keepdim=True)
    rest = total + torch.log1p(-(z - total).exp())  # exact where the class is not the likeliest
    without = z.scatter(1, top, -torch.inf).logsumexp(dim=1, keepdim=True)
    return (z - rest.scatter(1, top, without)) / 2


def attribute_names(name: str, count: int, classes: Sequence[str] = ()) -> list[str]:
    """Name the attributes of a classifier after its classes, or after itself.

    Args:
        name: Of the classifier.
        count: Number of its attributes.
        classes: Names of its outputs, where it has any.
    """
    if len(classes) == count:
        return list(classes)
    if len(classes) == 2 and count == 1:
        return [classes[1]]
    return [name] if count == 1 else [f"{name} {i}" for i in range(count)]


def most_confident(logits: NDArray[Any], num_keep: int) -> NDArray[np.int64]:
    """Return the numbers of the samples to keep, the most confident first.

    Probabilities are float32 as published: many saturate at 1, and equal ones keep their order.

    Args:
        logits: Logit of each sample [N]; NaN where the class is not known.
        num_keep: How many; fewer are kept where fewer are known.
    """
    known = np.flatnonzero(~np.isnan(logits))
    confidence = predictions(logits[known]).max(axis=1)
    return known[np.argsort(-confidence, kind="stable")[:num_keep]]


def predictions(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Return the probabilities [N,2] of positive and negative, softmax over (l, -l)."""
    wide = torch.from_numpy(np.asarray(logits, dtype=np.float32))
    # torch's softmax orders confidences as the published code's does; other formulas round
    # differently, and then other samples are tied.
    return torch.stack([wide, -wide], dim=1).softmax(dim=1).numpy()


def targets(logits: NDArray[Any]) -> NDArray[np.int8]:
    """Return the class [N] of each logit: 0 for positive, 1 for negative."""
    return np.asarray(predictions(logits).argmax(axis=1), dtype=np.int8)


def label_logits(labels: pd.DataFrame) -> NDArray[np.float64]:
    """Return labels as logits [K,N], NaN where a cell is empty: their sign is the class.

    A column holds 0 and 1, true and false, yes and no, or -1 and 1 as CelebA's list does; other
    numbers are scores, whose size is the confidence.

    Args:
        labels: One column per attribute, one row per sample.

    Raises:
        DataError: If there is no column, or one holds something else, nothing, probabilities, or
            0 among negative numbers.
    """
    if labels.shape[1] == 0 or len(labels) == 0:
        raise DataError("the table of labels is empty; expected one column per attribute")
    columns = [_column(str(name), labels.iloc[:, i]) for i, name in enumerate(labels.columns)]
    return np.stack(columns)


def _column(name: str, cells: pd.Series) -> NDArray[np.float64]:
    values = np.array([_value(name, row, cell) for row, cell in enumerate(cells)])
    known = set(np.unique(values[~np.isnan(values)]).tolist())
    if not known:
        raise DataError(f"column {quoted(name)} of the labels is empty; fill it or leave it out")
    if known <= {0.0, 1.0}:
        return values * 2 - 1
    if 0.0 in known and min(known) < 0:
        raise DataError(
            f"column {quoted(name)} holds 0 beside negative numbers; leave unknown cells empty"
        )
    if min(known) >= 0 and max(known) <= 1 and known != {1.0}:
        raise DataError(
            f"column {quoted(name)} seems to hold probabilities; give scores whose sign is the "
            "class, such as log(p / (1 - p))"
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
        raise DataError(
            f"column {quoted(name)} of the labels, row {row + 1}: {quoted(cell)} is not a label; "
            "expected 0/1, true/false, yes/no, -1/1, a finite number, or nothing"
            f"{number_hint(str(cell))}"
        )
    return value
