"""What the TensorFlow networks are made of, in float64 numpy, on variables by their own names.

Written from the papers and from descriptions of the released systems; it shares no code with the
library. A ``Scope`` hands out variables by name. One with a random source makes those that are
missing, so that every name and shape of a test file is decided here.

Images are [N,C,H,W]; convolution weights [k,k,I,O], dense weights [I,O], as TensorFlow has them.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SQRT2 = math.sqrt(2)


class Scope:
    """Variables by name, with TensorFlow's nesting of names."""

    def __init__(
        self,
        variables: Mapping[str, Any] | None = None,
        rng: np.random.RandomState | None = None,
    ) -> None:
        self.variables = dict(variables or {})  # as they are in a file, float32
        self.rng = rng
        self.path: list[str] = []

    @contextmanager
    def within(self, *names: str) -> Iterator[None]:
        before = self.path
        self.path = [*before, *names]
        yield
        self.path = before

    def __call__(self, name: str, shape: tuple[int, ...], std: float = 1.0) -> Array:
        full = "/".join([*self.path, name])
        if full not in self.variables and self.rng is not None:
            self.variables[full] = np.float32(self.rng.randn(*shape) * std)
        found = np.asarray(self.variables[full], np.float64)
        assert found.shape == shape, full
        return found


# Operations.


def act(x: Array, kind: str = "lrelu") -> Array:
    return np.where(x > 0, x, x * {"lrelu": 0.2, "relu": 0.0}[kind])


def pixel_norm(x: Array, epsilon: float = 1e-8) -> Array:
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)


def weight(v: Scope, shape: tuple[int, ...], gain: float, lrmul: float = 1.0, wscale: bool = True,
           name: str = "weight") -> Array:  # fmt: skip
    he = gain / math.sqrt(math.prod(shape[:-1]))
    return v(name, shape, (1 if wscale else he) / lrmul) * (he if wscale else 1) * lrmul


def dense(v: Scope, x: Array, maps: int, gain: float, lrmul: float = 1.0, wscale: bool = True,
          name: str = "weight") -> Array:  # fmt: skip
    flat = x.reshape(len(x), -1)
    return flat @ weight(v, (flat.shape[1], maps), gain, lrmul, wscale, name)


def bias(v: Scope, x: Array, lrmul: float = 1.0, name: str = "bias") -> Array:
    b = v(name, (x.shape[1],), 0.3 / lrmul) * lrmul
    return x + b.reshape(1, -1, *[1] * (x.ndim - 2))


def correlate(x: Array, w: Array, pad: tuple[int, int], stride: int = 1) -> Array:
    """Sum over the kernel of shifted images, each times a matrix [I,O]."""
    x = np.pad(x, [(0, 0), (0, 0), pad, pad])
    size = (x.shape[2] - len(w)) // stride + 1
    out = np.zeros([len(x), w.shape[3], size, size])
    for a, b in np.ndindex(w.shape[:2]):
        part = x[:, :, a : a + stride * size : stride, b : b + stride * size : stride]
        out += np.einsum("nihw,io->nohw", part, w[a, b])
    return out


def transposed(x: Array, w: Array) -> Array:
    """Every pixel throws the kernel [k,k,I,O] onto the output, two pixels apart."""
    size = 2 * (x.shape[2] - 1) + len(w)
    out = np.zeros([len(x), w.shape[3], size, size])
    span = 2 * x.shape[2] - 1
    for a, b in np.ndindex(w.shape[:2]):
        out[:, :, a : a + span : 2, b : b + span : 2] += np.einsum("nihw,io->nohw", x, w[a, b])
    return out


def same(x: Array, w: Array) -> Array:
    return correlate(x, w, (len(w) // 2, len(w) // 2))


def nearest(x: Array) -> Array:
    return x.repeat(2, axis=2).repeat(2, axis=3)


def box(x: Array) -> Array:
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def blur(x: Array, taps: list[float] | None) -> Array:
    if not taps:
        return x
    f = np.outer(taps, taps) / np.sum(taps) ** 2
    k = len(taps) - 1
    eye = np.eye(x.shape[1])
    return correlate(x, f[:, :, None, None] * eye, (k // 2, k - k // 2))


def spread(w: Array) -> Array:
    """The 4x4 kernel of a 3x3 one: itself at four places, added."""
    out = np.zeros([len(w) + 1, len(w) + 1, *w.shape[2:]])
    for a, b in np.ndindex(2, 2):
        out[a : a + len(w), b : b + len(w)] += w
    return out


def fir(x: Array, taps: list[float] | None, pad: tuple[int, int], gain: float = 1.0) -> Array:
    """True convolution of every channel with the outer product of the taps, of sum ``gain``."""
    taps = taps or [1, 1]
    f = np.outer(taps, taps)[::-1, ::-1] / np.sum(taps) ** 2 * gain
    return correlate(x, f[:, :, None, None] * np.eye(x.shape[1]), pad)


def up(x: Array, taps: list[float] | None) -> Array:
    wide = np.zeros([*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]])
    wide[:, :, ::2, ::2] = x
    p = len(taps or [1, 1]) - 2
    return fir(wide, taps, ((p + 1) // 2 + 1, p // 2), 4)


def down(x: Array, taps: list[float] | None) -> Array:
    p = len(taps or [1, 1]) - 2
    return fir(x, taps, ((p + 1) // 2, p // 2))[:, :, ::2, ::2]


def conv_up(x: Array, w: Array, taps: list[float] | None) -> Array:
    p = len(taps or [1, 1]) - 2 - (len(w) - 1)
    return fir(transposed(x, w[::-1, ::-1]), taps, ((p + 1) // 2 + 1, p // 2 + 1), 4)


def conv_down(x: Array, w: Array, taps: list[float] | None) -> Array:
    p = len(taps or [1, 1]) - 2 + (len(w) - 1)
    return correlate(fir(x, taps, ((p + 1) // 2, p // 2)), w, (0, 0), stride=2)


def is_fused(setting: object, size: int) -> bool:
    return size >= 128 if setting == "auto" else bool(setting)


def maps_at(o: Mapping[str, Any], stage: int) -> int:
    wanted = int(o["fmap_base"] / 2 ** (stage * o["fmap_decay"]))
    return min(max(wanted, o.get("fmap_min", 1)), o["fmap_max"])


def mixed(a: Array, b: Array, t: float) -> Array:
    return a + (b - a) * min(max(t, 0.0), 1.0)


def grouped_std(x: Array, group: int | None, features: int) -> Array:
    """Append the deviation within groups: sample i is with those of the same i mod count."""
    count = len(x) // min(group or len(x), len(x))
    n, channels, height, width = x.shape
    out = np.zeros([n, features, height, width])
    for i, f in np.ndindex(n, features):
        part = slice(f * channels // features, (f + 1) * channels // features)
        mates = x[i % count :: count, part]
        out[i, f] = np.sqrt(mates.var(axis=0) + 1e-8).mean()
    return np.concatenate([x, out], axis=1)


def mapping(v: Scope, z: Array, c: Array, o: Mapping[str, Any], stylegan2: bool = False) -> Array:
    """Return w [N,dlatent_size]; StyleGAN2 has its gain after the bias."""
    x = z
    if o["label_size"]:
        with v.within("LabelConcat"):
            x = np.concatenate([z, c @ v("weight", (o["label_size"], z.shape[1]))], axis=1)
    x = pixel_norm(x) if o["normalize_latents"] else x
    for i in range(o["mapping_layers"]):
        last = i == o["mapping_layers"] - 1
        width = o["dlatent_size"] if last else o["mapping_fmaps"]
        with v.within(f"Dense{i}"):
            lr, wscale = o["mapping_lrmul"], o.get("use_wscale", True)
            x = dense(v, x, width, 1 if stylegan2 else SQRT2, lr, wscale)
            x = act(bias(v, x, lr), o["mapping_nonlinearity"]) * (SQRT2 if stylegan2 else 1)
    return x


def truncated(ws: Array, mean: Array, psi: float | None, cutoff: int | None) -> Array:
    layers = np.arange(ws.shape[1])[None, :, None]
    chosen = layers < (ws.shape[1] if cutoff is None else cutoff)
    return np.where(chosen & (psi is not None), mean + (ws - mean) * (psi or 0.0), ws)
