"""Projection by the method of Levenberg (1944) and Marquardt (1963), and BFGS: fewer, longer steps.

The perceptual distance is a sum of squares of feature differences, as are all terms beside it.
From afar a step minimises |r + J d|^2 + damping |d|^2, r being the residuals and J their Jacobian,
which needs products with J alone (Nocedal and Wright 2006, "Numerical Optimization", section 10.3).
The damping falls where the loss fell as foreseen, and rises where it did not. Once the loss no
longer does what its linearisation says, a step of the limited-memory BFGS method (section 7.2)
gains more for its cost, which is that of one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.networks.modulated.lean import lean_gradients
from latentlab.projection.damped_steps import DampedSteps
from latentlab.projection.linearisation import Linearisation, Vector
from latentlab.projection.noise import noise_penalty
from latentlab.projection.quasi_newton import QuasiNewton
from latentlab.projection.search import Optimisation, row_spread
from latentlab.projection.targets import check_losses
from latentlab.projection.uncorrelated import Tangent, uncorrelated

_LONG_STEPS = 8  # of Levenberg and Marquardt; then those of BFGS
_DAMPING = 1e-5  # at first; latents count in their deviations
_LEAST = 1e-9  # damping; below is rounding
_EASED, _RAISED = 1 / 3, 4.0  # factors on the damping
_TRUSTED, _DOUBTED = 0.75, 0.25  # share of the foreseen gain above, below which it changes
_TRIALS = 8  # of a step that gains nothing, ever shorter
# Far from the target the model of a step holds for its main directions only: more products
# find flat ones, in which a step leads astray.
_PRODUCTS = 8
_ENOUGH = 1e-4  # share of the foreseen gain that makes a step of BFGS one
_SHORTER = 0.1, 0.5  # bounds of how much shorter than the last a trial is


def passes(steps: int) -> int:
    """Return how many steps of the published schedule take about as long as ``steps`` steps."""
    long = min(steps, _LONG_STEPS)
    return long * (_PRODUCTS + 2) + steps - long


@dataclass(frozen=True)
class _Place:
    """A point, the images [1,C,R,R] rendered there, its loss, and what the history says.

    The loss is without the penalty of the noise maps, which is 0 but for rounding. Its gradients
    by latents and moving maps are there if they were asked for.
    """

    x: Tensor
    noise: list[Tensor]
    images: Tensor
    loss: float
    numbers: Tensor
    gradients: Vector


class LeastSquares(Optimisation):
    """The optimisation of one image; a batch of them is as many optimisations.

    Attributes:
        long_steps: So many steps are of Levenberg and Marquardt, at most; then come those of BFGS.
    """

    long_steps = _LONG_STEPS

    def _prepare(self) -> None:
        self._damping, self._left, self._stuck = _DAMPING, self.long_steps, False
        self._taught = QuasiNewton()
        self._scale = float(self._space.deviation) / self._x.shape[2] ** 0.5
        if self._moving and self._setup.settings.steps > 0:
            self._noise = self._moving = uncorrelated(self._noise)
        self._tangent = Tangent(self._moving)
        self._place = self._at(self._x.detach(), self._noise)

    def run_step(self, step: int) -> Tensor:
        """Move latents and noise once; returns the distance [1] before the move."""
        place, setup = self._place, self._setup
        damping = place.numbers.new_full((1, 1), self._damping if self._left else torch.nan)
        self._trace.append(torch.cat([place.numbers, damping]).cpu())
        if setup.observer is not None:
            setup.observer(step, place.images)
        if self._best is None:
            check_losses(place.numbers[2], f"projection step {step}")
        else:
            self._best.leaves(place.numbers[2])
        if not self.finished:
            if self._left:
                self._long_step()
            else:
                self._short_step()
        return place.numbers[0]

    @property
    def finished(self) -> bool:
        """Whether no step gains anything any more, or the image is left."""
        return super().finished or self._stuck

    def _columns(self) -> list[str]:
        return [*super()._columns(), "damping"]

    def _long_step(self) -> None:
        """Take a step of Levenberg and Marquardt, with as much damping as it needs to gain."""
        place = self._place
        line = Linearisation(self._residuals, [place.x, *self._moving])
        steps = DampedSteps(
            lambda v: line.along(self._parts(v)), lambda u: self._flat(line.back(u)),
            line.values, self._damping, _PRODUCTS,
        )  # fmt: skip
        self._left -= 1
        for trial in range(_TRIALS):
            move, foreseen = steps(self._damping)
            found = self._moved(move)
            gain = place.loss - found.loss
            if trial == 0 and gain > _TRUSTED * foreseen:
                self._damping = max(self._damping * _EASED, _LEAST)
            elif trial == 0 and gain > _DOUBTED * foreseen:
                pass
            elif trial == 0 or not gain > 0:  # also where it is not a number
                self._damping *= _RAISED ** min(trial + 1, 2)
            if gain > 0:
                self._take(found)
                return
        self._left = 0

    def _short_step(self) -> None:
        """Take a step of BFGS, as long as it needs to gain."""
        place = self._place
        if not place.gradients:
            place = self._place = self._at(place.x, place.noise, derivatives=True)
        gradient = self._flat(place.gradients)
        move = self._taught.direction(gradient)
        slope, size = float(torch.dot(gradient, move)), 1.0
        for _ in range(_TRIALS if slope < 0 else 0):
            found = self._moved(size * move, derivatives=True)
            foreseen = -size * slope
            if place.loss - found.loss > _ENOUGH * foreseen:
                self._take(found)
                self._taught.learn(size * move, self._flat(found.gradients) - gradient)
                return
            # The lowest point of the parabola through both losses and the slope.
            lowest = foreseen / (2 * (found.loss - place.loss + foreseen))
            size *= max(_SHORTER[0], min(_SHORTER[1], lowest))
        self._stuck = not self._taught
        self._taught.forget()

    def _take(self, place: _Place) -> None:
        self._place = place
        self._x, self._noise = place.x, place.noise
        if self._moving:
            self._moving = self._noise
            self._tangent = Tangent(self._moving)

    def _moved(self, move: Tensor, derivatives: bool = False) -> _Place:
        """Return the point that lies a move [D] away."""
        latents, *noise = self._parts(move)
        x = self._place.x + latents
        self._space.settle(x)
        moved = [level + part for level, part in zip(self._moving, noise, strict=True)]
        return self._at(x, self._tangent.settled(moved) if moved else self._noise, derivatives)

    def _parts(self, move: Tensor) -> Vector:
        """Return what a move [D] means for latents and maps: those stay on their surface."""
        like = [self._place.x, *self._moving]
        parts = move.split([part.numel() for part in like])
        x, *noise = (part.view_as(one) for part, one in zip(parts, like, strict=True))
        return [x * self._scale, *self._tangent(noise)]

    def _flat(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the gradient by a move [D] from those by latents and maps."""
        x, *noise = gradients
        parts = [x * self._scale, *self._tangent(noise)]
        return torch.cat([part.reshape(-1) for part in parts])

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

    def _at(self, x: Tensor, noise: list[Tensor], derivatives: bool = False) -> _Place:
        if not derivatives:
            with torch.no_grad():
                return self._evaluated(x, noise)
        x = x.detach().requires_grad_(True)
        free = [level.detach().requires_grad_(bool(self._moving)) for level in noise]
        with torch.enable_grad(), lean_gradients():
            return self._evaluated(x, free)

    def _evaluated(self, x: Tensor, noise: list[Tensor]) -> _Place:
        images = self._setup.g.synthesis(self._ws(x), noise=noise)
        distances = self._compare(images)
        weighed, terms = self._terms(images, self._free(x))
        loss = distances + weighed
        if self._setup.settings.w_plus_pull:
            spread = row_spread(self._free(x), self._space.deviation)
            loss = loss + self._setup.settings.w_plus_pull * spread
        gradients: Sequence[Tensor] = ()
        if loss.requires_grad:
            point = [x, *noise] if self._moving else [x]
            gradients = torch.autograd.grad(loss.sum(), point, materialize_grads=True)
        with torch.no_grad():
            penalty = noise_penalty(noise) if self._moving else torch.zeros_like(distances)
            whole = loss + self._setup.settings.noise_weight * penalty
            parts = [distances, penalty, whole, *self._plain(images), *terms]
            numbers = torch.stack(parts).detach()
        still = [level.detach() for level in noise]
        return _Place(
            x.detach(), still, images.detach(), float(loss.detach()), numbers, list(gradients)
        )
