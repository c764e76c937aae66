"""A function linearised at a point, by products with its Jacobian alone.

J^T u is a backward pass. It is linear in u, so that differentiating it by u in the direction v
gives J v (the "double backward"), through graphs that are built once for many products.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from latentlab.projection.convolutions import LinearConvolutions

Vector = list[Tensor]  # one tensor for each part of the point


class Linearisation:
    """Residuals [M] of a point, and products with their Jacobian J there.

    Attributes:
        values: The residuals [M] at the point.
    """

    def __init__(self, residuals: Callable[[Vector], Tensor], point: Sequence[Tensor]) -> None:
        """Evaluate the residuals, and keep the graphs of both passes."""
        self._point = [part.detach().requires_grad_(True) for part in point]
        with torch.enable_grad(), LinearConvolutions():
            self._values = residuals(self._point)
            self._u = torch.zeros_like(self._values).requires_grad_(True)
            self._back = torch.autograd.grad(
                self._values, self._point, self._u, create_graph=True, materialize_grads=True
            )
        self.values = self._values.detach()

    def along(self, v: Sequence[Tensor]) -> Tensor:
        """Return J v [M] of a direction v, which has the parts of the point."""
        # A part that no residual depends on has no graph.
        pairs = [(a, b) for a, b in zip(self._back, v, strict=True) if a.requires_grad]
        if not pairs:
            return torch.zeros_like(self.values)
        back, along = zip(*pairs, strict=True)
        (found,) = torch.autograd.grad(back, self._u, along, retain_graph=True)
        return found

    def back(self, u: Tensor) -> Vector:
        """Return J^T u, in the parts of the point, of u [M]."""
        return list(torch.autograd.grad(
            self._values, self._point, u, retain_graph=True, materialize_grads=True
        ))  # fmt: skip


def dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the inner product, added up in float64."""
    return float(sum((x * y).sum(dtype=torch.float64) for x, y in zip(a, b, strict=True)))
