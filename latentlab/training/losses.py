"""The loss terms of training, each a pure function with one value for each sample."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_logistic(fake_scores: Tensor) -> Tensor:
    """Non-saturating logistic loss of G: -log sigmoid(D(G(z))) (Goodfellow et al. 2014)."""
    return F.softplus(-fake_scores)


def discriminator_logistic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Logistic loss of the discriminator: -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z))))."""
    return F.softplus(-real_scores) + F.softplus(fake_scores)


def generator_wasserstein(fake_scores: Tensor) -> Tensor:
    """Wasserstein loss of G (Arjovsky et al. 2017): the negative score of its images."""
    return -fake_scores


def discriminator_wasserstein(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Wasserstein loss of the discriminator (Arjovsky et al. 2017)."""
    return fake_scores - real_scores


def gradient_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """Squared deviation of the gradient's norm from one (Gulrajani et al. 2017).

    As ``r1_penalty``, but for images between real and generated ones.
    """
    return (r1_penalty(scores, images).sqrt() - 1).square()


def r1_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """Squared norm of the gradient of the scores to real images (Mescheder et al. 2018).

    Args:
        scores: Scores [N,1] computed from ``images``.
        images: Images [N,C,H,W] that require a gradient.

    Returns:
        Penalties [N], to be multiplied by gamma / 2; differentiable.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().sum(dim=[1, 2, 3])


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Length of the Jacobian's product with a random image (Eq. 4, Karras et al. 2020).

    The noise is scaled by 1/sqrt(H W), so that lengths do not depend on the resolution.

    Args:
        images: Images [N,C,H,W] synthesised from ``ws``.
        ws: Latents [N,num_ws,w_dim] that require a gradient.
        noise: Standard normal noise of the images' shape.

    Returns:
        Lengths [N]: sqrt of the mean over layers of the squared gradient norm; differentiable.
    """
    scaled = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * scaled).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(
    lengths: Tensor, mean_length: Tensor, decay: float = 0.01, batch_mean: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Squared deviation of lengths from their running mean (Eq. 4, Karras et al. 2020).

    Args:
        lengths: Lengths [N] of this batch.
        mean_length: Running mean before this batch, a scalar.
        decay: Weight of this batch in the running mean.
        batch_mean: Mean of its lengths, where they are only some of them; differentiable.

    Returns:
        Penalties [N], and the running mean after this batch, which the penalties already use.
    """
    batch_mean = lengths.mean() if batch_mean is None else batch_mean
    mean_length = mean_length.lerp(batch_mean, decay)
    return (lengths - mean_length).square(), mean_length.detach()
