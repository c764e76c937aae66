import numpy as np
import pytest
import torch

from latentlab.training.objective import Batch, discriminator_objective, generator_objective
from tests.training.trainers import tiny_config


def draw(seed, shape=(6, 1, 4, 4)):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def no_labels(images):
    return Batch(images, torch.zeros(len(images), 0))


def quadratic(images, labels):
    """Scores whose gradient is the image itself."""
    return images.square().sum(dim=[1, 2, 3])[:, None] / 2


def linear(images, labels):
    return images.sum(dim=[1, 2, 3])[:, None] * 0.1  # the gradient's norm is 0.1 * 4


def objective(config, discriminator, reals, fakes, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return discriminator_objective(config, discriminator, no_labels(reals), no_labels(fakes), rng)


def test_eager_r1_is_part_of_the_loss():
    config = tiny_config("stylegan1", r1_gamma=3.0)
    reals, fakes = draw(0) * 0.1, draw(1) * 0.1
    total, terms = objective(config, quadratic, reals, fakes)
    real, fake = (quadratic(x, None).numpy() for x in (reals, fakes))
    main = (np.log1p(np.exp(-real)) + np.log1p(np.exp(fake))).mean()
    r1 = reals.square().sum(dim=[1, 2, 3]).mean().item()
    assert total.item() == pytest.approx(main + 3.0 / 2 * r1)
    assert terms == pytest.approx(
        {"d_loss": main, "real_score": real.mean(), "fake_score": fake.mean(), "r1_penalty": r1}
    )


def test_lazy_r1_is_not():
    total, terms = objective(tiny_config("stylegan2-c"), quadratic, draw(0), draw(1))
    assert total.item() == pytest.approx(terms["d_loss"])
    assert "r1_penalty" not in terms


def test_the_wasserstein_objective_of_a_linear_discriminator_is_known():
    config = tiny_config("progan")
    reals, fakes = draw(0), draw(1)
    total, terms = objective(config, linear, reals, fakes)
    real, fake = (linear(x, None) for x in (reals, fakes))
    assert terms["d_loss"] == pytest.approx((fake - real).mean().item())
    assert terms["gradient_penalty"] == pytest.approx((0.4 - 1) ** 2)
    drift = real.square().mean().item()
    expected = (fake - real).mean().item() + 10 * 0.36 + 0.001 * drift
    assert total.item() == pytest.approx(expected)


def test_the_penalised_images_lie_uniformly_between_reals_and_fakes():
    seen = []

    def discriminator(images, labels):
        if images.requires_grad:
            seen.append(images.detach())
        return quadratic(images, labels)

    zeros, ones = torch.zeros(2000, 1, 4, 4), torch.ones(2000, 1, 4, 4)
    _, terms = objective(tiny_config("progan"), discriminator, zeros, ones)
    share = seen[0][:, 0, 0, 0]
    assert torch.equal(seen[0], share[:, None, None, None].expand_as(ones))  # one share an image
    # A sixth decile that is off by four standard errors of 2000 draws would be noticed.
    deciles = torch.quantile(share, torch.linspace(0.1, 0.9, 9))
    torch.testing.assert_close(deciles, torch.linspace(0.1, 0.9, 9), rtol=0, atol=0.045)
    expected = (4 * share - 1).square().mean().item()  # the norm of 16 equal pixels
    assert terms["gradient_penalty"] == pytest.approx(expected, rel=1e-5)


def test_the_generator_minimises_the_loss_of_its_config():
    scores = draw(0, [5, 1])
    logistic = generator_objective(tiny_config("stylegan1"), scores)
    assert logistic.item() == pytest.approx(np.log1p(np.exp(-scores.numpy())).mean())
    wasserstein = generator_objective(tiny_config("progan"), scores)
    assert wasserstein.item() == pytest.approx(-scores.mean().item())


@pytest.mark.parametrize("name", ["stylegan1", "progan"])
def test_the_objective_has_gradients_to_the_discriminator_alone(name):
    weight = torch.ones(1, 4, 4, dtype=torch.float64, requires_grad=True)
    reals, fakes = draw(0), draw(1)

    def discriminator(images, labels):
        return (images * weight).square().sum(dim=[1, 2, 3])[:, None]

    total, _ = objective(tiny_config(name), discriminator, reals, fakes)
    total.backward()
    assert bool((weight.grad != 0).all())
    assert reals.grad is fakes.grad is None
    assert not reals.requires_grad
