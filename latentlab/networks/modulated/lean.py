"""Layers whose gradients need a third of the memory, where the weights are frozen.

Torch keeps what each operation was given. Of a styled convolution, its input and its output are
enough: the activation can be undone, and the rest is linear.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from latentlab.networks import ops

_lean = ContextVar("lean", default=False)


@contextmanager
def lean_gradients() -> Iterator[None]:
    """Have the layers computed in it keep little for their gradients; equal but for rounding.

    For styled convolutions of StyleGAN2 in float32 and float64 whose weights are frozen. Their
    gradients can be taken backwards, and once.
    """
    token = _lean.set(True)
    try:
        yield
    finally:
        _lean.reset(token)


class FrozenLayer(NamedTuple):
    """A styled convolution without what depends on the sample.

    Attributes:
        weight: [O,I,k,k].
        bias: What is added to each output channel [O].
        up_kernel: FIR kernel; where there is one, the output is twice as large.
    """

    weight: Tensor
    bias: Tensor
    up_kernel: Tensor | None

    def is_lean(self) -> bool:
        """Whether ``lean`` computes it."""
        frozen = not (self.weight.requires_grad or self.bias.requires_grad)
        known = self.weight.dtype in (torch.float32, torch.float64)
        asked = _lean.get() and torch.is_grad_enabled() and not torch.compiler.is_compiling()
        return asked and frozen and known

    def lean(self, x: Tensor, styles: Tensor, factor: Tensor, level: Tensor | None) -> Tensor:
        """Convolve, add noise and bias, and activate.

        Args:
            x: Feature maps [N,I,H,W].
            styles: Scales of the input channels [N,I].
            factor: Scales of the output channels [N,O], none of them 0.
            level: What is added to each pixel, [N|1,1,...] or without these; None for nothing.

        Returns:
            Feature maps [N,O,H,W], or [N,O,2H,2W] with ``up_kernel``.
        """
        return cast(Tensor, _Lean.apply(x, styles, factor, level, self))

    def convolve(self, x: Tensor) -> Tensor:
        """Apply the linear map alone."""
        if self.up_kernel is not None:
            return ops.conv_up(x, self.weight, self.up_kernel)
        return F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the adjoint of ``convolve``."""
        size = self.weight.shape[-1]
        if self.up_kernel is None:
            return F.conv_transpose2d(y, self.weight, padding=size // 2)
        y = ops.smooth_adjoint(y, self.up_kernel, size)
        return F.conv2d(y, self.weight.transpose(0, 1), stride=2)


class _Lean(torch.autograd.Function):
    """What ``FrozenLayer.lean`` computes, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        styles: Tensor,
        factor: Tensor,
        level: Tensor | None,
        layer: FrozenLayer,
    ) -> Tensor:
        y = layer.convolve(x * styles[:, :, None, None])
        y = torch.addcmul(layer.bias[:, None, None], y, factor[:, :, None, None], out=y)
        if level is not None:
            y += level
        y = ops.leaky_relu_(y)
        ctx.save_for_backward(x, styles, factor, level, y)
        ctx.layer = layer
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, styles, factor, level, y = ctx.saved_tensors
        to_x, to_styles, to_factor, to_level, _ = ctx.needs_input_grad
        # In place wherever it can be: at 1024x1024, each of these maps has 128 MB.
        gradient = torch.ops.aten.leaky_relu_backward(gradient, y, ops.LEAKY_SLOPE, True)
        of_level = gradient.sum(dim=1, keepdim=True).sum_to_size(level.shape) if to_level else None
        of_factor = None
        if to_factor:
            before = F.leaky_relu(y, 1 / ops.LEAKY_SLOPE).sub_(ctx.layer.bias[:, None, None])
            before = before if level is None else before.sub_(level)
            of_factor = before.mul_(gradient).sum(dim=[2, 3]) / factor
            del before
        if not (to_x or to_styles):
            return None, None, of_factor, of_level, None
        scaled = ctx.layer.adjoint(gradient.mul_(factor[:, :, None, None]))
        del gradient
        of_styles = (scaled * x).sum(dim=[2, 3]) if to_styles else None
        of_x = scaled.mul_(styles[:, :, None, None]) if to_x else None
        return of_x, of_styles, of_factor, of_level, None
