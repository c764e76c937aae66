import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, upfirdn

from latentlab.networks import ops
from tests.support import reference
from tests.support.tolerances import FLOAT64

TAPS = [(1, 3, 3, 1), (1, 2, 1), (1, 1), (1, 2, 4, 3, 2, 1)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def both(rng, shape):
    values = rng.standard_normal(shape)
    return values, torch.from_numpy(values)


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (ops.upsample, reference.upsampled),
        (ops.downsample, reference.downsampled),
    ],
)
def test_resampling_equals_the_plain_filter(ours, plain, taps, rng):
    kernel = ops.fir_kernel(taps).double()
    values, x = both(rng, [2, 3, 6, 8])
    expected = np.stack([plain(sample, kernel.numpy()) for sample in values])
    np.testing.assert_allclose(ours(x, kernel), expected, atol=FLOAT64)


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (ops.conv_up, reference.conv_up),
        (ops.conv_down, reference.conv_down),
    ],
)
def test_resampling_convolution_equals_the_plain_one(ours, plain, size, taps, rng):
    kernel = ops.fir_kernel(taps).double()
    values, x = both(rng, [2, 3, 6, 8])
    weights, weight = both(rng, [4, 3, size, size])
    expected = np.stack([plain(sample, weights, kernel.numpy()) for sample in values])
    np.testing.assert_allclose(ours(x, weight, kernel), expected, atol=FLOAT64)


@pytest.mark.parametrize("pad", [(0, 0), (3, 2), (-1, 4), (-2, -1), (12, 11)])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_enlarging_by_a_filter_equals_scipy(factor, pad, rng):
    taps, (values, x) = rng.standard_normal(6), both(rng, [2, 3, 11, 9])
    wide = values
    for axis in (2, 3):  # scipy's result starts where the first tap meets the first sample
        wide = upfirdn(taps * factor, wide, up=factor, axis=axis)
        start, stop = 5 - pad[0], 5 + (values.shape[axis] - 1) * factor + pad[1] + factor - 5
        wide = np.pad(wide, [(40, 40) if i == axis else (0, 0) for i in range(4)])
        wide = wide.take(range(40 + start, 40 + stop), axis)
    enlarged = ops.fir_up(x, torch.from_numpy(taps), factor, pad, gain=1.5)
    np.testing.assert_allclose(enlarged, wide * 1.5, atol=FLOAT64)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_reducing_by_a_filter_equals_scipy(factor, rng):
    taps, (values, x) = rng.standard_normal(6), both(rng, [2, 3, 14, 11])
    kernel = rng.standard_normal([6, 6])
    separable = ops.fir_down(x, torch.from_numpy(taps), factor)
    joint = ops.fir_down(x, torch.from_numpy(kernel), factor)
    for result, filter_2d in ((separable, np.outer(taps, taps)), (joint, kernel)):
        expected = [[convolve2d(maps, filter_2d, "valid")[::factor, ::factor] for maps in sample]
                    for sample in values]  # fmt: skip
        np.testing.assert_allclose(result, expected, atol=FLOAT64)


def test_a_kernel_sums_to_one_and_keeps_a_constant_image():
    kernel = ops.fir_kernel([1, 3, 3, 1]).double()
    assert kernel.sum() == pytest.approx(1.0)
    constant = torch.full([1, 2, 16, 16], 3.0, dtype=torch.float64)
    for image in (ops.upsample(constant, kernel), ops.downsample(constant, kernel)):
        inside = image[:, :, 2:-2, 2:-2]
        torch.testing.assert_close(inside, torch.full_like(inside, 3.0))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_convolution_equals_explicit_weights(up, demodulate, rng):
    kernel = ops.fir_kernel([1, 3, 3, 1]).double()
    values, x = both(rng, [3, 4, 5, 5])
    weights, weight = both(rng, [6, 4, 3, 3])
    scales, styles = both(rng, [3, 4])
    expected = []
    for sample, scale in zip(values, scales, strict=True):
        own = reference.modulated(weights, scale, demodulate)
        if up:
            expected.append(reference.conv_up(sample, own, kernel.numpy()))
        else:
            expected.append(reference.conv(sample, own, 1))
    result = ops.modulated_conv(x, weight, styles, kernel if up else None, demodulate)
    np.testing.assert_allclose(result, np.stack(expected), atol=FLOAT64)


def test_demodulation_brings_white_noise_to_unit_variance(rng):
    x = torch.from_numpy(rng.standard_normal([4, 16, 64, 64]))
    weight = torch.from_numpy(rng.standard_normal([8, 16, 3, 3]))
    styles = torch.from_numpy(rng.uniform(0.1, 10, [4, 16]))
    spread = ops.modulated_conv(x, weight, styles)[:, :, 1:-1, 1:-1].std(dim=[2, 3])
    torch.testing.assert_close(spread, torch.ones_like(spread), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("n", "group", "used"),
    [
        (8, 4, 4),
        (4, 4, 4),
        (2, 4, 2),
        (1, 4, 1),
        (6, 4, 3),
        (7, 4, 1),
        (5, None, 5),
    ],
)
@pytest.mark.parametrize("features", [1, 2])
def test_minibatch_deviation_uses_strided_groups(n, group, used, features, rng):
    values, x = both(rng, [n, 4, 3, 3])
    result = ops.minibatch_std(x, group, features).numpy()
    np.testing.assert_array_equal(result[:, :4], values)
    for i in range(n):
        mates = values[i % (n // used) :: n // used]
        spread = np.sqrt(((mates - mates.mean(0)) ** 2).mean(0) + 1e-8)
        for f, part in enumerate(np.split(spread, features)):
            np.testing.assert_allclose(result[i, 4 + f], part.mean(), atol=FLOAT64)


def test_rows_are_normalised_to_unit_mean_square(rng):
    x = torch.from_numpy(rng.standard_normal([5, 7]) * 30)
    torch.testing.assert_close(
        ops.normalize_2nd_moment(x).square().mean(dim=1), torch.ones(5, dtype=torch.float64)
    )


def test_leaky_relu_and_clamp():
    values = [-10.0, -1.0, 0.0, 1.0, 10.0]
    assert ops.leaky_relu_(torch.tensor(values)).tolist() == pytest.approx([-2, -0.2, 0, 1, 10])
    clamped = ops.leaky_relu_(torch.tensor(values), clamp=1.5).tolist()
    assert clamped == pytest.approx([-1.5, -0.2, 0, 1, 1.5])


@pytest.mark.parametrize("up", [False, True])
def test_first_and_second_derivatives_of_the_modulated_convolution(up, rng):
    kernel = ops.fir_kernel([1, 3, 3, 1]).double() if up else None
    inputs = [
        torch.from_numpy(rng.standard_normal(shape)).requires_grad_(True)
        for shape in ([2, 2, 3, 3], [3, 2, 3, 3], [2, 2])
    ]

    def operation(*given):
        return ops.modulated_conv(*given, kernel)

    assert torch.autograd.gradcheck(operation, inputs)
    assert torch.autograd.gradgradcheck(operation, inputs)
