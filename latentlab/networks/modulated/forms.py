"""Modulated convolutions in the forms that are quickest where weights or batch allow them.

The results are those of ``ops.modulated_conv`` up to rounding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad

from latentlab.networks import ops


class KeptWeight:
    """What a layer computes of its frozen weight alone, kept for as long as the weight is the same.

    That is the weight as convolutions want it in memory, and ``ops.tap_energy``: a tenth of the
    time of a picture at 256x256. On the CPU alone. Weights that learn are not kept: the fused Adam
    does not count its writes. Nor do writes through ``weight.data``, which show in a few numbers of
    the weight, unless they are to single ones.
    """

    def __init__(self, up: bool) -> None:
        self._up = up
        self._made_of: tuple[Any, ...] = ()
        self._witness: Tensor | None = None  # numbers of the weight
        self._storage: torch.UntypedStorage | None = None  # so that no other weight lies there
        self._content: tuple[Tensor, Tensor] | None = None
        self._at_hand: tuple[Tensor, Tensor] | None = None  # of a compiled program

    def of(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the order in memory that convolutions want, and the energy, of a weight.

        Args:
            weight: [O,I,k,k].

        Returns:
            The weight [O,I,k,k], laid out anew where it is kept, and ``ops.tap_energy`` [O,I].
        """
        if torch.compiler.is_compiling():
            return self._at_hand or (weight, ops.tap_energy(weight))
        learns = weight.requires_grad
        if learns or weight.device.type != "cpu":
            self._content = None
        plain = isinstance(weight, nn.Parameter) and weight.device.type == "cpu"
        if not plain or weight.is_inference() or (learns and torch.is_grad_enabled()):
            return weight, ops.tap_energy(weight)
        made_of = (
            weight.data_ptr(), weight._version, weight.dtype, weight.shape, weight.stride(),
        )  # fmt: skip
        if self._content is not None and self._made_of == made_of and self._is_witnessed(weight):
            return self._content
        if is_transformed():  # what is computed now belongs to the transform, and ends with it
            return weight, ops.tap_energy(weight)
        # Inside inference mode it would be of no use to whoever needs gradients later.
        with torch.inference_mode(False), torch.no_grad():
            fixed = weight.detach()
            # Sums in one order, whatever the weight's own: equal weights make equal pictures.
            energy = ops.tap_energy(fixed.contiguous())
            content = _turned(fixed) if self._up else _last(fixed), energy
            if not learns:
                self._content, self._witness = content, _few(fixed).clone()
                self._made_of, self._storage = made_of, weight.untyped_storage()
        return content

    def lay_out(self, weight: Tensor) -> None:
        """Have at hand what is kept of a weight, where anything is."""
        self.of(weight)
        self._at_hand = self._content

    def put_away(self) -> None:
        """Have nothing at hand."""
        self._at_hand = None

    def _is_witnessed(self, weight: Tensor) -> bool:
        """Whether a few numbers of the weight are as they were."""
        return self._witness is not None and torch.equal(_few(weight.detach()), self._witness)

    def __deepcopy__(self, memo: dict[int, Any]) -> "KeptWeight":
        """A copied layer has another weight."""
        return KeptWeight(self._up)

    def __reduce__(self) -> tuple[type["KeptWeight"], tuple[bool]]:
        """So has one that is sent to another process."""
        return KeptWeight, (self._up,)


@contextmanager
def kept_at_hand(network: nn.Module) -> Iterator[None]:
    """Let a compiled program of a network use what its layers keep of their weights.

    A program cannot see whether they are still the same, so that is done before each call of it.
    """
    found: list[tuple[KeptWeight, Tensor]] = [
        (kept, layer.get_parameter("weight"))
        for layer in network.modules()
        if isinstance(kept := getattr(layer, "kept", None), KeptWeight)
    ]
    for kept, weight in found:
        kept.lay_out(weight)
    try:
        yield
    finally:
        for kept, _ in found:
            kept.put_away()


def _few(weight: Tensor) -> Tensor:
    """Return some 64 numbers that are spread over a weight [O,I,k,k]."""
    outputs, inputs = weight.shape[:2]
    return weight[:: max(outputs // 8, 1), :: max(inputs // 8, 1), 0, 0]


def _last(weight: Tensor) -> Tensor:
    """Return a weight [O,I,k,k] with its inputs last in memory."""
    return weight.contiguous(memory_format=torch.channels_last)


def _turned(weight: Tensor) -> Tensor:
    """Return a copy of a weight [O,I,k,k] with its outputs last: a transposed convolution's order.

    Turned round as a matrix, block by block: convolutions copy it one number after the other.
    """
    outputs, inputs, size, _ = weight.shape
    flat = weight.reshape(outputs, -1).t().contiguous()
    return flat.view(inputs, size, size, outputs).permute(3, 0, 1, 2)


def scales_weights(x: Tensor, weight: Tensor) -> bool:
    """Whether a convolution of feature maps had better scale its weights than the maps.

    On the CPU, where the weights are fewer than a sample's numbers. Not where a derivative may be
    asked for: it would go through the weights, at the price of another convolution.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return len(x) * weight.numel() < x.numel() and not is_transformed()


def is_transformed() -> bool:
    """Whether derivatives are taken forwards, or one of ``torch.func``'s transforms is at work."""
    return forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active()


def scaled_weight_conv(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    up_kernel: Tensor | None,
    *,
    gain: float,
    energy: Tensor,
    bias: Tensor,
    noise: Tensor | None,
) -> Tensor:
    """As ``ops.modulated_conv`` with demodulation, by scaling the weights for each sample.

    Args:
        x: Feature maps [N,I,H,W].
        weight: Weights [O,I,k,k].
        styles: Scales of the input channels [N,I].
        up_kernel: FIR kernel; where given, the output is twice as large.
        gain: Factor on the convolution's output.
        energy: ``ops.tap_energy(weight)``.
        bias: What is added to each output channel [O].
        noise: What is added to each pixel, [N|1,1,...] or without these; None for nothing.

    Returns:
        Feature maps [N,O,H,W], or [N,O,2H,2W] with ``up_kernel``; no derivative goes through them.
    """
    scales = (ops.demodulation(styles, weight, energy) * gain)[:, :, None] * styles[:, None]
    found: Tensor | None = None
    for i, scale in enumerate(scales[..., None, None]):
        y = _conv(x[i : i + 1], weight, scale, up_kernel, bias)
        own = (
            noise[i : i + 1] if noise is not None and noise.ndim == 4 and len(noise) > 1 else noise
        )
        if len(x) == 1:
            return y if own is None else y.add_(own)
        if found is None:
            shape = [len(x), *y.shape[1:]]
            found = torch.empty(shape, dtype=y.dtype, memory_format=torch.channels_last)
        # Written to its place and given its noise in one pass, while it is in the cache.
        torch.add(y, y.new_zeros([]) if own is None else own, out=found[i : i + 1])
    if found is None:
        raise AssertionError("a batch without samples")
    return found


def _conv(
    x: Tensor, weight: Tensor, scale: Tensor, up_kernel: Tensor | None, bias: Tensor
) -> Tensor:
    """Convolve one sample [1,I,H,W] with ``weight`` [O,I,k,k] times ``scale`` [O,I,1,1]."""
    size = weight.shape[-1]
    if up_kernel is None:
        return F.conv2d(x, _last(weight * scale), bias, padding=size // 2)
    own = _turned(weight).mul_(scale)
    return ops.smooth(F.conv_transpose2d(x, own.transpose(0, 1), stride=2), up_kernel, size, bias)


def modulated_product(x: Tensor, weight: Tensor, styles: Tensor, bias: Tensor) -> Tensor:
    """Modulated convolution of one pixel without demodulation, as a product of matrices.

    Scaling so few weights takes no time, and their gradients hardly any.

    Args:
        x: Feature maps [N,I,H,W].
        weight: Weights [O,I].
        styles: Scales of the input channels [N,I].
        bias: What is added to each output channel [O].

    Returns:
        Feature maps [N,O,H,W], with channels last in memory.
    """
    count, inputs, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(count, height * width, inputs)
    own = (styles[:, None] * weight).transpose(1, 2)  # [N,I,O]
    rgb = torch.baddbmm(bias, pixels, own)
    return rgb.view(count, height, width, -1).permute(0, 3, 1, 2)
