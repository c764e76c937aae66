"""The optimisation inside a projection, for one batch of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from latentlab.networks.generator import Generator
from latentlab.networks.modulated.lean import lean_gradients
from latentlab.numerics import may_look
from latentlab.projection.noise import Draws, noise_penalty, normalise_noise
from latentlab.projection.result import GIVEN, MEAN_W, Projection, history_frame
from latentlab.projection.settings import ProjectorSettings
from latentlab.projection.start import ProjectionStart, StartSearch
from latentlab.projection.targets import TargetFeatures, check_losses
from latentlab.projection.terms import Identity, Terms

Observer = Callable[[int, Tensor], None]  # a step, and the images [N,C,R,R] rendered at it
OnDivergence = Literal["raise", "keep"]
_Rendered = tuple[Tensor, list[Tensor], Tensor, Tensor]  # ws, noise maps, images, distances


@dataclass(frozen=True)
class Setup:
    """What all batches of a projection share."""

    g: Generator
    settings: ProjectorSettings
    search: StartSearch
    draws: Draws
    on_divergence: OnDivergence
    observer: Observer | None
    identity: Identity | None = None


class Optimisation:
    """The state of an optimisation: latents, noise maps, Adam, and the losses so far."""

    def __init__(
        self, setup: Setup, wanted: TargetFeatures, start: ProjectionStart | None = None
    ) -> None:
        """Place latents and noise where they start."""
        g, settings, search = setup.g, setup.settings, setup.search
        self._setup, self._compare, self._goes_on = setup, wanted, start is not None
        self._space = search.space
        count, rows = len(wanted.targets), g.num_ws if settings.space == "w+" else 1
        if start is None:
            self._index = search.closest_index(wanted)
            first = search.latents(self._index)[:, None].expand(-1, rows, -1)
            given = None
        else:
            self._index = torch.full([count], GIVEN, device=start.ws.device)
            first, given = start.ws[:, :rows], start.noise
        self._labels = search.labels(self._index) if settings.space == "z" else None
        maps = given or [level.expand(count, -1, -1, -1) for level in _first_noise(setup)]
        self._x = first.clone().requires_grad_(True)
        # The regulariser and the renormalisation are for white noise: other maps stay as they are.
        moves = getattr(g.synthesis, "normal_noise", True)
        self._noise = [level.clone().requires_grad_(moves) for level in maps]
        self._moving = self._noise if moves else []
        self._terms = Terms(settings, wanted, setup.identity, search.whitening)
        self._trace: list[Tensor] = []
        self._unseen: list[tuple[int, Tensor]] = []  # steps, and their losses
        with torch.no_grad():
            self._start = wanted.both(g.synthesis(self._ws(self._x), noise=given))
            self._mean = self._start
            if bool((self._index != MEAN_W).any()):
                self._mean = self._of_mean_image(count)
        self._best = _Best(self._x, self._noise) if setup.on_divergence == "keep" else None
        self._prepare()

    def _prepare(self) -> None:
        """Make ready what the first step needs."""
        self._adam = torch.optim.Adam([self._x, *self._moving], betas=(0.9, 0.999))

    def run_step(self, step: int) -> Tensor:
        """Move latents and noise once; returns the distances [N] before the move."""
        setup, settings, x, noise = self._setup, self._setup.settings, self._x, self._noise
        # Noise helps to leave a far start; of latents that are close already it undoes much.
        spread = self._space.deviation * (0.0 if self._goes_on else settings.w_noise_at(step))
        jittered = x + setup.draws.w(step, (1, *x.shape[1:])).to(x) * spread
        with lean_gradients():
            rendered = setup.g.synthesis(self._ws(jittered), noise=noise)
        distances = self._compare(rendered)
        moving, free = self._moving, self._free(x)
        penalty = self._penalty(distances)
        weighed, terms = self._terms(rendered, free)
        loss = distances + settings.noise_weight * penalty + weighed
        if settings.w_plus_pull:
            loss = loss + settings.w_plus_pull * row_spread(free, self._space.deviation)
        numbers = torch.stack([distances, penalty, loss, *self._plain(rendered), *terms]).detach()
        if self._best is None:
            self._unseen.append((step, loss.detach()))
            if may_look(loss.device, step):
                self._look()
        else:
            seen = jittered.detach().clone()
            self._space.settle(seen)
            numbers = self._best.update(seen, noise, numbers)
        if setup.observer is not None:
            setup.observer(step, rendered.detach())
        self._adam.param_groups[0]["lr"] = settings.learning_rate_at(step)
        self._adam.zero_grad(set_to_none=True)
        loss.sum().backward(inputs=[x, *moving])
        self._adam.step()
        self._space.settle(x)
        normalise_noise(moving)
        if self._best is not None:
            self._best.restore(x, noise, self._best.diverged)
        self._trace.append(numbers)
        return numbers[0]

    @property
    def finished(self) -> bool:
        """Whether no image is left to go on with."""
        looks = self._best is not None and may_look(self._x.device, len(self._trace) - 1)
        return looks and self._best is not None and bool(self._best.diverged.all())

    def _look(self) -> None:
        """Raise NumericalError for the first loss that is not finite."""
        for step, loss in self._unseen:
            check_losses(loss, f"projection step {step}")
        self._unseen.clear()

    @torch.no_grad()
    def result(self) -> Projection:
        """Render the final latents with the final noise and compare once more."""
        ws, noise, images, distance = self._rendered()
        diverged = torch.zeros_like(distance, dtype=torch.bool)
        if self._best is not None:
            self._best.leaves(distance)  # the last step may be one too many
            diverged = self._best.diverged
            poor = diverged | ~(distance < self._start[0])
            if self._trace and bool(poor.any()):
                ws, noise, images, distance = self._better_of_both(self._best, poor, distance)
        else:
            self._look()
            check_losses(distance, f"projection step {self._setup.settings.steps}")
        history = history_frame(self._numbers(), self._columns(), self._setup.settings)
        start, mean = self._start, self._mean
        plain = self._plain(images)[0] if self._compare.masks is not None else distance
        return Projection(
            ws, noise, images, distance, start[0], history, self._setup.settings, diverged,
            mean[0], self._index, plain, start[1], mean[1],
            self._x.detach()[:, 0].clone() if self._setup.settings.space == "z" else None,
        )  # fmt: skip

    def _penalty(self, distances: Tensor) -> Tensor:
        """Return the penalty of the noise maps that move [N]."""
        return noise_penalty(self._moving) if self._moving else torch.zeros_like(distances)

    def _free(self, x: Tensor) -> Tensor:
        """Return x without a row that an anchor holds: it is not seen, whatever is left there."""
        held = self._setup.g.synthesis.placing_rows if self._setup.settings.anchor else 0
        return x[:, held:]

    def _columns(self) -> list[str]:
        """Return what the history calls the numbers of a step."""
        plain = [] if self._compare.masks is None else ["plain_distance"]
        return ["distance", "noise_penalty", "loss", *plain, *self._terms.names]

    def _numbers(self) -> Tensor:
        """Return the losses [steps,columns,N] so far."""
        empty = torch.empty(0, len(self._columns()), len(self._compare.targets))
        return torch.stack(self._trace).cpu() if self._trace else empty

    def _of_mean_image(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the distances of the image of the mean w; NaN where there is no W."""
        mean, g = self._space.mean, self._setup.g
        if mean is None:
            unknown = torch.full_like(self._start[0], torch.nan)
            return unknown, unknown
        return self._compare.both(g.synthesis(mean.expand(count, g.num_ws, -1)))

    @torch.no_grad()
    def _plain(self, images: Tensor) -> list[Tensor]:
        """Return the distances [N] of the whole images where masks make others of them."""
        return [] if self._compare.masks is None else [self._compare.whole(images)]

    def _better_of_both(self, best: "_Best", poor: Tensor, distance: Tensor) -> _Rendered:
        """Put images that came no closer than their start back to their best, if that is better."""
        state = [self._x, *self._noise]
        last = [level.detach().clone() for level in state]
        best.restore(self._x, self._noise, poor)
        restored = self._rendered()
        worse = poor & (restored[-1] > distance)
        if not bool(worse.any()):
            return restored
        for now, before in zip(state, last, strict=True):
            now[worse] = before[worse]
        return self._rendered()

    def _rendered(self) -> _Rendered:
        ws = self._ws(self._x.detach()).contiguous()
        noise = [level.detach().clone() for level in self._noise]
        images = render(self._setup.g, ws, noise)
        return ws, noise, images, self._compare(images)

    def _ws(self, x: Tensor) -> Tensor:
        return self._space.ws(x, self._labels)


def _first_noise(setup: Setup) -> Sequence[Tensor]:
    """Return the maps [1,1,h,w] that optimisation starts from; without any, the generator's own."""
    if setup.settings.steps > 0:
        return setup.search.noise
    return [layer.noise_const[None, None] for layer in setup.g.synthesis.noise_layers]


class _Best:
    """The latents of each image with the lowest loss so far, for those that get no closer."""

    def __init__(self, x: Tensor, noise: Sequence[Tensor]) -> None:
        self._values = [level.detach().clone() for level in (x, *noise)]
        self._loss = x.new_full([len(x)], torch.inf)
        self.diverged = torch.zeros(len(x), dtype=torch.bool, device=x.device)

    def update(self, x: Tensor, noise: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Take note of a step's numbers [columns,N]; returns them with NaN for diverged images."""
        loss = numbers[2]
        self.leaves(loss)
        better = ~self.diverged & (loss < self._loss)
        self._loss = loss.where(better, self._loss)
        for kept, now in zip(self._values, (x, *noise), strict=True):
            kept.copy_(now.detach().where(_rows(better, now), kept))
        return numbers.where(~self.diverged, torch.nan)

    def leaves(self, loss: Tensor) -> None:
        """Take note of the images whose losses [N] became NaN or infinite."""
        self.diverged = self.diverged | ~torch.isfinite(loss)

    @torch.no_grad()
    def restore(self, x: Tensor, noise: Sequence[Tensor], rows: Tensor) -> None:
        """Put ``rows`` [N] back to their best; rows are apart, so others do not notice."""
        for kept, now in zip(self._values, (x, *noise), strict=True):
            now.copy_(kept.where(_rows(rows, now), now))


def _rows(chosen: Tensor, like: Tensor) -> Tensor:
    """Return which rows [N] are chosen as [N,1,...]; indices would wait for a GPU."""
    return chosen.view(-1, *[1] * (like.ndim - 1))


def row_spread(w: Tensor, deviation: Tensor) -> Tensor:
    """Return how far rows lie apart [N]: mean over rows of |w_i - mean w_i|^2 / deviation^2."""
    apart = (w - w.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1)
    return apart / deviation.square()


@torch.no_grad()
def render(g: Generator, ws: Tensor, noise: Sequence[Tensor]) -> Tensor:
    """Render latents [N,num_ws,w_dim] with noise maps [N,1,h,w], one image at a time.

    Image by image, so that a saved latent gives its saved image again to the last bit.
    """
    one_by_one = [
        g.synthesis(ws[i : i + 1], noise=[level[i : i + 1] for level in noise])
        for i in range(len(ws))
    ]
    return torch.cat(one_by_one)
