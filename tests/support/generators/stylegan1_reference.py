"""StyleGAN1's generators of Table 1 (Karras et al. 2019) in float64 numpy, sample by sample.

Written from sections 2 and C of the paper and section 4 of Progressive GAN's (2018); shares no
code with the library. A state dict is read by its names: what it holds says what the generator
is, as whether the first layer is a constant or takes w. Upsampling is nearest neighbour and then
the separable binomial filter, which together are bilinear.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate2d

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

_BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16


def mapping(t: Weights, z: Array) -> Array:
    """Map z [z_dim] to w [w_dim]: normalised, then through the dense layers that are there."""
    w = z / math.sqrt(np.mean(z**2) + 1e-8)
    i = 0
    while f"mapping.fc{i}.weight" in t:
        weight = t[f"mapping.fc{i}.weight"]
        scale = math.sqrt(2 / weight.shape[1]) * 0.01  # He's constant, and the lower learning rate
        w = _lrelu(weight @ w * scale + t[f"mapping.fc{i}.bias"] * 0.01)
        i += 1
    return w


def synthesis(t: Weights, ws: Array, resolution: int, fused_from: int) -> Array:
    """Render ws [num_ws,w_dim], or [1,w_dim] of a traditional generator, with the stored noise."""
    traditional = "synthesis.b4.layer1.affine.weight" not in t
    x = np.zeros(0)
    for i in range(int(math.log2(resolution)) - 1):
        size = 4 * 2**i
        for j in range(2):
            name = f"synthesis.b{size}.layer{j}"
            w = ws[0] if traditional else ws[2 * i + j]
            x = _first(t, name, w) if i == j == 0 else _conv(t, name, x, i > 0 and j == 0,
                                                             fused_from)  # fmt: skip
            x = _finished(t, name, x, w, traditional)
    weight = t[f"synthesis.b{resolution}.torgb.weight"] / math.sqrt(len(x))
    return _correlated(x, weight) + t[f"synthesis.b{resolution}.torgb.bias"][:, None, None]


def _first(t: Weights, name: str, w: Array) -> Array:
    if f"{name}.const" in t:
        return t[f"{name}.const"]
    # Progressive GAN sees z as feature maps of 1x1: the fan-in counts the 4x4 of its kernel.
    scale = math.sqrt(2 / (16 * len(w)))
    return (t[f"{name}.weight"] @ w * scale).reshape(-1, 4, 4)


def _conv(t: Weights, name: str, x: Array, up: bool, fused_from: int) -> Array:
    weight = t[f"{name}.weight"]
    weight = weight * math.sqrt(2 / np.prod(weight.shape[1:]))
    if not up:
        return _correlated(x, weight)
    x = x.repeat(2, axis=1).repeat(2, axis=2)
    if x.shape[1] >= fused_from:  # the published fused layer mirrors its kernel
        weight = weight[:, :, ::-1, ::-1]
    return np.array([correlate2d(maps, _BINOMIAL, mode="same") for maps in _correlated(x, weight)])


def _finished(t: Weights, name: str, x: Array, w: Array, traditional: bool) -> Array:
    """Add noise and bias, activate, normalise, and style."""
    if f"{name}.noise_strength" in t:
        x = x + t[f"{name}.noise_strength"][:, None, None] * t[f"{name}.noise_const"]
    x = _lrelu(x + t[f"{name}.bias"][:, None, None])
    if traditional:  # pixel norm: the vector of each pixel to a mean square of one
        return x / np.sqrt((x**2).mean(axis=0, keepdims=True) + 1e-8)
    mean = x.mean(axis=(1, 2), keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=(1, 2), keepdims=True)
    weight = t[f"{name}.affine.weight"]
    y = weight @ w / math.sqrt(weight.shape[1]) + t[f"{name}.affine.bias"]
    scale, shift = y[: len(x)] + 1, y[len(x) :]
    normal = (x - mean) / np.sqrt(variance + 1e-8)
    return normal * scale[:, None, None] + shift[:, None, None]


def _correlated(x: Array, weight: Array) -> Array:
    return np.array(
        [sum(correlate2d(x[i], w[i], mode="same") for i in range(len(x))) for w in weight]
    )


def _lrelu(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x)
