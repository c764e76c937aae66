"""What the optimisers minimise: the terms of each loss with their weights, as one scalar."""

from typing import NamedTuple

import torch
from torch import Tensor

from latentlab import distributed
from latentlab.networks.discriminators import Discriminator
from latentlab.training import losses
from latentlab.training.config import TrainingConfig
from latentlab.training.parallel import Rows

Losses = dict[str, float]  # of one iteration, by name; regularisers only where they were due


class Batch(NamedTuple):
    """Images [N,C,R,R] and their labels [N,c_dim]."""

    images: Tensor
    labels: Tensor


def generator_objective(config: TrainingConfig, scores: Tensor) -> Tensor:
    """Return what G minimises, from D's scores [N,1] of its images."""
    wasserstein = config.loss == "wgan-gp"
    loss = losses.generator_wasserstein if wasserstein else losses.generator_logistic
    return loss(scores).mean()


def discriminator_objective(
    config: TrainingConfig,
    discriminator: Discriminator,
    reals: Batch,
    fakes: Batch,
    rng: torch.Generator,
) -> tuple[Tensor, Losses]:
    """Return what D minimises, and the mean of each term before its weight.

    With the Wasserstein loss, ``fakes`` must have the labels of ``reals``: the images between the
    two that its penalty looks at belong to both.
    """
    r1 = config.r1_gamma > 0 and config.r1_interval == 1
    images = reals.images.detach().requires_grad_(r1)
    fake_scores = discriminator(fakes.images, fakes.labels)
    real_scores = discriminator(images, reals.labels)
    wasserstein = config.loss == "wgan-gp"
    main = losses.discriminator_wasserstein if wasserstein else losses.discriminator_logistic
    total = main(real_scores, fake_scores).mean()
    terms = {"d_loss": total.item()}
    terms["real_score"] = real_scores.mean().item()
    terms["fake_score"] = fake_scores.mean().item()
    if r1:
        penalty = losses.r1_penalty(real_scores, images).mean()
        total = total + penalty * (config.r1_gamma / 2)
        terms["r1_penalty"] = penalty.item()
    if wasserstein:
        penalty = _gradient_penalty(discriminator, reals, fakes, rng)
        total = total + penalty * config.gradient_penalty_weight
        total = total + real_scores.square().mean() * config.drift_weight
        terms["gradient_penalty"] = penalty.item()
    return total, terms


def _gradient_penalty(
    discriminator: Discriminator, reals: Batch, fakes: Batch, rng: torch.Generator
) -> Tensor:
    """Mean penalty of images at random places between a real and a generated one."""
    first, second = reals.images, fakes.images
    rows = Rows(len(first) * distributed.size())
    shape = [rows.count, 1, 1, 1]
    share = torch.rand(shape, generator=rng, device=first.device, dtype=first.dtype)
    between = first.lerp(second, rows.of(share)).requires_grad_(True)
    return losses.gradient_penalty(discriminator(between, reals.labels), between).mean()
