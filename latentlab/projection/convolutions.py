"""Convolutions whose second derivatives cost what the first do, for as long as a block lasts.

Differentiating a convolution twice, torch also forms what would belong to its weight: for the
filters with one group for each channel that is as many small convolutions. Where the weight is
fixed the convolution is linear in its input: the derivative of its backward pass is itself.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# stride, padding, dilation, transposed, padding of the output, groups
_Form = tuple[list[int], list[int], list[int], bool, list[int], int]


class LinearConvolutions(TorchFunctionMode):
    """Within it, 2-D convolutions with weights that take no gradient are linear maps.

    Values and first derivatives are those of torch, to the last bit.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # torch calls it for every function
        """Take convolutions over, and leave everything else as it is."""
        read = _FORMS.get(func)
        call = None if read is None else read(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if call is None else _Forward.apply(*call)


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _plain(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> tuple[Any, ...] | None:  # fmt: skip
    """Return what ``_Forward`` takes for the arguments of ``conv2d``; None leaves it to torch."""
    if x.ndim != 4 or weight.requires_grad or isinstance(padding, str):
        return None
    return x, weight, bias, (_pair(stride), _pair(padding), _pair(dilation), False, [0, 0], groups)


def _transposed(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> tuple[Any, ...] | None:  # fmt: skip
    """Return the same for the arguments of ``conv_transpose2d``."""
    if x.ndim != 4 or weight.requires_grad:
        return None
    form = (_pair(stride), _pair(padding), _pair(dilation), True, _pair(output_padding), groups)
    return x, weight, bias, form


_FORMS: dict[Any, Any] = {
    torch.conv2d: _plain, F.conv2d: _plain,
    torch.conv_transpose2d: _transposed, F.conv_transpose2d: _transposed,
}  # fmt: skip


class _Forward(torch.autograd.Function):
    """A convolution [N,I,H,W] -> [N,O,H',W']; its gradient is that of its input alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, form: _Form) -> Tensor:
        last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.layout = torch.channels_last if last else torch.contiguous_format
        ctx.form, ctx.shape = form, x.shape
        ctx.save_for_backward(weight)
        return torch.convolution(x, weight, bias, *form)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        back = _Backward.apply(gradients[0], weight, ctx.form, ctx.shape, ctx.layout)
        return back, None, None, None


class _Backward(torch.autograd.Function):
    """The backward pass of a convolution [N,O,H',W'] -> [N,I,H,W], which is linear as well."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, weight: Tensor, form: _Form, shape: torch.Size, layout: Any
    ) -> Tensor:
        ctx.form = form
        ctx.save_for_backward(weight)
        # Of the input only the shape is used.
        x = torch.empty(shape, dtype=weight.dtype, device=weight.device, memory_format=layout)
        wanted = (True, False, False)
        back: Tensor = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, *form, wanted
        )[0]
        return back

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        return _Forward.apply(gradients[0], weight, None, ctx.form), None, None, None, None
