"""Convolutions whose gradients, and the gradients of these, are convolutions again.

What torch does for the second derivative, which R1 and path length need, is right but slow: filters
channel by channel, and gradients to weights as convolutions with kernels as large as the image.
Here every derivative is one of three calls: the convolution, its adjoint, the gradient to the
weight. On the CPU, those of wide layers are ``winograd``'s and ``products``'.

All this is for networks in training (``for_training``). Elsewhere convolutions are torch's, so
that no other result depends on how training is made fast.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.networks.convolutions import products, winograd

_training = ContextVar("training", default=False)


@contextmanager
def for_training() -> Iterator[None]:
    """Make the convolutions computed in it fast to differentiate twice; equal but for rounding."""
    token = _training.set(True)
    try:
        yield
    finally:
        _training.reset(token)


def conv2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """Convolve ``x`` [N,I,H,W] with ``weight`` [O,I/groups,k,k], as ``F.conv2d``."""
    if not _training.get():
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)
    way = _way(x, weight, stride, padding, groups)
    return _applied(x, weight, _Plan(stride, padding, groups, None, way))


def conv_transpose2d(
    x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1
) -> Tensor:
    """Apply the adjoint of a convolution, as ``F.conv_transpose2d``: weight [I,O/groups,k,k]."""
    if not _training.get():
        return F.conv_transpose2d(x, weight, stride=stride, padding=padding, groups=groups)
    height, width = (
        (a - 1) * stride - 2 * padding + k
        for a, k in zip(x.shape[2:], weight.shape[2:], strict=True)
    )
    way = _way(x, weight, stride, padding, groups)
    return _applied(x, weight, _Plan(stride, padding, groups, (height, width), way))


@dataclass(frozen=True)
class _Plan:
    """A linear map of feature maps, and who computes it.

    Attributes:
        size: None for a convolution. For the adjoint of one: height and width of what it returns.
        way: Torch, tiles of ``winograd`` or the products of ``products``.
    """

    stride: int
    padding: int
    groups: int
    size: tuple[int, int] | None
    way: Literal["torch", "tiles", "products"]

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return what the map makes of ``x``."""
        if self.way == "tiles":
            return winograd.convolve(x, weight, transposed=self.size is not None)
        if self.way == "products" and self.size is not None and self.padding == 0:
            return products.adjoint(x, weight, self.stride, self.size)
        return torch.convolution(x, weight, None, *self._settings(x, weight))

    def weight_gradient(self, x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient to ``weight``, of which shape and layout alone count."""
        if self.way == "torch":
            settings, wanted = self._settings(x, weight), [False, True, False]
            backward = torch.ops.aten.convolution_backward
            return cast(Tensor, backward(gradient, x, weight, None, *settings, wanted)[1])
        inner, outer = (x, gradient) if self.size is None else (gradient, x)
        if self.way == "tiles":
            return winograd.weight_gradient(inner, outer)
        return products.weight_gradient(inner, outer, weight, self.stride, self.padding)

    def adjoint(self, x: Tensor) -> "_Plan":
        """Return the map from the gradient to the result to that to ``x``."""
        return replace(self, size=(x.shape[2], x.shape[3]) if self.size is None else None)

    def _settings(self, x: Tensor, weight: Tensor) -> tuple[Any, ...]:
        """Stride, padding, dilation, whether it is an adjoint, how much larger that is, groups."""
        more = [0, 0]
        if self.size is not None:  # a stride may pass over the last rows and columns
            sides = zip(self.size, x.shape[2:], weight.shape[2:], strict=True)
            more = [a + 2 * self.padding - k - (b - 1) * self.stride for a, b, k in sides]
        strided, padded = [self.stride] * 2, [self.padding] * 2
        return strided, padded, [1, 1], self.size is not None, more, self.groups


def _way(
    x: Tensor, weight: Tensor, stride: int, padding: int, groups: int
) -> Literal["torch", "tiles", "products"]:
    """Return who is fastest; on other devices, torch has ways of its own."""
    if groups > 1 or x.device.type != "cpu":
        return "torch"
    if stride == padding == 1 and winograd.pays(x, weight):
        return "tiles"
    return "products" if products.pays(weight) else "torch"


class _Pair(NamedTuple):
    """What a convolution is given."""

    x: Tensor
    weight: Tensor


def _applied(x: Tensor, weight: Tensor, plan: _Plan) -> Tensor:
    with torch.no_grad():
        y = plan.apply(x, weight)
    if not torch.is_grad_enabled():
        return y
    inputs = _Pair(x, weight)
    tap = _Tap.apply(weight, y, inputs, plan) if weight.requires_grad else None
    return cast(Tensor, _Convolution.apply(x, tap, [y], weight, plan.adjoint(x)))


class _Convolution(torch.autograd.Function):
    """The gradient to ``x`` of a convolution that has been computed."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, tap: Tensor | None, y: list[Tensor], weight: Tensor, adjoint: _Plan
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.adjoint = adjoint
        return y[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        to_x, to_tap = ctx.needs_input_grad[:2]
        found = _applied(gradient, weight, ctx.adjoint) if to_x else None
        return found, gradient if to_tap else None, None, None, None


class _Tap(torch.autograd.Function):
    """The gradient to the weight of a convolution, as a node of its own.

    A function in Python is not told which of its gradients are asked for; R1 and path length ask
    for those to images and ws alone. Torch then leaves this node out, and with it a third of the
    work. It stands for a zero that is added to the result, which is not done. ``x`` comes in a
    pair: as an input it would be a way to the images.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, y: Tensor, inputs: _Pair, plan: _Plan) -> Tensor:
        ctx.save_for_backward(*inputs)
        ctx.plan = plan
        return y.new_zeros([]).expand(y.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return _WeightGradient.apply(x, gradient, weight.detach(), ctx.plan), None, None, None


class _WeightGradient(torch.autograd.Function):
    """The gradient to the weight: linear in x and in the gradient to y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: Tensor, weight: Tensor, plan: _Plan) -> Tensor:
        ctx.save_for_backward(x, gradient)
        ctx.plan = plan
        return plan.weight_gradient(x, gradient, weight)

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        x, gradient = ctx.saved_tensors
        to_x = _applied(gradient, direction, ctx.plan.adjoint(x))
        return to_x, _applied(x, direction, ctx.plan), None, None
