import numpy as np
import pytest
import torch

from latentlab.training import losses
from tests.conftest import make_discriminator, make_generator

DIFFERENCE = 1e-6  # step of the numerical gradients, in float64
NUMERICAL = 1e-5  # relative: central differences of that step


def draw(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def numerical_gradient(function, x):
    """Central differences of a scalar function at x, value by value."""
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = DIFFERENCE
        step = step.reshape(x.shape)
        gradient.view(-1)[i] = (function(x + step) - function(x - step)) / (2 * DIFFERENCE)
    return gradient


def test_logistic_losses_equal_minus_log_sigmoid():
    real, fake = torch.tensor([[0.5], [-2.0]]), torch.tensor([[1.0], [3.0]])
    sigmoid = lambda x: 1 / (1 + np.exp(-x.numpy().astype(np.float64)))  # noqa: E731
    np.testing.assert_allclose(losses.generator_logistic(fake), -np.log(sigmoid(fake)), rtol=1e-6)
    expected = -np.log(sigmoid(real)) - np.log(1 - sigmoid(fake))
    np.testing.assert_allclose(losses.discriminator_logistic(real, fake), expected, rtol=1e-6)


def test_logistic_losses_stay_finite_for_extreme_scores():
    extreme = torch.tensor([[-1e4], [1e4]])
    assert losses.generator_logistic(extreme).flatten().tolist() == [1e4, 0]


def test_wasserstein_losses_are_differences_of_scores():
    real, fake = torch.tensor([[0.5], [-2.0]]), torch.tensor([[1.0], [3.0]])
    assert losses.generator_wasserstein(fake).flatten().tolist() == [-1.0, -3.0]
    assert losses.discriminator_wasserstein(real, fake).flatten().tolist() == [0.5, 5.0]


def test_gradient_penalty_of_a_linear_discriminator_is_known():
    weights = draw([3, 4, 4])
    images = draw([5, 3, 4, 4], seed=1).requires_grad_(True)
    scores = (images * weights).sum(dim=[1, 2, 3])[:, None]
    expected = (weights.norm() - 1).square().expand(5)
    torch.testing.assert_close(losses.gradient_penalty(scores, images), expected)


def test_gradient_penalty_of_a_network_equals_numerical_gradients():
    d = make_discriminator(resolution=4, channel_max=3).double()
    images = draw([2, 3, 4, 4]).requires_grad_(True)
    penalty = losses.gradient_penalty(d(images), images)
    gradient = numerical_gradient(lambda x: d(x).sum(), images.detach())
    expected = (gradient.square().sum(dim=[1, 2, 3]).sqrt() - 1).square()
    torch.testing.assert_close(penalty, expected, rtol=NUMERICAL, atol=0)


def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights():
    weights = draw([3, 4, 4])
    images = draw([5, 3, 4, 4], seed=1).requires_grad_(True)
    scores = (images * weights).sum(dim=[1, 2, 3])[:, None]
    expected = weights.square().sum().expand(5)
    torch.testing.assert_close(losses.r1_penalty(scores, images), expected)


def test_r1_of_a_network_equals_numerical_gradients():
    d = make_discriminator(resolution=4, channel_max=3).double()
    images = draw([2, 3, 4, 4]).requires_grad_(True)
    penalty = losses.r1_penalty(d(images), images)
    # Scores of a batch depend on each other: the gradient is of their sum.
    gradient = numerical_gradient(lambda x: d(x).sum(), images.detach())
    expected = gradient.square().sum(dim=[1, 2, 3])
    torch.testing.assert_close(penalty, expected, rtol=NUMERICAL, atol=0)


def test_path_length_of_a_linear_generator_is_known():
    # One layer, images = ws @ A: the gradient of <image, noise> to w is A noise.
    matrix = draw([5, 3 * 4 * 4])
    ws = draw([2, 1, 5], seed=1).requires_grad_(True)
    noise = draw([2, 3, 4, 4], seed=2)
    images = (ws[:, 0] @ matrix).reshape(2, 3, 4, 4)
    expected = (noise.reshape(2, -1) / 4) @ matrix.t()  # 4 = sqrt(H W)
    lengths = losses.path_lengths(images, ws, noise)
    torch.testing.assert_close(lengths, expected.norm(dim=1))


def test_path_length_averages_squares_over_layers():
    # Equal dependence on each of L layers gives each 1/L of the gradient.
    ws = torch.ones([1, 4, 2], dtype=torch.float64, requires_grad=True)
    images = ws.sum(dim=1).reshape(1, 2, 1, 1)
    lengths = losses.path_lengths(images, ws, torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1))
    torch.testing.assert_close(lengths, torch.tensor([5.0], dtype=torch.float64))


def test_path_length_of_a_network_equals_numerical_gradients():
    g = make_generator(resolution=4, channel_max=3).double()
    ws = draw([1, g.num_ws, g.w_dim]).requires_grad_(True)
    noise = draw([1, 3, 4, 4], seed=1)
    lengths = losses.path_lengths(g.synthesis(ws), ws, noise)
    gradient = numerical_gradient(lambda x: (g.synthesis(x) * noise).sum() / 4, ws.detach())
    expected = gradient.square().sum(dim=2).mean(dim=1).sqrt()
    torch.testing.assert_close(lengths, expected, rtol=NUMERICAL, atol=0)


def test_path_length_penalty_uses_the_mean_after_the_batch():
    lengths, before = torch.tensor([1.0, 3.0]), torch.tensor(1.0)
    penalty, after = losses.path_length_penalty(lengths, before, decay=0.1)
    assert after.item() == pytest.approx(1.1)  # 1 + 0.1 * (2 - 1)
    np.testing.assert_allclose(penalty, [0.01, 3.61], rtol=1e-5)


@pytest.mark.parametrize("penalty", ["r1_penalty", "gradient_penalty", "path length"])
def test_penalties_have_gradients_to_the_weights(penalty):
    if penalty != "path length":
        network = make_discriminator(resolution=4, channel_max=3).double().requires_grad_(True)
        images = draw([2, 3, 4, 4]).requires_grad_(True)
        weight = network.b4.conv.weight

        def value():
            return getattr(losses, penalty)(network(images), images).sum()
    else:
        network = make_generator(resolution=4, channel_max=3).double().requires_grad_(True)
        ws = draw([1, network.num_ws, network.w_dim]).requires_grad_(True)
        weight = network.synthesis.b4.conv1.weight

        def value():
            noise = draw([1, 3, 4, 4], seed=1)
            return losses.path_lengths(network.synthesis(ws), ws, noise).sum()

    (gradient,) = torch.autograd.grad(value(), weight)
    with torch.no_grad():
        direction = draw(list(weight.shape), seed=3)
        shift = DIFFERENCE * direction
    original = weight.detach().clone()
    values = []
    for sign in (1, -1):
        weight.data.copy_(original + sign * shift)
        values.append(value().item())
    expected = (values[0] - values[1]) / (2 * DIFFERENCE)
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-4)
