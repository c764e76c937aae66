"""Projection by L-BFGS (Liu and Nocedal 1989): far fewer steps, each of which must gain.

Gradients of the last steps say how the loss is curved (Nocedal and Wright 2006, "Numerical
Optimization", section 7.2), so that a step goes where Adam needs many. Latents and noise maps are
moved together; maps stay on the surface where nothing is to be penalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.networks.modulated.lean import lean_gradients
from latentlab.projection.noise import noise_penalty
from latentlab.projection.quasi_newton import QuasiNewton
from latentlab.projection.search import Optimisation, row_spread
from latentlab.projection.targets import check_losses
from latentlab.projection.uncorrelated import Tangent, uncorrelated

_TRIALS = 8  # of a step that gains nothing, ever shorter
_ENOUGH = 1e-4  # share of the gain along the slope that makes a trial a step
_SHORTER = 0.1, 0.5  # bounds of a trial's length, in lengths of the one before


@dataclass(frozen=True)
class _Place:
    """A point, the images [1,C,R,R] rendered there, its loss, and what the history says.

    The loss is without the penalty of the noise maps, which is 0 but for rounding; its gradients
    are those by latents and moving maps.
    """

    x: Tensor
    noise: list[Tensor]
    images: Tensor
    loss: float
    numbers: Tensor
    gradients: Sequence[Tensor]


class LimitedMemory(Optimisation):
    """The optimisation of one image; a batch of them is as many optimisations."""

    def _prepare(self) -> None:
        self._stuck, self._taught = False, QuasiNewton()
        # Latents count in their deviations: a move is as long in them as in the maps.
        self._scale = float(self._space.deviation) / self._x.shape[2] ** 0.5
        if self._moving and self._setup.settings.steps > 0:
            self._noise = self._moving = uncorrelated(self._noise)
        self._tangent = Tangent(self._moving)
        self._place = self._at(self._x.detach(), self._noise)

    def run_step(self, step: int) -> Tensor:
        """Move latents and noise once; returns the distance [1] before the move."""
        place, setup = self._place, self._setup
        if setup.observer is not None:
            setup.observer(step, place.images)
        if self._best is None:
            check_losses(place.numbers[2], f"projection step {step}")
        else:
            self._best.leaves(place.numbers[2])
        size = 0.0 if self.finished else self._move()
        self._trace.append(torch.cat([place.numbers, place.numbers.new_full((1, 1), size)]).cpu())
        return place.numbers[0]

    @property
    def finished(self) -> bool:
        """Whether no step gains anything any more, or the image is left."""
        return super().finished or self._stuck

    def _columns(self) -> list[str]:
        return [*super()._columns(), "step_size"]

    def _move(self) -> float:
        """Take a step, as short as it must be to gain; returns its share of the suggested one."""
        place = self._place
        gradient = self._flat(place.gradients)
        move = self._taught.direction(gradient)
        slope, size = float(torch.dot(gradient, move)), 1.0
        for _ in range(_TRIALS if slope < 0 else 0):
            found = self._moved(size * move)
            foreseen = -size * slope
            if place.loss - found.loss > _ENOUGH * foreseen:
                self._take(found)
                self._taught.learn(size * move, self._flat(found.gradients) - gradient)
                return size
            # The lowest point of the parabola through both losses and the slope.
            lowest = foreseen / (2 * (found.loss - place.loss + foreseen))
            size *= max(_SHORTER[0], min(_SHORTER[1], lowest))
        self._stuck = not self._taught
        self._taught.forget()
        return 0.0

    def _take(self, place: _Place) -> None:
        self._place = place
        self._x, self._noise = place.x, place.noise
        if self._moving:
            self._moving = self._noise
            self._tangent = Tangent(self._moving)

    def _moved(self, move: Tensor) -> _Place:
        """Return the point that lies a move [D] away."""
        latents, *noise = self._parts(move)
        x = self._place.x + latents
        self._space.settle(x)
        moved = [level + part for level, part in zip(self._moving, noise, strict=True)]
        return self._at(x, self._tangent.settled(moved) if moved else self._noise)

    def _parts(self, move: Tensor) -> list[Tensor]:
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

    def _at(self, x: Tensor, noise: list[Tensor]) -> _Place:
        x = x.detach().requires_grad_(True)
        free = [level.detach().requires_grad_(bool(self._moving)) for level in noise]
        with lean_gradients():
            images = self._setup.g.synthesis(self._ws(x), noise=free)
        distances = self._compare(images)
        weighed, terms = self._terms(images, self._free(x))
        loss = distances + weighed
        if self._setup.settings.w_plus_pull:
            spread = row_spread(self._free(x), self._space.deviation)
            loss = loss + self._setup.settings.w_plus_pull * spread
        point = [x, *free] if self._moving else [x]
        gradients = torch.autograd.grad(loss.sum(), point, materialize_grads=True)
        with torch.no_grad():
            penalty = noise_penalty(free) if self._moving else torch.zeros_like(distances)
            whole = loss + self._setup.settings.noise_weight * penalty
            parts = [distances, penalty, whole, *self._plain(images), *terms]
            numbers = torch.stack(parts).detach()
        return _Place(x.detach(), noise, images.detach(), float(loss.detach()), numbers, gradients)
