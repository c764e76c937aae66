"""StyleGAN-XL's mapping written down plainly in float64 numpy (section 3, Sauer et al. 2022).

It shares no code with the library and reads a state dict by its official names. Its synthesis is
StyleGAN3's, see ``stylegan3_reference``.
"""

import math

import numpy as np
from numpy.typing import NDArray

from tests.support.reference import Weights

Array = NDArray[np.float64]


def _unit(x: Array) -> Array:
    return x / np.sqrt((x**2).mean() + 1e-8)


def _dense(t: Weights, name: str, x: Array, rate: float) -> Array:
    weight = t[f"{name}.weight"]
    y = weight @ x * (rate / math.sqrt(weight.shape[1])) + t[f"{name}.bias"] * rate
    return np.where(y > 0, y, 0.2 * y) * math.sqrt(2)


def mapping(t: Weights, z: Array, classes: list[int] | None, psi: float = 1.0) -> Array:
    """Map z [N,z_dim] and class numbers to w [N,w_dim]."""
    found = []
    for i, row in enumerate(z):
        x = _unit(row)
        if classes is not None:
            features = t["mapping.embed.weight"][classes[i]]
            x = np.concatenate([x, _unit(_dense(t, "mapping.embed_proj", features, 1.0))])
        for name in ("mapping.fc0", "mapping.fc1"):
            x = _dense(t, name, x, 0.01)
        centre = t["mapping.w_avg"] if classes is None else t["mapping.w_avg"][classes[i]]
        found.append(centre + psi * (x - centre))
    return np.array(found)
