"""Directions of the limited-memory method of Broyden, Fletcher, Goldfarb and Shanno."""

import math
from collections import deque

import torch
from torch import Tensor

_MEMORY = 20  # steps that are remembered
_FIRST = 0.1  # length of a step of which nothing is known
_CURVED = 1e-10  # cosine of a step and its change of gradient, below which it teaches nothing


class QuasiNewton:
    """What the last steps taught of the curvature (Nocedal and Wright 2006, algorithm 7.4)."""

    def __init__(self) -> None:
        """Know nothing yet."""
        # Steps, changes of the gradient, and their inner products.
        self._steps: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=_MEMORY)

    def __len__(self) -> int:
        """Return how many steps are remembered."""
        return len(self._steps)

    def forget(self) -> None:
        """Know nothing any more."""
        self._steps.clear()

    def learn(self, step: Tensor, change: Tensor) -> None:
        """Take note of a step [D] and of how it changed the gradient [D]."""
        inner = _dot(step, change)
        if inner > _CURVED * math.sqrt(_dot(step, step) * _dot(change, change)):
            self._steps.append((step, change, inner))

    def direction(self, gradient: Tensor) -> Tensor:
        """Return the step [D] to where the gradient [D] vanishes, by what is known."""
        if not self._steps:
            return gradient * (-_FIRST / max(math.sqrt(_dot(gradient, gradient)), 1e-30))
        left, shares = gradient, []
        for step, change, inner in reversed(self._steps):
            shares.append(_dot(step, left) / inner)
            left = left - shares[-1] * change
        _, change, inner = self._steps[-1]
        found: Tensor = left * (inner / _dot(change, change))
        for (step, change, inner), share in zip(self._steps, reversed(shares), strict=True):
            found = found + (share - _dot(change, found) / inner) * step
        return -found


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a, b))
