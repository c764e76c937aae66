"""What a row of the table in docs/formats.md is, and how its closeness is measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import latentlab
from latentlab import Checkpoint

ORDER = ("w", "features", "images", "scores", "logits", "codes")
Arrays = Mapping[str, Any]  # of a reference
Pairs = Iterator[tuple[str, Tensor, Tensor]]  # what is compared, ours, theirs


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        title: What it is, and whose.
        read: What is read of it.
        files: Genuine ones among the reference data, each with its reference.
        pairs: What to compare.
        refused: What is refused, and why.
        exact: Said instead where there is nothing to measure.
    """

    title: str
    read: str
    files: tuple[tuple[str, str], ...] = ()
    pairs: Callable[[Checkpoint, Arrays], Pairs] | None = None
    refused: str = ""
    exact: str = ""


def measured(row: Format, shared: Path) -> dict[str, float]:
    """Return the largest difference in each quantity, over the files of a row."""
    worst: dict[str, float] = {}
    for name, reference in row.files:
        assert row.pairs is not None
        with torch.inference_mode():
            pairs = row.pairs(latentlab.load(shared / name), _arrays(shared / reference))
            for quantity, ours, theirs in pairs:
                difference = float((ours - theirs).abs().max())
                worst[quantity] = max(worst.get(quantity, 0.0), difference)
    return worst


def _arrays(path: Path) -> Arrays:
    if path.suffix == ".pt":
        found: Arrays = torch.load(path, weights_only=True)
        return found
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def in_words(differences: Mapping[str, float]) -> str:
    """Write differences rounded up to one digit, in the order of the computation."""
    return ", ".join(f"{name} {_up(differences[name])}" for name in ORDER if name in differences)


def _up(value: float) -> str:
    if value == 0:
        return "0"
    power = floor(log10(value))
    digit = ceil(round(value / 10**power, 6))
    return f"{1 if digit == 10 else digit}e{power + 1 if digit == 10 else power}"


def tensor(array: Any) -> Tensor:
    """Return an array of a reference as float32."""
    return torch.from_numpy(np.asarray(array)).float()
