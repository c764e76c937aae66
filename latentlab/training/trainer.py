"""One iteration of training, and the state it changes.

Karras et al. 2018 (Progressive GAN), 2019 (StyleGAN) and 2020 (StyleGAN2).
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from latentlab import distributed
from latentlab.checkpoints.assemble import build_network
from latentlab.datasets.pictures import Dataset
from latentlab.errors import DataError, ImageError, NumericalError
from latentlab.networks.convolutions.differentiable import for_training
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, keyed_generator, seeded_initialisation
from latentlab.training import losses
from latentlab.training.config import TrainingConfig
from latentlab.training.objective import Batch, Losses, discriminator_objective, generator_objective
from latentlab.training.origin import Origin
from latentlab.training.parallel import Rows, add_up_gradients, add_up_numbers, check_batches
from latentlab.training.samplers import FakeSampler, RealSampler
from latentlab.training.schedule import Phase, faded

__all__ = ["Losses", "Trainer"]


class Trainer:
    """Networks, optimisers and position of a training run.

    It starts from random weights, or from those of ``origin``, for which ``config`` must have
    been made. All randomness of an iteration derives from (seed, step), so the position is the
    whole random state: a run continued from a snapshot equals an uninterrupted one.

    Several processes have the same networks, and share every batch; all must call ``run_step``.

    Attributes:
        step: Iterations done.
        images_seen: Real images shown to the discriminator.
    """

    def __init__(
        self,
        config: TrainingConfig,
        dataset: Dataset,
        seed: int = 0,
        device: torch.device | str = "cpu",
        origin: Origin | None = None,
    ) -> None:
        check_batches(config)
        self.config, self.dataset, self.seed = config, dataset, seed
        self.device = torch.device(device)
        self.origin_sha256 = None if origin is None else origin.sha256
        with seeded_initialisation(seed, Stream.INITIAL_WEIGHTS):
            self.generator = cast(Generator, build_network(config.generator)).to(self.device)
            discriminator = cast(Discriminator, build_network(config.discriminator))
            self.discriminator = discriminator.to(self.device)
        for network in (self.generator, self.discriminator):
            # As convolutions on the CPU take them; otherwise, each call makes a copy of its own.
            network.to(memory_format=torch.channels_last)
        self.ema_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        if origin is not None:
            self.generator.load_state_dict(origin.generator.state_dict())
            self.ema_generator.load_state_dict(origin.ema_generator.state_dict())
            self.discriminator.load_state_dict(origin.discriminator.state_dict())
        lazy_r1 = config.r1_gamma > 0 and config.r1_interval > 1
        self._d_share = _main_share(config.r1_interval if lazy_r1 else 0)
        has_lengths = config.path_length_weight > 0
        self._g_share = _main_share(config.path_length_interval if has_lengths else 0)
        self.g_optimizer = _adam(self.generator, config.learning_rate, self._g_share)
        self.d_optimizer = _adam(self.discriminator, config.learning_rate, self._d_share)
        self.mean_path_length = torch.zeros([], device=self.device)
        self.reals = RealSampler(dataset, seed, config.mirror)
        self.fakes = FakeSampler(self.generator, config, dataset, self.device)
        self.step = self.images_seen = 0
        # What differs from the runs that it continues, each said as "name: before, now".
        self.departures: list[str] = []

    @property
    def lod(self) -> float:
        """What the networks have left to grow."""
        return self.discriminator.lod.item() if self.discriminator.growing else 0.0

    @for_training()
    def run_step(self) -> Losses:
        """Run one iteration.

        StyleGAN2: G, path length, D, R1, then the average of G. Before: D, the average, G.

        Returns:
            The mean of each loss, before weights and intervals.

        Raises:
            ImageError, DataError: If any process cannot read a picture; nothing has changed then.
            NumericalError: If a loss or gradient is not finite; its update was not made.
        """
        phase = self.config.phase(self.images_seen)
        rng = keyed_generator(self.device, self.seed, Stream.TRAINING_STEP, self.step)
        reals = self._reals(phase)
        self._enter(phase)
        seen: Losses = {}
        if self.config.discriminator_first:
            self._train_discriminator(phase, reals, rng, seen)
            self._average_generator(phase)
            self._train_generator(phase, rng, seen)
        else:
            self._train_generator(phase, rng, seen)
            self._train_discriminator(phase, reals, rng, seen)
            self._average_generator(phase)
        self.step += 1
        self.images_seen += phase.batch
        return add_up_numbers(seen)

    def _reals(self, phase: Phase) -> Batch:
        with distributed.failing_together(ImageError, DataError):
            images, labels = self.reals.batch(self.images_seen, phase.batch)
        return Batch(faded(images.to(self.device), phase.lod), labels.to(self.device))

    def _enter(self, phase: Phase) -> None:
        """Bring networks and optimisers to the place in the schedule.

        Whenever blending begins or ends, the optimisers forget their moments, as published.
        """
        before = self.lod
        for network in (self.generator.synthesis, self.ema_generator.synthesis, self.discriminator):
            if network.growing:
                network.set_lod(phase.lod)
        if self.config.growth is None:
            return
        rounded = [(math.floor(lod), math.ceil(lod)) for lod in (before, self.lod)]
        optimizers = (self.g_optimizer, self._g_share), (self.d_optimizer, self._d_share)
        for optimizer, share in optimizers:
            if rounded[0] != rounded[1]:
                optimizer.state.clear()
            for group in optimizer.param_groups:
                group["lr"] = phase.learning_rate * share

    def _train_generator(self, phase: Phase, rng: torch.Generator, seen: Losses) -> None:
        rows = Rows(phase.batch)
        fakes, labels = self.fakes.images(rows.count, rng)
        with _frozen(self.discriminator):
            scores = self.discriminator(fakes, labels)
        loss = rows.part(generator_objective(self.config, scores))
        self._update(self.g_optimizer, loss, "g_loss")
        seen["g_loss"] = loss.item()
        if self.config.path_length_weight > 0 and self.step % self.config.path_length_interval == 0:
            self._regularise_path_length(phase, rng, seen)

    def _regularise_path_length(self, phase: Phase, rng: torch.Generator, seen: Losses) -> None:
        config = self.config
        rows = Rows(max(phase.batch // config.path_length_batch_shrink, 1))
        ws, _ = self.fakes.ws(rows.count, rng)
        if not ws.requires_grad:  # no weight stands before w in a mapping without layers
            ws.requires_grad_(True)
        fakes = self.fakes.synthesise(ws, rows, rng)
        shape = [rows.count, *fakes.shape[1:]]
        noise = rows.of(torch.randn(shape, generator=rng, device=self.device))
        lengths = losses.path_lengths(fakes, ws, noise)
        penalty, mean_length = losses.path_length_penalty(
            lengths, self.mean_path_length, config.path_length_decay, rows.mean(lengths)
        )
        loss = penalty.mean() * config.path_length_weight * config.path_length_interval
        self._update(self.g_optimizer, rows.part(loss), "path_length_penalty")
        self.mean_path_length = mean_length
        seen["path_length"] = rows.part(lengths.mean()).item()
        seen["path_length_penalty"] = rows.part(penalty.mean()).item()

    def _train_discriminator(
        self, phase: Phase, reals: Batch, rng: torch.Generator, seen: Losses
    ) -> None:
        config, rows = self.config, Rows(phase.batch)
        labels = reals.labels if config.loss == "wgan-gp" else None
        with torch.no_grad():
            fakes = Batch(*self.fakes.images(rows.count, rng, labels))
        loss, terms = discriminator_objective(config, self.discriminator, reals, fakes, rng)
        self._update(self.d_optimizer, rows.part(loss), "d_loss")
        seen.update({name: term * rows.weight for name, term in terms.items()})
        if self._d_share < 1 and self.step % config.r1_interval == 0:
            self._regularise_r1(rows, reals, seen)

    def _regularise_r1(self, rows: Rows, reals: Batch, seen: Losses) -> None:
        images = reals.images.detach().requires_grad_(True)
        penalty = losses.r1_penalty(self.discriminator(images, reals.labels), images)
        loss = penalty.mean() * (self.config.r1_gamma / 2) * self.config.r1_interval
        self._update(self.d_optimizer, rows.part(loss), "r1_penalty")
        seen["r1_penalty"] = rows.part(penalty.mean()).item()

    def _update(self, optimizer: torch.optim.Adam, loss: Tensor, name: str) -> None:
        """Make an update from this process's part of a loss, and all the others' parts."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        loss = add_up_gradients(gradients, loss)
        size = torch.nn.utils.get_total_norm(gradients)
        if not bool(torch.isfinite(loss) & torch.isfinite(size)):
            raise NumericalError(
                f"training step {self.step}: {name} is {loss.item()} and the norm of its gradient "
                f"{size.item()}",
                advice=[
                    "continue from the last snapshot in another folder, with a lower "
                    "`learning_rate`",
                    "with a higher `gamma`",
                ],
            )
        optimizer.step()

    @torch.no_grad()
    def _average_generator(self, phase: Phase) -> None:
        """Move the averaged generator towards G; buffers are copied."""
        beta = self.config.ema_decay
        if beta is None:
            beta = 0.5 ** (phase.batch / max(self.config.ema_kimg * 1000, 1e-8))
        averages: list[Tensor] = list(self.ema_generator.parameters())
        now: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averages, now, 1 - beta)
        buffers = dict(self.generator.named_buffers())
        for name, copied in self.ema_generator.named_buffers():
            copied.copy_(buffers[name])


def _main_share(interval: int) -> float:
    """Share k/(k+1) of the main loss in all updates, for a lazy regulariser every k iterations.

    As an exponent or factor of Adam's settings it keeps learning rate and memory per pass over
    the main loss the same (appendix B, Karras et al. 2020). ``interval`` 0: no regulariser.
    """
    return interval / (interval + 1) if interval else 1.0


def _adam(network: nn.Module, learning_rate: float, share: float) -> torch.optim.Adam:
    """Adam with beta 0 and 0.99, corrected for the share of the main loss."""
    return torch.optim.Adam(
        network.parameters(),
        lr=learning_rate * share,
        betas=(0.0**share, 0.99**share),
        eps=1e-8,
        fused=True,  # one pass over each weight instead of eight
    )


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Leave a network's weights out of the gradient computation."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
