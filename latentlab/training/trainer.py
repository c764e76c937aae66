"""StyleGAN2 training as published: one iteration, and the state it changes (Karras et al. 2020)."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from latentlab.errors import NumericalError
from latentlab.networks.discriminators import StyleGAN2Discriminator
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, keyed_generator, seeded_initialisation
from latentlab.training import losses
from latentlab.training.config import TrainingConfig
from latentlab.training.data import Dataset, RealSampler

Losses = dict[str, float]  # of one iteration, by name; regularisers only where they were due


class Trainer:
    """Networks, optimisers and position of a training run.

    All randomness of an iteration derives from (seed, step), so the position is the whole
    random state: a run continued from a snapshot equals an uninterrupted one.
    """

    def __init__(
        self,
        config: TrainingConfig,
        dataset: Dataset,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.dataset, self.seed = config, dataset, seed
        self.device = torch.device(device)
        with seeded_initialisation(seed, Stream.INITIAL_WEIGHTS):
            self.generator = Generator(config.generator).to(self.device)
            self.discriminator = StyleGAN2Discriminator(config.discriminator).to(self.device)
        self.ema_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        g_interval = config.path_length_interval if config.path_length_weight > 0 else 0
        d_interval = config.r1_interval if config.r1_gamma > 0 else 0
        self.g_optimizer = _lazy_adam(self.generator, config.learning_rate, g_interval)
        self.d_optimizer = _lazy_adam(self.discriminator, config.learning_rate, d_interval)
        self.mean_path_length = torch.zeros([], device=self.device)
        self.reals = RealSampler(dataset, seed, config.mirror)
        self.step = 0

    @property
    def images_seen(self) -> int:
        """Real images shown to the discriminator so far."""
        return self.step * self.config.batch

    def run_step(self) -> Losses:
        """Run one iteration: G, path length, D, R1, then the average of G.

        Returns:
            The mean of each loss, before weights and intervals.

        Raises:
            ImageError, DataError: If a picture cannot be read; nothing has been changed then.
            NumericalError: If a loss or gradient is not finite; its update was not made.
        """
        rng = keyed_generator(self.device, self.seed, Stream.TRAINING_STEP, self.step)
        images, labels = self._reals()
        seen: Losses = {}
        self._train_generator(rng, seen)
        if self.config.path_length_weight > 0 and self._due(self.config.path_length_interval):
            self._regularise_path_length(rng, seen)
        self._train_discriminator(images, labels, rng, seen)
        if self.config.r1_gamma > 0 and self._due(self.config.r1_interval):
            self._regularise_r1(images, labels, seen)
        self._average_generator()
        self.step += 1
        return seen

    def _due(self, interval: int) -> bool:
        return self.step % interval == 0

    def _reals(self) -> tuple[Tensor, Tensor]:
        start = self.images_seen
        images, labels = self.reals.batch(start, self.config.batch)
        return images.to(self.device), labels.to(self.device)

    def _train_generator(self, rng: torch.Generator, seen: Losses) -> None:
        ws, labels = self._draw_ws(self.config.batch, rng)
        fakes = self.generator.synthesis(ws, "random", rng=rng)
        with _frozen(self.discriminator):
            scores = self.discriminator(fakes, labels)
        loss = losses.generator_logistic(scores).mean()
        self._update(self.g_optimizer, loss, "g_loss")
        seen["g_loss"] = loss.item()

    def _regularise_path_length(self, rng: torch.Generator, seen: Losses) -> None:
        config = self.config
        ws, _ = self._draw_ws(max(config.batch // config.path_length_batch_shrink, 1), rng)
        fakes = self.generator.synthesis(ws, "random", rng=rng)
        noise = torch.randn(fakes.shape, generator=rng, device=self.device)
        lengths = losses.path_lengths(fakes, ws, noise)
        penalty, mean_length = losses.path_length_penalty(
            lengths, self.mean_path_length, config.path_length_decay
        )
        loss = penalty.mean() * config.path_length_weight * config.path_length_interval
        self._update(self.g_optimizer, loss, "path_length_penalty")
        self.mean_path_length = mean_length
        seen["path_length"] = lengths.mean().item()
        seen["path_length_penalty"] = penalty.mean().item()

    def _train_discriminator(
        self, images: Tensor, labels: Tensor, rng: torch.Generator, seen: Losses
    ) -> None:
        with torch.no_grad():
            ws, fake_labels = self._draw_ws(self.config.batch, rng)
            fakes = self.generator.synthesis(ws, "random", rng=rng)
        fake_scores = self.discriminator(fakes, fake_labels)
        real_scores = self.discriminator(images, labels)
        loss = losses.discriminator_logistic(real_scores, fake_scores).mean()
        self._update(self.d_optimizer, loss, "d_loss")
        seen["d_loss"] = loss.item()
        seen["real_score"] = real_scores.mean().item()
        seen["fake_score"] = fake_scores.mean().item()

    def _regularise_r1(self, images: Tensor, labels: Tensor, seen: Losses) -> None:
        images = images.detach().requires_grad_(True)
        penalty = losses.r1_penalty(self.discriminator(images, labels), images)
        loss = penalty.mean() * (self.config.r1_gamma / 2) * self.config.r1_interval
        self._update(self.d_optimizer, loss, "r1_penalty")
        seen["r1_penalty"] = penalty.mean().item()

    def _draw_ws(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Map random z to ws with style mixing, and move the mean of w; labels are the data's."""
        labels = self._draw_labels(count, rng)
        mapping, config, num_ws = self.generator.mapping, self.config, self.generator.num_ws
        ws = mapping(self._draw_z(count, rng), labels)
        mapping.w_avg.copy_(ws[:, 0].detach().mean(dim=0).lerp(mapping.w_avg, config.w_mean_decay))
        coin = torch.rand([], generator=rng, device=self.device).item()
        if coin < config.mixing_probability and num_ws > 1:
            cut = int(torch.randint(1, num_ws, [], generator=rng, device=self.device).item())
            other = mapping(self._draw_z(count, rng), labels)
            ws = torch.cat([ws[:, :cut], other[:, cut:]], dim=1)
        return ws, labels

    def _draw_z(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn([count, self.generator.z_dim], generator=rng, device=self.device)

    def _draw_labels(self, count: int, rng: torch.Generator) -> Tensor:
        if self.dataset.c_dim == 0:
            return torch.zeros([count, 0], device=self.device)
        index = torch.randint(len(self.dataset), [count], generator=rng, device=self.device)
        return torch.stack([self.dataset.label(int(i)) for i in index]).to(self.device)

    def _update(self, optimizer: torch.optim.Adam, loss: Tensor, name: str) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        size = torch.nn.utils.get_total_norm(gradients)
        if not bool(torch.isfinite(loss) & torch.isfinite(size)):
            raise NumericalError(
                f"training step {self.step}: {name} is {loss.item()} and the norm of its gradient "
                f"{size.item()}; lower the learning rate or raise gamma, and continue from the "
                "last snapshot"
            )
        optimizer.step()

    @torch.no_grad()
    def _average_generator(self) -> None:
        """Move the averaged generator towards G; buffers are copied."""
        beta = 0.5 ** (self.config.batch / max(self.config.ema_kimg * 1000, 1e-8))
        now = dict(self.generator.named_parameters())
        for name, average in self.ema_generator.named_parameters():
            average.copy_(now[name].lerp(average, beta))
        buffers = dict(self.generator.named_buffers())
        for name, copied in self.ema_generator.named_buffers():
            copied.copy_(buffers[name])


def _lazy_adam(network: nn.Module, learning_rate: float, interval: int) -> torch.optim.Adam:
    """Adam with beta 0 and 0.99, corrected for a regulariser that is due every ``interval`` steps.

    The correction k/(k+1) keeps the learning rate and memory per pass over the main loss the same
    (appendix B, Karras et al. 2020). ``interval`` 0 means no lazy regulariser.
    """
    share = interval / (interval + 1) if interval else 1.0
    return torch.optim.Adam(
        network.parameters(), lr=learning_rate * share, betas=(0.0**share, 0.99**share), eps=1e-8
    )


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Leave a network's weights out of the gradient computation."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
