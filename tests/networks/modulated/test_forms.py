"""The quick forms of modulated convolutions against the plain one in float64."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from latentlab.networks import ops
from latentlab.networks.layers import StyledConv
from latentlab.networks.modulated.forms import (
    KeptWeight,
    modulated_product,
    scaled_weight_conv,
    scales_weights,
)

EXACT = {"atol": 1e-12, "rtol": 0.0}  # float64, another order of products
ROUNDED = {"atol": 1e-5, "rtol": 0.0}  # float32 on numbers of order one


def inputs(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Feature maps, weights, styles and bias in float64."""
    draws = torch.Generator().manual_seed(count)
    shapes = ([count, 3, 6, 6], [5, 3, 3, 3], [count, 3], [5])
    x, *rest = (torch.randn(s, generator=draws, dtype=torch.float64) for s in shapes)
    return x.contiguous(memory_format=torch.channels_last), *rest


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("levels", [None, 1, "each"])
def test_scaling_weights_is_scaling_maps(count: int, up: bool, levels: int | str | None) -> None:
    x, weight, styles, bias = inputs(count)
    kernel = ops.fir_kernel([1, 3, 3, 1]).double() if up else None
    size = 12 if up else 6
    rows = count if levels == "each" else 1
    noise = None if levels is None else torch.randn(rows, 1, size, size, dtype=torch.float64)
    found = scaled_weight_conv(
        x, weight, styles, kernel,
        gain=1.5, energy=ops.tap_energy(weight), bias=bias, noise=noise,
    )  # fmt: skip
    plain = ops.modulated_conv(x, weight, styles, kernel, gain=1.5) + bias[:, None, None]
    torch.testing.assert_close(found, plain if noise is None else plain + noise, **EXACT)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_product_of_matrices_is_a_modulated_convolution_of_one_pixel() -> None:
    x, weight, styles, bias = inputs(2)
    one = weight[:, :, 1:2, 1:2]
    found = modulated_product(x, one[:, :, 0, 0], styles, bias)
    plain = ops.modulated_conv(x, one, styles, demodulate=False) + bias[:, None, None]
    torch.testing.assert_close(found, plain, **EXACT)


@pytest.mark.parametrize("up", [False, True])
def test_layers_do_not_depend_on_whether_gradients_are_kept(up: bool) -> None:
    torch.manual_seed(0)
    layer = StyledConv(4, 4, 8, 32 if up else 16, up=up).requires_grad_(False)
    layer.noise_strength.fill_(0.5)
    x, w = torch.randn(3, 4, 16, 16), torch.randn(3, 8)
    noise = torch.randn(3, 1, layer.resolution, layer.resolution)
    plain = layer(x, w.requires_grad_(), noise)
    assert not scales_weights(x, layer.weight)
    with torch.no_grad():
        assert scales_weights(x, layer.weight)
        torch.testing.assert_close(layer(x, w, noise), plain, **ROUNDED)
        assert layer(x[:0], w[:0], None).shape == plain[:0].shape


@pytest.mark.filterwarnings("ignore:.torch.jit.script:FutureWarning")  # of torch's own import
@torch.no_grad()
def test_derivatives_forwards_are_taken_without_gradients() -> None:
    torch.manual_seed(0)
    layer = StyledConv(4, 4, 8, 16).requires_grad_(False).double()
    x, w, move = torch.randn(1, 4, 16, 16).double(), torch.randn(1, 8).double(), torch.ones(1, 8)
    move = move.double()
    for _ in range(2):  # before and after something is kept of the weight
        _, tangent = torch.func.jvp(lambda v: layer(x, v, None), (w,), (move,))
        layer(x, w, None)
    step = 1e-6
    difference = (layer(x, w + step * move, None) - layer(x, w - step * move, None)) / (2 * step)
    torch.testing.assert_close(tangent, difference, atol=1e-7, rtol=0)


def _write(layer: nn.Conv2d) -> None:
    layer.weight.mul_(2)


def _write_behind(layer: nn.Conv2d) -> None:
    layer.weight.data.mul_(2)


def _replace(layer: nn.Conv2d) -> None:
    layer.weight = nn.Parameter(layer.weight * 2, requires_grad=False)


def _point_elsewhere(layer: nn.Conv2d) -> None:
    layer.weight.data = layer.weight * 2


def _load(layer: nn.Conv2d) -> None:
    layer.load_state_dict({"weight": layer.weight * 2})


def _convert(layer: nn.Conv2d) -> None:
    layer.double()


@torch.no_grad()
@pytest.mark.parametrize(
    "change", [_write, _write_behind, _replace, _point_elsewhere, _load, _convert]
)
def test_what_is_kept_of_a_weight_follows_it(change: Callable[[nn.Conv2d], None]) -> None:
    layer = nn.Conv2d(3, 5, 3, bias=False).requires_grad_(False)
    kept = KeptWeight(up=True)
    assert kept.of(layer.weight) is kept.of(layer.weight)
    for _ in range(3):
        change(layer)
        arranged, energy = kept.of(layer.weight)
        assert torch.equal(arranged, layer.weight)
        torch.testing.assert_close(energy, ops.tap_energy(layer.weight))


def test_nothing_that_was_kept_outlives_training() -> None:
    """The fused Adam does not count its writes."""
    layer = nn.Conv2d(3, 5, 3, bias=False).requires_grad_(False)
    kept = KeptWeight(up=False)
    before = kept.of(layer.weight)[0].clone()
    layer.requires_grad_(True)
    kept.of(layer.weight)[0].sum().backward()
    torch.optim.Adam(layer.parameters(), fused=True).step()
    layer.requires_grad_(False)
    assert torch.equal(kept.of(layer.weight)[0], layer.weight)
    assert not torch.equal(before, layer.weight)


@torch.no_grad()
def test_of_equal_weights_the_same_is_kept_whatever_their_order_in_memory() -> None:
    layer = nn.Conv2d(64, 64, 3, bias=False).requires_grad_(False)
    other = copy.deepcopy(layer).to(memory_format=torch.channels_last)
    kept, kept_of_other = (KeptWeight(up=True).of(each.weight) for each in (layer, other))
    assert torch.equal(kept[1], kept_of_other[1])


def test_a_weight_that_learns_is_not_kept_and_its_gradient_goes_through() -> None:
    layer = StyledConv(4, 4, 8, 4)
    with torch.inference_mode():
        layer(torch.randn(1, 4, 4, 4), torch.randn(1, 8), None)
    layer(torch.randn(1, 4, 4, 4), torch.randn(1, 8), None).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_what_inference_mode_keeps_serves_gradients_later() -> None:
    layer = StyledConv(4, 4, 8, 4).requires_grad_(False)
    x, w = torch.randn(1, 4, 4, 4), torch.randn(1, 8)
    with torch.inference_mode():
        before = layer(x, w, None)
    after = layer(x, w.requires_grad_(), None)
    after.sum().backward()
    torch.testing.assert_close(before.clone(), after.detach(), **ROUNDED)


@torch.no_grad()
def test_a_copied_layer_keeps_nothing_of_the_first() -> None:
    layer = StyledConv(4, 4, 8, 4).requires_grad_(False)
    x, w = torch.randn(1, 4, 4, 4), torch.randn(1, 8)
    first = layer(x, w, None)
    other = copy.deepcopy(layer)
    other.weight.copy_(torch.randn_like(other.weight))
    fresh = StyledConv(4, 4, 8, 4)
    fresh.load_state_dict(other.state_dict())
    assert torch.equal(other(x, w, None), fresh(x, w, None))
    assert torch.equal(layer(x, w, None), first)


@torch.no_grad()
def test_memory_is_in_the_order_that_convolutions_ask_for() -> None:
    weight = nn.Parameter(torch.randn(5, 3, 3, 3), requires_grad=False)
    last = torch.channels_last
    assert KeptWeight(up=False).of(weight)[0].is_contiguous(memory_format=last)
    turned = KeptWeight(up=True).of(weight)[0].transpose(0, 1)
    assert turned.is_contiguous(memory_format=last)
