"""Noise maps of zero mean, unit mean square and no penalty: a surface, and moving on it.

Where the published schedule weighs the noise penalty by 1e5 and brings maps back to zero mean and
unit mean square after every step, a method that steps far needs both to hold all along.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.projection.noise import SMALLEST, normalise_noise

_CLOSE = 5e-7  # deviations that are rounding of float32
_MOST = 20  # steps of Newton's method; a handful does for white noise
_RANK = 1e-10  # share of the largest eigenvalue below which a condition says nothing new


def uncorrelated(noise: Sequence[Tensor]) -> list[Tensor]:
    """Return the maps [1,1,h,w] moved as little as needed to the surface, by Newton's method.

    A map that does not get there, as one of equal values, is brought to zero mean and unit mean
    square alone.
    """
    return [_moved(level) for level in noise]


class Tangent:
    """The directions in which noise maps can move without leaving the surface, to first order."""

    def __init__(self, noise: Sequence[Tensor]) -> None:
        """Take maps [1,1,h,w] that lie on the surface."""
        self._normals = [torch.linalg.qr(_conditions(level)[1].t())[0] for level in noise]

    def __call__(self, moves: Sequence[Tensor]) -> list[Tensor]:
        """Return moves of the maps without what would lead off the surface."""
        pairs = zip(moves, self._normals, strict=True)
        return [move - (q @ (q.t() @ move.reshape(-1))).view_as(move) for move, q in pairs]


def _moved(level: Tensor) -> Tensor:
    found = level.detach().clone()
    for _ in range(_MOST):
        values, normals = _conditions(found)
        if float(values.abs().max()) < _CLOSE:
            return found
        rows = normals.double()
        nearest = torch.linalg.pinv(rows @ rows.t(), rtol=_RANK, hermitian=True) @ values.double()
        found = found - (rows.t() @ nearest).to(found).view_as(found)
    if float(_conditions(found)[0].abs().max()) < _CLOSE**0.5:
        return found
    found = level.detach().clone()
    normalise_noise([found])
    return found


def _conditions(level: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much a map misses each condition [K], and their gradients [K,h*w].

    The correlations are those that the penalty squares, on every level of its pyramid.
    """
    full = level.detach()
    values = [full.mean(), full.square().mean() - 1]
    rows = [torch.full_like(full, 1 / full.numel()), full * (2 / full.numel())]
    small, factor = full, 1
    while True:
        for axis in (2, 3):
            values.append((small * small.roll(1, axis)).mean())
            gradient = (small.roll(1, axis) + small.roll(-1, axis)) / small.numel()
            rows.append(_spread(gradient, factor, full))
        if small.shape[2] <= SMALLEST:
            break
        small, factor = F.avg_pool2d(small, 2), 2 * factor
    return torch.stack(values), torch.stack([row.reshape(-1) for row in rows])


def _spread(gradient: Tensor, factor: int, full: Tensor) -> Tensor:
    """Return the gradient by a map from that by its means over factor x factor pixels."""
    large = gradient.repeat_interleave(factor, 2).repeat_interleave(factor, 3) / factor**2
    below, beside = full.shape[2] - large.shape[2], full.shape[3] - large.shape[3]
    return F.pad(large, [0, beside, 0, below])  # means leave out what does not fill a square
