"""Networks without weights: shapes to compare a file's with, before any memory is taken."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DRAWN = (torch.randn, torch.rand)
_SCALED = (Tensor.div_, Tensor.mul_, Tensor.mul, Tensor.sub)


class _Undrawn(TorchFunctionMode):
    """Gives random numbers, and multiples of them, no more than their shape."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _DRAWN:
            func = torch.empty
        elif func in _SCALED and args[0].is_meta and isinstance(args[1], int | float):
            return args[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def weightless() -> Iterator[None]:
    """Let modules built in the block have shapes and no memory: they are on the meta device.

    There, torch would draw and scale by its reference code, which imports a computer algebra
    system, and that takes longer than opening a small checkpoint.
    """
    with torch.device("meta"), _Undrawn():
        yield
