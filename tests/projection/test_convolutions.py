"""Linear convolutions against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from latentlab.projection.convolutions import LinearConvolutions

FORMS = [
    (F.conv2d, [6, 4, 3, 3], {"padding": 1}),
    (F.conv2d, [6, 2, 3, 3], {"stride": 2, "groups": 2, "padding": (0, 1)}),
    (F.conv2d, [4, 1, 4, 4], {"groups": 4, "dilation": 2, "padding": 3}),
    (F.conv_transpose2d, [4, 6, 3, 3], {"stride": 2, "output_padding": 1}),
    (F.conv_transpose2d, [4, 1, 4, 4], {"stride": (2, 1), "groups": 4, "padding": 1}),
]


def derivatives(call, size, options, layout):
    """Return values, the first derivative, and its derivative by the cotangent."""
    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
    x = draw(2, 4, 9, 8).contiguous(memory_format=layout).requires_grad_(True)
    weight = draw(*size)
    y = call(torch.sin(x), weight, **options)
    u = draw(*y.shape).requires_grad_(True)
    (back,) = torch.autograd.grad(y, x, u, create_graph=True)
    (along,) = torch.autograd.grad(back, u, draw(*x.shape))
    return y.detach(), back.detach(), along


@pytest.mark.parametrize(("call", "size", "options"), FORMS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_derivatives_are_those_of_torch(call, size, options, layout):
    plain = derivatives(call, size, options, layout)
    with LinearConvolutions():
        linear = derivatives(call, size, options, layout)
    assert torch.equal(linear[0], plain[0])
    assert torch.equal(linear[1], plain[1])
    torch.testing.assert_close(linear[2], plain[2], atol=1e-5, rtol=1e-5)


def test_a_weight_that_takes_a_gradient_keeps_it():
    x, weight = torch.randn(1, 4, 5, 5), torch.randn(2, 4, 3, 3, requires_grad=True)
    with LinearConvolutions():
        F.conv2d(x, weight).sum().backward()
        assert F.conv2d(x[0], weight.detach(), padding="same").shape == (2, 5, 5)
    assert weight.grad is not None
