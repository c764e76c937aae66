"""Damped least-squares steps for any damping, from one set of products with the Jacobian."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_REDUCED = 0.1  # share of the gradient that may be left; then more products gain little
_ROUNDING = 1e-6  # share of the first gradient below which a new direction is rounding


class DampedSteps:
    """The d that minimise |r + J d|^2 + damping |d|^2 in a Krylov space, which is made once.

    J is brought to bidiagonal form step by step (Golub and Kahan 1965). What the first k steps span
    is where k iterations of conjugate gradients look, whatever the damping (Paige and Saunders
    1982, "LSQR", section 2), so that another damping costs no product with J.
    """

    def __init__(
        self,
        along: Callable[[Tensor], Tensor],
        back: Callable[[Tensor], Tensor],
        residuals: Tensor,
        damping: float,
        most: int,
    ) -> None:
        """Make the space, until it holds nearly all of the step of one damping.

        Args:
            along: J v [M] of v [D].
            back: J^T u [D] of u [M].
            residuals: r [M].
            damping: The one that decides when there are enough products.
            most: Products with J, and as many with its transpose.
        """
        self._size = _norm(residuals)
        u = residuals / -self._size
        v = back(u)
        self._basis, self._band = v.new_zeros(most, len(v)), _bidiagonal([], [])
        diagonal, below = [_norm(v)], list[float]()
        for k in range(1, most + 1):
            if not diagonal[-1] > _ROUNDING * diagonal[0]:  # also where it is not a number
                break
            self._basis[k - 1] = v / diagonal[-1]
            u = along(self._basis[k - 1]) - diagonal[-1] * u
            below.append(_norm(u))
            self._band = _bidiagonal(diagonal, below)
            if k == most or not below[-1] > _ROUNDING * diagonal[0]:
                break
            u = u / below[-1]
            v = back(u) - below[-1] * self._basis[k - 1]
            v = v - self._basis[:k].t() @ (self._basis[:k] @ v)  # rounding adds up otherwise
            left = _norm(v) * below[-1] * abs(float(self._weights(damping)[-1]))
            if left < _REDUCED * diagonal[0] * self._size:
                break
            diagonal.append(_norm(v))

    def __call__(self, damping: float) -> tuple[Tensor, float]:
        """Return the step d [D], and by how much it lowers |r + J d|^2."""
        k = self._band.shape[1]
        if k == 0:  # no direction leads down
            return torch.zeros_like(self._basis[0]), 0.0
        weights = self._weights(damping)
        left = self._band @ weights
        left[0] -= self._size
        gain = self._size**2 - float(left @ left)
        return self._basis[:k].t() @ weights.to(self._basis), gain

    def _weights(self, damping: float) -> Tensor:
        """Return how much of each direction is in the step [k]."""
        k = self._band.shape[1]
        rows = torch.cat([self._band, damping**0.5 * torch.eye(k, dtype=torch.float64)])
        wanted = rows.new_zeros(len(rows), 1)
        wanted[0] = self._size
        found: Tensor = torch.linalg.lstsq(rows, wanted).solution[:, 0]
        return found


def _bidiagonal(diagonal: list[float], below: list[float]) -> Tensor:
    """Return the matrix [k+1,k] of the numbers on its diagonal and below."""
    k = len(below)
    band = torch.zeros(k + 1, k, dtype=torch.float64)
    for i in range(k):
        band[i, i], band[i + 1, i] = diagonal[i], below[i]
    return band


def _norm(x: Tensor) -> float:
    square = float(x.square().sum(dtype=torch.float64))
    return math.sqrt(square)
