"""Projection by the method of Levenberg (1944) and Marquardt (1963): far fewer, longer steps.

The perceptual distance is a sum of squares of feature differences, as are all terms beside it. A
step minimises |r + J d|^2 + damping |d|^2, r being the residuals and J their Jacobian, by a few
iterations of conjugate gradients, which need products with J alone (Nocedal and Wright 2006,
"Numerical Optimization", sections 7.1 and 10.3). The damping falls where the loss fell as
foreseen, and rises where it did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.projection.linearisation import Linearisation, Vector, dot
from latentlab.projection.search import Optimisation, row_spread
from latentlab.projection.targets import check_losses
from latentlab.projection.uncorrelated import Tangent, uncorrelated

_DAMPING = 1e-5  # at first; latents count in their deviations
_LEAST, _MOST = 1e-9, 1e3  # of the damping: below, rounding; above, nothing comes of a step
_EASED, _RAISED = 1 / 3, 4.0  # factors on the damping
_TRUSTED, _DOUBTED = 0.75, 0.25  # share of the foreseen gain above, below which it changes
_HALVINGS = 5  # of a step that gains nothing
# Far from the target the model of a step holds for its main directions only: more iterations
# find flat ones, in which a step leads astray.
_FAR_STEPS, _FAR, _NEAR = 10, 8, 24  # iterations of conjugate gradients: so many first, then more
_REDUCED = 0.03  # share of the gradient that is left when they end sooner


def passes(steps: int) -> int:
    """Return how many steps of the published schedule take about as long as ``steps`` steps."""
    return sum(_iterations(step) + 2 for step in range(steps))


def _iterations(step: int) -> int:
    return _FAR if step < _FAR_STEPS else _NEAR


@dataclass(frozen=True)
class _Place:
    """A point, the images [1,C,R,R] rendered there, its loss, and what the history says."""

    x: Tensor
    noise: list[Tensor]
    images: Tensor
    loss: float
    numbers: Tensor


class LeastSquares(Optimisation):
    """The optimisation of one image; a batch of them is as many optimisations."""

    def _prepare(self) -> None:
        self._damping = _DAMPING
        self._scale = float(self._space.deviation) / self._x.shape[2] ** 0.5
        self._line: Linearisation | None = None
        if self._moving and self._setup.settings.steps > 0:
            self._noise = self._moving = uncorrelated(self._noise)
        self._place = self._at(self._x.detach(), self._noise)

    def run_step(self, step: int) -> Tensor:
        """Move latents and noise once; returns the distance [1] before the move."""
        place, setup = self._place, self._setup
        damping = place.numbers.new_full((1, 1), self._damping)
        self._trace.append(torch.cat([place.numbers, damping]).cpu())
        if setup.observer is not None:
            setup.observer(step, place.images)
        if self._best is None:
            check_losses(place.numbers[2], f"projection step {step}")
        else:
            self._best.leaves(place.numbers[2])
        if not self.finished:
            self._move(step)
        return place.numbers[0]

    @property
    def finished(self) -> bool:
        """Whether no step gains anything any more, or the image is left."""
        return super().finished or self._damping > _MOST

    def _columns(self) -> list[str]:
        return [*super()._columns(), "damping"]

    def _move(self, step: int) -> None:
        place = self._place
        if self._line is None:
            self._line = Linearisation(self._residuals, [place.x, *self._moving])
            self._tangent = Tangent(self._moving)
        move, change = self._solution(self._line, _iterations(step))
        residuals = self._line.values
        foreseen = -2 * dot([change], [residuals]) - dot([change], [change])
        for halving in range(_HALVINGS):
            found = self._moved(move, 0.5**halving)
            gain = place.loss - found.loss
            if halving == 0:
                self._adapt(gain / foreseen if foreseen > 0 else -1.0)
            if gain > 0:
                self._take(found)
                return

    def _adapt(self, share: float) -> None:
        """Change the damping by the share of the foreseen gain that was had."""
        if share > _TRUSTED:
            self._damping = max(self._damping * _EASED, _LEAST)
        elif not share >= _DOUBTED:  # also where it is not a number
            self._damping *= _RAISED

    def _take(self, place: _Place) -> None:
        self._place, self._line = place, None
        self._x, self._noise = place.x, place.noise
        self._moving = self._noise if self._moving else []

    def _moved(self, move: Vector, share: float) -> _Place:
        """Return the point that lies a share of a move away."""
        x = self._place.x + share * self._scale * move[0]
        self._space.settle(x)
        moved = [level + share * step for level, step in zip(self._moving, move[1:], strict=True)]
        return self._at(x, uncorrelated(moved) if self._moving else self._noise)

    def _solution(self, line: Linearisation, most: int) -> tuple[Vector, Tensor]:
        """Return the damped step, in units of ``_scale`` and along the surface, and J of it."""
        left = [-part for part in self._gradient(line, line.values)]
        move, change = [torch.zeros_like(part) for part in left], torch.zeros_like(line.values)
        along, square = left, dot(left, left)
        enough = _REDUCED**2 * square
        for _ in range(most):
            if square <= enough or square == 0:
                break
            bent = line.along([along[0] * self._scale, *self._tangent(along[1:])])
            size = square / (dot([bent], [bent]) + self._damping * dot(along, along))
            move = _sum(move, size, along)
            change = change + size * bent
            curved = _sum(self._gradient(line, bent), self._damping, along)
            left = _sum(left, -size, curved)
            before, square = square, dot(left, left)
            along = _sum(left, square / before, along)
        return move, change

    def _gradient(self, line: Linearisation, u: Tensor) -> Vector:
        x, *noise = line.back(u)
        return [x * self._scale, *self._tangent(noise)]

    def _residuals(self, point: Sequence[Tensor]) -> Tensor:
        """Return the residuals [M] whose squares add up to the loss, less the noise penalty."""
        x, noise = point[0], list(point[1:]) or self._noise
        rendered = self._setup.g.synthesis(self._ws(x), noise=noise)
        parts = [
            *self._compare.residuals(rendered),
            *self._terms.residuals(rendered, self._free(x)),
        ]
        pull = self._setup.settings.w_plus_pull
        if pull:
            free = self._free(x)
            apart = (free - free.mean(dim=1, keepdim=True)) / self._space.deviation
            parts.append(apart * (pull / free.shape[1]) ** 0.5)
        return torch.cat([part.reshape(-1) for part in parts])

    @torch.no_grad()
    def _at(self, x: Tensor, noise: list[Tensor]) -> _Place:
        images = self._setup.g.synthesis(self._ws(x), noise=noise)
        distances = self._compare(images)
        penalty = self._penalty(distances)
        weighed, terms = self._terms(images, self._free(x))
        loss = distances + weighed
        if self._setup.settings.w_plus_pull:
            spread = row_spread(self._free(x), self._space.deviation)
            loss = loss + self._setup.settings.w_plus_pull * spread
        whole = loss + self._setup.settings.noise_weight * penalty
        numbers = torch.stack([distances, penalty, whole, *self._plain(images), *terms])
        return _Place(x, noise, images, float(whole), numbers)


def _sum(a: Sequence[Tensor], factor: float, b: Sequence[Tensor]) -> Vector:
    """Return a + factor b."""
    return [x + factor * y for x, y in zip(a, b, strict=True)]
