import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch.nn.functional import conv2d, grad

from latentlab.networks.convolutions import winograd

# Samples, channels of the input and the output, height and width.
SHAPES = [(2, 3, 5, 8, 12), (1, 6, 4, 4, 16), (3, 7, 2, 12, 4)]
NEAR = {"rtol": 0, "atol": 1e-12}


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


@pytest.fixture(params=[None, 1], ids=["one part", "many parts"])
def parts(request, monkeypatch):
    """With buffers for everything at once, and for a row of tiles and one channel at most."""
    if request.param is not None:
        monkeypatch.setattr(winograd, "_BUFFER", request.param)


@pytest.mark.parametrize(("n", "inputs", "outputs", "height", "width"), SHAPES)
def test_it_is_a_convolution(n, inputs, outputs, height, width, parts):
    x, weight = drawn(n, inputs, height, width), drawn(outputs, inputs, 3, 3)
    y = winograd.convolve(x, weight)
    for sample, output in np.ndindex(n, outputs):
        pairs = zip(x[sample].numpy(), weight[output].numpy(), strict=True)
        expected = sum(correlate2d(image, kernel, "same") for image, kernel in pairs)
        np.testing.assert_allclose(y[sample, output], expected, atol=1e-12)


@pytest.mark.parametrize(("n", "inputs", "outputs", "height", "width"), SHAPES)
def test_the_gradients_are_those_of_a_convolution(n, inputs, outputs, height, width, parts):
    x, weight = drawn(n, inputs, height, width), drawn(outputs, inputs, 3, 3)
    gradient = drawn(n, outputs, height, width)
    to_x = grad.conv2d_input(x.shape, weight, gradient, padding=1)
    to_weight = grad.conv2d_weight(x, weight.shape, gradient, padding=1)
    torch.testing.assert_close(winograd.convolve(gradient, weight, transposed=True), to_x, **NEAR)
    torch.testing.assert_close(winograd.weight_gradient(x, gradient), to_weight, **NEAR)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_layout_of_the_weight_does_not_matter(layout):
    x, weight = drawn(1, 4, 8, 8), drawn(6, 4, 3, 3)
    x, weight = (value.contiguous(memory_format=layout) for value in (x, weight))
    y = winograd.convolve(x, weight)
    torch.testing.assert_close(y, conv2d(x, weight, padding=1), **NEAR)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_it_rounds_about_as_a_direct_convolution():
    """Measured with 512 channels, rms: 1.5e-6 of the result's spread, and 1.2e-6 for torch's."""
    x, weight = drawn(1, 256, 16, 16), drawn(128, 256, 3, 3)
    exact = conv2d(x, weight, padding=1)
    error = winograd.convolve(x.float(), weight.float()) - exact
    assert error.square().mean().sqrt() < 3e-6 * exact.std()


@pytest.mark.parametrize(
    ("shape", "kernel", "expected"),
    [
        ((4, 128, 16, 16), (128, 128, 3, 3), True),
        ((1, 128, 32, 16), (256, 128, 3, 3), True),
        ((4, 64, 16, 16), (128, 64, 3, 3), False),  # few channels
        ((4, 128, 16, 16), (128, 128, 1, 1), False),
        ((4, 128, 18, 16), (128, 128, 3, 3), False),  # no whole tiles
        ((4, 128, 8, 8), (128, 128, 3, 3), False),  # few tiles
    ],
)
def test_where_it_pays(shape, kernel, expected):
    x, weight = (torch.zeros(1).expand(size) for size in (shape, kernel))
    assert winograd.pays(x, weight) is expected
