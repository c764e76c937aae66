"""FastGAN's generator written down plainly in float64 numpy, from Projected GAN's own state dict.

Formulas: Liu et al. 2021, and for spectral norm Miyato et al. 2018. Each sample is computed alone.
It shares no code with the library.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tests.support.reference import Weights, conv

Array = NDArray[np.float64]


def normed(t: Weights, name: str, swapped: bool = False) -> Array:
    """Divide a weight by the singular value that its stored vectors give."""
    weight = t[f"{name}.weight_orig"]
    matrix = np.swapaxes(weight, 0, 1) if swapped else weight
    matrix = matrix.reshape(len(matrix), -1)
    return weight / (t[f"{name}.weight_u"] @ matrix @ t[f"{name}.weight_v"])


def gated(x: Array) -> Array:
    half = len(x) // 2
    return x[:half] * expit(x[half:])


def standardised(x: Array, mean: Array, var: Array) -> Array:
    return (x - mean[:, None, None]) / np.sqrt(var + 1e-5)[:, None, None]


def batch_norm(t: Weights, name: str, x: Array) -> Array:
    x = standardised(x, t[f"{name}.running_mean"], t[f"{name}.running_var"])
    return x * t[f"{name}.weight"][:, None, None] + t[f"{name}.bias"][:, None, None]


def class_norm(t: Weights, name: str, x: Array, y: Array) -> Array:
    gain, shift = (
        normed(t, f"{name}.{part}") @ y + t.get(f"{name}.{part}.bias", 0)
        for part in ("gain", "bias")
    )
    x = standardised(x, t[f"{name}.stored_mean"], t[f"{name}.stored_var"])
    return x * (1 + gain)[:, None, None] + shift[:, None, None]


def excitation(t: Weights, name: str, x: Array) -> Array:
    side = x.shape[1] // 4
    pooled = x.reshape(len(x), 4, side, 4, side).mean(axis=(2, 4))
    x = conv(pooled, normed(t, f"{name}.main.1"), 0)
    return expit(conv(x * expit(x), normed(t, f"{name}.main.3"), 0))


def layer(
    t: Weights,
    conv_name: str,
    norm: str,
    x: Array,
    noise: tuple[str, Array] | None,
    y: Array | None,
) -> Array:
    """A convolution, noise by its strength, norm and gate."""
    x = conv(x, normed(t, conv_name), 1)
    if noise is not None:
        x = x + t[f"{noise[0]}.weight"] * noise[1]
    return gated(batch_norm(t, norm, x) if y is None else class_norm(t, norm, x, y))


def block(t: Weights, name: str, x: Array, noise: Sequence[Array], y: Array | None) -> Array:
    """A block by the names that it has with labels (y) or without them."""
    x = x.repeat(2, axis=1).repeat(2, axis=2)
    if y is None and not noise:
        return layer(t, f"{name}.1", f"{name}.2", x, None, y)
    if y is None:
        x = layer(t, f"{name}.1", f"{name}.3", x, (f"{name}.2", noise[0]), y)
        return layer(t, f"{name}.5", f"{name}.7", x, (f"{name}.6", noise[1]), y)
    if not noise:
        return layer(t, f"{name}.conv", f"{name}.bn", x, None, y)
    x = layer(t, f"{name}.conv1", f"{name}.bn1", x, (f"{name}.noise", noise[0]), y)
    return layer(t, f"{name}.conv2", f"{name}.bn2", x, (f"{name}.noise", noise[1]), y)


def image(
    t: Weights, z: Array, label: int | None, noise: Mapping[int, Sequence[Array]], resolution: int
) -> Array:
    """Render one z [z_dim]; ``noise`` has the maps [r,r] of each resolution, () for none."""
    x = z / np.sqrt((z**2).mean() + 1e-8)
    first = normed(t, "init.init.0", swapped=True)
    x = np.einsum("i,iohw->ohw", x, first)
    y = None if label is None else t["embed.weight"][label]
    features = {4: gated(batch_norm(t, "init.init.1", x))}
    size = 4
    while size < resolution:
        x, size = features[size], 2 * size
        x = block(t, f"feat_{size}", x, noise.get(size, ()), y)
        if 64 <= size <= 512:
            x = x * excitation(t, f"se_{size}", features[size // 16])
        features[size] = x
    return conv(x, normed(t, "to_big"), 1) + t["to_big.bias"][:, None, None]
