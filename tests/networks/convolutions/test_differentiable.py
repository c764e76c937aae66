import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from latentlab.networks import ops
from latentlab.networks.convolutions import differentiable, products, winograd
from latentlab.networks.convolutions.differentiable import conv2d, conv_transpose2d, for_training


def drawn(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_(True)


KERNEL = ops.fir_kernel([1, 3, 3, 1]).double()
CASES = {
    "same size": (lambda x, w: conv2d(x, w, padding=1), (2, 2, 4, 8), (3, 2, 3, 3)),
    "1x1": (conv2d, (2, 2, 3, 3), (3, 2, 1, 1)),
    "halved": (lambda x, w: conv2d(x, w, stride=2), (2, 2, 5, 9), (3, 2, 3, 3)),
    "halved to an odd size": (lambda x, w: conv2d(x, w, stride=2), (1, 2, 3, 7), (2, 2, 3, 3)),
    "halved, a row passed over": (lambda x, w: conv2d(x, w, stride=2), (1, 2, 6, 5), (2, 2, 3, 3)),
    "doubled": (lambda x, w: conv_transpose2d(x, w, stride=2), (1, 2, 2, 4), (2, 3, 3, 3)),
    "doubled and cut": (
        lambda x, w: conv_transpose2d(x, w, stride=2, padding=1), (1, 2, 3, 2), (2, 3, 4, 4)
    ),
    "doubled and filtered": (lambda x, w: ops.conv_up(x, w, KERNEL), (1, 2, 2, 2), (2, 2, 3, 3)),
    "filtered and halved": (lambda x, w: ops.conv_down(x, w, KERNEL), (1, 2, 4, 4), (2, 2, 3, 3)),
}  # fmt: skip


@pytest.fixture
def wide(monkeypatch):
    """With what is for wide layers, whatever their width."""
    monkeypatch.setattr(winograd, "_CHANNELS", 1)
    monkeypatch.setattr(products, "_CHANNELS", 1)
    monkeypatch.setattr(winograd, "_TILES", 1)


@pytest.mark.parametrize("case", CASES)
def test_first_and_second_derivatives(case, wide):
    apply, *shapes = CASES[case]
    inputs = [drawn(*shape, seed=i) for i, shape in enumerate(shapes)]
    with for_training():
        assert gradcheck(apply, inputs, fast_mode=True)
        assert gradgradcheck(apply, inputs, fast_mode=True)
        trained = apply(*inputs)
    torch.testing.assert_close(trained, apply(*inputs), rtol=0, atol=1e-12)


@pytest.mark.parametrize("resample", [ops.upsample, ops.downsample])
def test_derivatives_of_filters(resample):
    x = drawn(2, 3, 4, 6)
    with for_training():
        assert gradcheck(resample, [x, KERNEL], fast_mode=True)
        assert gradgradcheck(resample, [x, KERNEL], fast_mode=True)
        trained = resample(x, KERNEL)
    torch.testing.assert_close(trained, resample(x, KERNEL), rtol=0, atol=1e-12)


def test_a_penalty_of_the_gradient_is_as_torch_has_it(wide):
    """R1's way: the gradient to the image, and of its square that to the weights."""

    def gradients():
        x, first, second = drawn(2, 2, 8, 8), drawn(3, 2, 3, 3, seed=1), drawn(3, 3, 3, 3, seed=2)
        y = ops.conv_down(conv2d(x, first, padding=1).square(), second, KERNEL)
        (to_x,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(to_x.square().sum(), [x, first, second])

    with for_training():
        trained = gradients()
    for found, expected in zip(trained, gradients(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_weights_have_no_gradient_computed_where_none_is_asked_for(monkeypatch):
    asked = []
    original = differentiable._Plan.weight_gradient
    monkeypatch.setattr(
        differentiable._Plan,
        "weight_gradient",
        lambda *given: asked.append(1) or original(*given),
    )
    x, weight = drawn(1, 2, 4, 4), drawn(2, 2, 3, 3)
    with for_training():
        y = conv2d(conv2d(x, weight, padding=1), weight, padding=1)
        (to_x,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        assert not asked
        torch.autograd.grad(to_x.square().sum(), weight)
    assert asked


def test_a_result_can_be_changed_in_place(wide):
    x, weight = drawn(1, 2, 4, 4), drawn(2, 2, 3, 3)

    def shifted(x, weight):
        y = conv2d(x, weight, padding=1)
        y += 1
        return torch.nn.functional.leaky_relu_(y)

    with for_training():
        assert gradcheck(shifted, [x, weight], fast_mode=True)


def test_elsewhere_a_convolution_is_torchs(wide, monkeypatch):
    monkeypatch.setattr(differentiable, "_applied", None)
    x, weight = drawn(1, 2, 4, 4), drawn(2, 2, 3, 3)
    assert torch.equal(conv2d(x, weight), torch.nn.functional.conv2d(x, weight))
    expected = torch.nn.functional.conv_transpose2d(x, weight, stride=2)
    assert torch.equal(conv_transpose2d(x, weight, stride=2), expected)
