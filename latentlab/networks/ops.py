"""Pure tensor operations of the StyleGAN networks: filters, resampling, modulation.

Formulas: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", unless said
otherwise. Images and feature maps are [N,C,H,W]; FIR kernels are [k,k] with sum 1.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.networks.convolutions.differentiable import conv2d, conv_transpose2d

SQRT2 = math.sqrt(2.0)
LEAKY_SLOPE = 0.2


def normalize_2nd_moment(x: Tensor, eps: float = 1e-8) -> Tensor:
    """Scale ``x`` [N,D,...] to a mean square of one over D."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def leaky_relu_(x: Tensor, clamp: float | None = None, slope: float = LEAKY_SLOPE) -> Tensor:
    """Leaky ReLU in place, limited to +-``clamp`` where one is given.

    The published gain of sqrt(2) is left to the caller, who moves it into the factors before:
    leaky_relu(g x) = g leaky_relu(x) for g > 0, and a pass over the feature maps is saved.
    """
    x = F.leaky_relu_(x, slope)
    return x if clamp is None else x.clamp(-clamp, clamp)


def fir_kernel(taps: Sequence[float]) -> Tensor:
    """Outer product of 1-D ``taps`` with themselves, normalised to sum 1: [k,k].

    >>> fir_kernel([1, 1]).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    # In numpy: on the meta device, torch's own functions import torch._dynamo, for over a second.
    line = np.array(taps, dtype=np.float32)
    kernel = np.outer(line, line)
    return torch.tensor(kernel / kernel.sum())


def fir(
    x: Tensor,
    kernel: Tensor,
    pad: tuple[int, int],
    stride: int = 1,
    gain: float = 1.0,
    bias: Tensor | None = None,
) -> Tensor:
    """Filter every channel by true convolution, and add ``bias`` [C].

    ``pad`` zeros go before and after, on both axes.
    """
    channels = x.shape[1]
    weight = (kernel * gain).flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)
    before, after = pad
    if before == after and before >= 0:
        padding = before
    else:
        x, padding = F.pad(x, [before, after, before, after]), 0
    if bias is not None:  # no training network asks for it
        return F.conv2d(x, weight, bias, stride=stride, padding=padding, groups=channels)
    return conv2d(x, weight, stride=stride, padding=padding, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double H and W: insert zeros, then filter with gain 4 (zero borders, as published)."""
    channels, size = x.shape[1], kernel.shape[0]
    weight = (kernel * 4.0).to(x.dtype).expand(channels, 1, -1, -1)
    # A strided transposed convolution is the zero-stuffed true convolution without the zeros.
    full = conv_transpose2d(x, weight, stride=2, groups=channels)
    start = size - 1 - (size + 1) // 2
    height, width = 2 * x.shape[2], 2 * x.shape[3]
    return full[:, :, start : start + height, start : start + width]


def downsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Halve H and W: filter, then keep every second pixel.

    >>> downsample(torch.ones(1, 1, 4, 4), fir_kernel([1, 1])).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    size = kernel.shape[0]
    return fir(x, kernel, ((size - 1) // 2, (size - 2) // 2), stride=2)


def fir_up(x: Tensor, taps: Tensor, factor: int, pad: tuple[int, int], gain: float = 1.0) -> Tensor:
    """Enlarge H and W ``factor`` times: insert zeros after each pixel, pad, and filter.

    ``taps`` [k] act in both directions, by true convolution. Negative ``pad`` cuts pixels off.
    The filter makes up for the zeros, and has ``gain`` besides.
    """
    channels, size = x.shape[1], len(taps)
    before, after = pad[0] - (size - 1), pad[1] - (size - factor)
    line = taps.to(x.dtype).expand(channels, 1, -1)
    # A strided transposed convolution is the zero-stuffed true convolution, padded to the full.
    column, row = (line * (factor * gain))[:, :, :, None], (line * factor)[:, :, None]
    x = F.conv_transpose2d(x, column, stride=(factor, 1), groups=channels)
    x = F.pad(x, [0, 0, before, after])
    x = F.conv_transpose2d(x, row, stride=(1, factor), groups=channels)
    return F.pad(x, [before, after, 0, 0])


def fir_down(x: Tensor, taps: Tensor, factor: int) -> Tensor:
    """Filter without padding, and keep every ``factor``-th pixel.

    ``taps`` are [k] for both directions or [k,k], applied by true convolution.
    """
    channels = x.shape[1]
    if taps.ndim == 2:
        kernel = taps.to(x.dtype).flip(0, 1).expand(channels, 1, -1, -1)
        return F.conv2d(x, kernel, stride=factor, groups=channels)
    line = taps.to(x.dtype).flip(0).expand(channels, 1, -1)
    x = F.conv2d(x, line[:, :, :, None], stride=(factor, 1), groups=channels)
    return F.conv2d(x, line[:, :, None], stride=(1, factor), groups=channels)


def conv_up(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Convolve ``x`` [N,I,H,W] with ``weight`` [O,I,k,k] while doubling its size."""
    size = weight.shape[-1]
    if size == 1:
        return upsample(conv2d(x, weight), kernel)  # both are linear: filter fewer pixels
    return smooth(conv_transpose2d(x, weight.transpose(0, 1), stride=2), kernel, size)


def smooth(x: Tensor, kernel: Tensor, size: int, bias: Tensor | None = None) -> Tensor:
    """Filter what a transposed convolution of ``size`` taps gave, and cut it to twice its input."""
    return fir(x, kernel, _smooth_pad(kernel, size), gain=4.0, bias=bias)


def smooth_adjoint(x: Tensor, kernel: Tensor, size: int) -> Tensor:
    """Apply the adjoint of ``smooth`` without a bias."""
    channels = x.shape[1]
    weight = (kernel * 4.0).flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)
    before, after = _smooth_pad(kernel, size)
    if before == after and before >= 0:
        return F.conv_transpose2d(x, weight, padding=before, groups=channels)
    x = F.conv_transpose2d(x, weight, groups=channels)
    return F.pad(x, [-before, -after, -before, -after])


def _smooth_pad(kernel: Tensor, size: int) -> tuple[int, int]:
    slack = kernel.shape[0] - 2 - (size - 1)
    return (slack + 1) // 2 + 1, slack // 2 + 1


def conv_down(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """Convolve ``x`` [N,I,H,W] with ``weight`` [O,I,k,k] while halving its size."""
    taps, size = kernel.shape[0], weight.shape[-1]
    if size == 1:
        return conv2d(downsample(x, kernel), weight)
    slack = taps - 2 + (size - 1)
    return conv2d(fir(x, kernel, ((slack + 1) // 2, slack // 2)), weight, stride=2)


def blur(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Filter every channel by ``taps`` in both directions, keeping the size (StyleGAN1)."""
    size = len(taps)
    return fir(x, _blur_kernel(tuple(taps), x.device), ((size - 1) // 2, size // 2))


@lru_cache
def _blur_kernel(taps: tuple[float, ...], device: torch.device) -> Tensor:
    """Return the kernel of ``blur`` [k,k]; it is moved to its device once, since that waits."""
    with torch.inference_mode(False):  # for whoever needs gradients later
        return fir_kernel(taps).to(device).flip(0, 1)  # as published, a correlation


def fused_kernel(weight: Tensor) -> Tensor:
    """Spread ``weight`` [O,I,k,k] over [O,I,k+1,k+1]: the sum of its shifts by one pixel.

    A stride of two with it does a convolution and a resampling by 2x2 boxes at once.
    """
    x = F.pad(weight, [1, 1, 1, 1])
    return x[:, :, 1:, 1:] + x[:, :, :-1, 1:] + x[:, :, 1:, :-1] + x[:, :, :-1, :-1]


def fused_conv_up(x: Tensor, weight: Tensor) -> Tensor:
    """Double H and W and convolve, as Progressive GAN does from 8x8 and StyleGAN1 from 128x128 on.

    As published, the transposed convolution takes the kernel as it is: the result is that of
    enlarging first, and then convolving with the kernel mirrored in both directions.
    """
    return conv_transpose2d(x, fused_kernel(weight).transpose(0, 1), stride=2, padding=1)


def fused_conv_down(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve and average over 2x2 pixels at once."""
    return conv2d(x, fused_kernel(weight) * 0.25, stride=2, padding=1)


def instance_norm(x: Tensor, epsilon: float, style: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Bring every feature map of ``x`` [N,C,H,W] to zero mean and unit variance, then style it.

    Adaptive instance normalisation (Eq. 1, Karras et al. 2019) as one product and one sum:
    ``style`` is the scale, less one, and the shift, [N,C,1,1] each.
    """
    variance, mean = torch.var_mean(x, dim=[2, 3], correction=0, keepdim=True)
    scale = (variance + epsilon).rsqrt()
    if style is not None:
        scale = scale * (style[0] + 1)
    shift = -mean * scale
    return torch.addcmul(shift if style is None else style[1] + shift, x, scale)


def modulated_conv(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    up_kernel: Tensor | None = None,
    demodulate: bool = True,
    gain: float | Tensor = 1.0,
    pad: int | None = None,
    *,
    energy: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolve with weights scaled per sample by ``styles`` (Eqs. 1 and 3, Karras et al. 2020).

    Scaling the input by the style and the output by the demodulation coefficient equals scaling
    the weights, and lets the whole batch share one convolution.

    Args:
        x: Feature maps [N,I,H,W].
        weight: Weights [O,I,k,k].
        styles: Scales of the input channels [N,I].
        up_kernel: FIR kernel; where given, the output is twice as large.
        demodulate: Divide each output channel by the norm of its scaled weights.
        gain: Factor on the output.
        pad: Zeros around the input where there is no ``up_kernel``; None keeps the size.
        energy: ``tap_energy(weight)``, from whoever has kept it.
        bias: What is added to each output channel in the end [O].

    Returns:
        Feature maps [N,O,H,W], or [N,O,2H,2W] with ``up_kernel``.
    """
    scales = styles if demodulate else styles * gain
    x = x * scales[:, :, None, None]
    if up_kernel is None:
        x = conv2d(x, weight, padding=weight.shape[-1] // 2 if pad is None else pad)
    else:
        x = conv_up(x, weight, up_kernel)
    if demodulate:
        factor = (demodulation(styles, weight, energy) * gain)[:, :, None, None]
        return x * factor if bias is None else torch.addcmul(bias[:, None, None], x, factor)
    return x if bias is None else x + bias[:, None, None]


def tap_energy(weight: Tensor) -> Tensor:
    """Return the sums of the squares of ``weight`` [O,I,k,k] over its taps [O,I]."""
    return weight.square().sum(dim=[2, 3])


def demodulation(styles: Tensor, weight: Tensor, energy: Tensor | None = None) -> Tensor:
    """Return one by the norm of the weights of each output channel, scaled by ``styles`` [N,O]."""
    energy = tap_energy(weight) if energy is None else energy
    return (styles.square() @ energy.t() + 1e-8).rsqrt()


def minibatch_group(n: int, group_size: int | None) -> int:
    """Return how many of ``n`` samples ``minibatch_std`` puts in a group.

    >>> minibatch_group(8, 4), minibatch_group(6, 4), minibatch_group(6, None)
    (4, 3, 6)
    """
    limit = n if group_size is None else min(group_size, n)
    return next(size for size in range(limit, 0, -1) if n % size == 0)


def minibatch_std(x: Tensor, group_size: int | None, num_features: int = 1) -> Tensor:
    """Append the standard deviation over groups of samples as ``num_features`` channels.

    Sample i belongs to group i mod (N / group): groups are strided (Karras et al. 2018). The
    published code needs N to be a multiple of the group size; other N use the largest divisor.
    """
    n, channels, height, width = x.shape
    group = minibatch_group(n, group_size)
    y = x.reshape(group, -1, num_features, channels // num_features, height, width)  # [G,n,F,c,H,W]
    y = (y - y.mean(dim=0)).square().mean(dim=0)  # [n,F,c,H,W]
    y = (y + 1e-8).sqrt().mean(dim=[2, 3, 4])  # [n,F]
    y = y[:, :, None, None].repeat(group, 1, height, width)  # [N,F,H,W]
    return torch.cat([x, y], dim=1)
