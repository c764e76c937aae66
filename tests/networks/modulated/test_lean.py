"""Gradients that need little memory are those of torch."""

import pytest
import torch
from torch import Tensor

from latentlab.networks.layers import StyledConv
from latentlab.networks.modulated.lean import FrozenLayer, lean_gradients

EXACT = {"atol": 1e-11, "rtol": 1e-11}  # float64; undoing an activation costs a few bits


def gradients(
    layer: StyledConv, x: Tensor, w: Tensor, noise: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """A layer's output, and the gradients of a sum of products with it."""
    inputs = [each.clone().requires_grad_() for each in (x, w, noise) if each is not None]
    y = layer(inputs[0], inputs[1], inputs[2] if noise is not None else None, 0.7)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return y.detach(), list(torch.autograd.grad((y * weights).sum(), inputs))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 2, 1), (1, 1)])
@pytest.mark.parametrize("rows", [None, 1, 2])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_they_are_equal(
    up: bool, taps: tuple[float, ...], rows: int | None, clamp: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    computed, lean = [], FrozenLayer.lean
    monkeypatch.setattr(FrozenLayer, "lean", lambda *given: computed.append(up) or lean(*given))
    torch.manual_seed(0)
    size = 12 if up else 6
    layer = StyledConv(3, 4, 5, size, taps, up=up, conv_clamp=clamp).double()
    layer.requires_grad_(False)
    layer.noise_strength.fill_(0.5)
    layer.bias.normal_()
    x, w = torch.randn(2, 3, 6, 6).double(), torch.randn(2, 5).double()
    noise = None if rows is None else torch.randn(rows, 1, size, size).double()
    y, plain = gradients(layer, x, w, noise)
    with lean_gradients():
        lean_y, found = gradients(layer, x, w, noise)
    assert computed == [up]
    torch.testing.assert_close(lean_y, y, **EXACT)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_little_is_kept() -> None:
    layer = StyledConv(4, 4, 8, 16).requires_grad_(False)
    x, w = torch.randn(1, 4, 16, 16, requires_grad=True), torch.randn(1, 8, requires_grad=True)

    def kept() -> int:
        """Storages as large as the feature maps that are held for the gradients."""
        found: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            found[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            layer(x, w, None)
        return sum(count == x.numel() for count in found.values())

    assert kept() == 4
    with lean_gradients():
        assert kept() == 2


def test_weights_that_learn_have_their_gradients() -> None:
    layer = StyledConv(4, 4, 8, 4)
    with lean_gradients():
        layer(torch.randn(1, 4, 4, 4), torch.randn(1, 8), None).sum().backward()
    assert layer.weight.grad is not None
