"""Noise maps of zero mean, unit mean square and no penalty: a surface, and moving on it.

Where the published schedule weighs the noise penalty by 1e5 and brings maps back to zero mean and
unit mean square after every step, a method that steps far needs both to hold all along.
"""

from collections.abc import Iterator, Sequence

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
        """Take maps [1,1,h,w] that lie on the surface; those of one size are treated at once."""
        sizes = [level.shape for level in noise]
        self._places = [
            [i for i, size in enumerate(sizes) if size == one] for one in dict.fromkeys(sizes)
        ]
        self._normals = [_conditions(stack)[1] for stack in self._stacks(noise)]
        self._inverses = [_inverse(normals) for normals in self._normals]

    def __call__(self, moves: Sequence[Tensor]) -> list[Tensor]:
        """Return moves of the maps without what would lead off the surface."""
        return self._apart([
            stack - self._lifted(i, self._normals[i] @ stack.flatten(1)[..., None], stack)
            for i, stack in enumerate(self._stacks(moves))
        ])  # fmt: skip

    def settled(self, noise: Sequence[Tensor]) -> list[Tensor]:
        """Return maps that are a move away from where the directions belong, on the surface.

        They are moved along the directions that lead off it; from too far away, as by
        ``uncorrelated``.
        """
        found = []
        for i, stack in enumerate(self._stacks(noise)):
            near = self._near(i, stack)
            if near is None:
                near = torch.cat([_moved(level) for level in stack.split(1)])
            found.append(near)
        return self._apart(found)

    def _near(self, i: int, stack: Tensor) -> Tensor | None:
        """Return maps [L,1,h,w] moved along the known directions; None if that leads nowhere."""
        before = torch.inf
        for _ in range(_MOST):
            values = _values(stack)
            off = float(values.abs().max())
            if off < _CLOSE:
                return stack
            if not off < before:  # also where it is not a number
                return None
            before = off
            stack = stack - self._lifted(i, values[..., None], stack)
        return None

    def _lifted(self, i: int, values: Tensor, like: Tensor) -> Tensor:
        """Return the shortest moves [L,1,h,w] that change the conditions by values [L,K,1]."""
        shares = (self._inverses[i] @ values.double()).to(like)
        return (self._normals[i].mT @ shares).view_as(like)

    def _stacks(self, noise: Sequence[Tensor]) -> list[Tensor]:
        return [torch.cat([noise[i] for i in places]) for places in self._places]

    def _apart(self, stacks: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps one by one, where they belong."""
        found: dict[int, Tensor] = {}
        for places, stack in zip(self._places, stacks, strict=True):
            found.update(zip(places, stack.split(1), strict=True))
        return [found[i] for i in range(len(found))]


def _moved(level: Tensor) -> Tensor:
    found = level.detach().clone()
    for _ in range(_MOST):
        values, normals = _conditions(found)
        off = float(values.abs().max())
        if off < _CLOSE:
            return found
        if not off < torch.inf:  # also where it is not a number
            break
        shares = (_inverse(normals) @ values[..., None].double()).to(found)
        found = found - (normals.mT @ shares).view_as(found)
    if float(_values(found).abs().max()) < _CLOSE**0.5:
        return found
    found = level.detach().clone()
    normalise_noise([found])
    return found


def _inverse(normals: Tensor) -> Tensor:
    """Return the inverses [L,K,K] of the inner products of gradients [L,K,h*w], in float64."""
    rows = normals.double()
    found: Tensor = torch.linalg.pinv(rows @ rows.mT, rtol=_RANK, hermitian=True)
    return found


def _values(full: Tensor) -> Tensor:
    """Return by how much maps [L,1,h,w] miss each condition [L,K].

    The correlations are those that the penalty squares, on every level of its pyramid.
    """
    every = (1, 2, 3)
    values = [full.mean(every), full.square().mean(every) - 1]
    for small, _ in _pyramid(full):
        values += [(small * small.roll(1, axis)).mean(every) for axis in (2, 3)]
    return torch.stack(values, dim=1)


def _conditions(full: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much maps [L,1,h,w] miss each condition [L,K], and the gradients [L,K,h*w]."""
    full = full.detach()
    pixels = full[0].numel()
    rows = [torch.full_like(full, 1 / pixels), full * (2 / pixels)]
    for small, factor in _pyramid(full):
        for axis in (2, 3):
            gradient = (small.roll(1, axis) + small.roll(-1, axis)) / small[0].numel()
            rows.append(_spread(gradient, factor, full))
    return _values(full), torch.stack([row.flatten(1) for row in rows], dim=1)


def _pyramid(full: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield means over ever more pixels, and over how many on a side."""
    small, factor = full, 1
    while True:
        yield small, factor
        if small.shape[2] <= SMALLEST:
            return
        small, factor = F.avg_pool2d(small, 2), 2 * factor


def _spread(gradient: Tensor, factor: int, full: Tensor) -> Tensor:
    """Return the gradient by a map from that by its means over factor x factor pixels."""
    large = gradient.repeat_interleave(factor, 2).repeat_interleave(factor, 3) / factor**2
    below, beside = full.shape[2] - large.shape[2], full.shape[3] - large.shape[3]
    return F.pad(large, [0, beside, 0, below])  # means leave out what does not fill a square
