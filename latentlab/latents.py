"""Drawing, mixing, reading and writing latents."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.checks import check_shape
from latentlab.errors import LatentError, SettingsError, quoted
from latentlab.networks.generator import Generator
from latentlab.numerics import Stream, full_precision
from latentlab.tensor_files import read_npz, write_npz

# Section 3.1, Karras et al. 2019: the styles of 4x4 and 8x8, of 16x16 and 32x32, and of the rest.
# First layer and the one after the last; every resolution has two.
STYLE_RANGES: Mapping[str, tuple[int, int | None]] = MappingProxyType(
    {"coarse": (0, 4), "middle": (4, 8), "fine": (8, None)}
)
Z_KEY = "z"
W_KEY = "w"  # of projected_w.npz, as the StyleGAN tools write and read it
W_SAMPLES_SEED = 123  # of the published projector's w statistics

_USE = " for this generator"  # of what is read from files
_W_BATCH = 1000
_PARALLEL = 1e-7  # unit vectors that are no further apart, sideways, differ by rounding alone


def draw_z(indices: Iterable[int], z_dim: int, seed: int, stream: int = 0) -> Tensor:
    """Draw standard normal z [N,z_dim], each row from (seed, stream, its index) alone.

    The batch in which a sample is drawn never changes it.
    """
    rows = [np.random.default_rng([seed, stream, i]).standard_normal(z_dim) for i in indices]
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, z_dim))


def draw_labels(indices: Iterable[int], c_dim: int, seed: int, stream: int = 0) -> Tensor:
    """Draw one-hot labels [N,c_dim], every class equally likely, keyed as ``draw_z``."""
    key = stream + Stream.LABELS
    classes = [int(np.random.default_rng([seed, key, i]).integers(c_dim)) for i in indices]
    return torch.eye(c_dim)[classes]


def draw_noise(indices: Iterable[int], g: Generator, seed: int, stream: int = 0) -> list[Tensor]:
    """Draw noise maps [N,1,h,w], one per noise layer, each row keyed as ``draw_z``."""
    shapes = g.synthesis.noise_shapes
    sizes = [math.prod(shape) for shape in shapes]
    rngs = [np.random.default_rng([seed, stream + Stream.NOISE_MAPS, i]) for i in indices]
    rows = [rng.standard_normal(sum(sizes), dtype=np.float32) for rng in rngs]
    values = np.array(rows, np.float32).reshape(len(rows), sum(sizes))
    levels = torch.from_numpy(values).split(sizes, dim=1)
    maps = [level.reshape(-1, *shape[1:]) for level, shape in zip(levels, shapes, strict=True)]
    return _as_noise(g, maps)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Interpolate on the unit sphere: a [N,D] at t = 0, b at t = 1, each brought to length 1.

    Computed in float64 on the CPU, so that tiny steps survive. Between opposite vectors, whose
    great circle is not unique, it takes the one through the axis along which a is shortest.

    Args:
        a: First ends [N,D].
        b: Last ends [N,D].
        t: Places [N] between them.
    """
    a, b = (F.normalize(x.detach().cpu().double(), dim=1) for x in (a, b))
    t = t.detach().cpu().double()[:, None]
    cosine = (a * b).sum(dim=1, keepdim=True).clamp(-1, 1)
    across = b - cosine * a
    axis = F.one_hot(a.abs().argmin(dim=1), a.shape[1]).double()
    axis = axis - (axis * a).sum(dim=1, keepdim=True) * a
    across = torch.where(across.norm(dim=1, keepdim=True) > _PARALLEL, across, axis)
    angle = t * torch.acos(cosine)
    return F.normalize(a * angle.cos() + F.normalize(across, dim=1) * angle.sin(), dim=1)


def z_from_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Draw z [N,z_dim] as the field does for ``--seeds``: RandomState(seed).randn(1, z_dim)."""
    rows = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return torch.from_numpy(np.concatenate(rows).astype(np.float32))


def noise_from_seed(seed: int, g: Generator) -> list[Tensor]:
    """Draw one noise map [1,1,h,w] per layer as NVIDIA's TensorFlow script does for ``--seeds``.

    There z is drawn first from RandomState(seed), and the maps follow in the order of layers.
    """
    rng = np.random.RandomState(seed)
    rng.randn(1, g.z_dim)
    maps = [rng.randn(*shape).astype(np.float32) for shape in g.synthesis.noise_shapes]
    return _as_noise(g, [torch.from_numpy(level) for level in maps])


def _as_noise(g: Generator, normal: Sequence[Tensor]) -> list[Tensor]:
    """Bring standard normal maps to the distribution of a generator's noise; any class will do."""
    change = getattr(g.synthesis, "as_noise", None)
    return list(normal) if change is None else [change(level) for level in normal]


def w_statistics(
    g: Generator, samples: int = 10_000, c: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean w [w_dim] and the deviation of w, a scalar, over untruncated samples.

    The deviation is the root of the squared deviations summed over dimensions and averaged over
    samples, as in the published projector: it is not divided by w_dim.

    Args:
        g: The generator.
        samples: Number of z, drawn from RandomState(123).
        c: Label [1,c_dim] of a conditional generator; None uses every class equally.
    """
    w = sampled_w(g, samples, c)
    mean = w.mean(dim=0)
    deviation = (w - mean).square().sum(dim=1).mean().sqrt()
    dtype, device = g.w_mean.dtype, g.device
    return mean.to(dtype).to(device), deviation.to(dtype).to(device)


@torch.no_grad()
@full_precision()
def sampled_w(g: Generator, samples: int, c: Tensor | None = None) -> Tensor:
    """Return untruncated w [samples,w_dim] of z from RandomState(123), in float64 on the CPU."""
    z = torch.from_numpy(np.random.RandomState(W_SAMPLES_SEED).randn(samples, g.z_dim))
    parts = []
    for start in range(0, samples, _W_BATCH):
        rows = z[start : start + _W_BATCH].to(g.w_mean.dtype).to(g.device)
        labels = labels_in_turn(g, range(start, start + len(rows)), c)
        parts.append(g.mapping(rows, labels)[:, 0].cpu().double())
    return torch.cat(parts)


def labels_in_turn(g: Generator, indices: Iterable[int], c: Tensor | None = None) -> Tensor | None:
    """Return a label [N,c_dim] for each sample's index: ``c`` for all, or every class in turn.

    A generator without labels gets None.

    Raises:
        LatentError: If ``c`` is not [1,c_dim].
    """
    if g.c_dim == 0:
        return None
    classes, weight = [i % g.c_dim for i in indices], next(g.parameters())
    if c is None:
        return torch.eye(g.c_dim)[classes].to(weight)
    check_shape(c, [1, g.c_dim], "c")
    return c.to(weight).expand(len(classes), -1)


def one_hot(label: int, c_dim: int, count: int = 1) -> Tensor:
    """Return a class number as labels [count,c_dim].

    Raises:
        SettingsError: If the generator has no such class.
    """
    if c_dim == 0:
        raise SettingsError("this generator has no labels", advice=["leave `class` out"])
    if not 0 <= label < c_dim:
        raise SettingsError(f"`class` must be 0 to {c_dim - 1} for this generator, but got {label}")
    return torch.eye(c_dim)[[label] * count]


def style_layers(layers: str | Iterable[int], num_ws: int) -> list[int]:
    """Return the numbers of layers, sorted and each once, checked against a generator.

    Args:
        layers: "coarse" (layers 0-3), "middle" (4-7) or "fine" (8 and up), or numbers.
        num_ws: Number of the generator's layers.

    Raises:
        LatentError: If all layers share one w.
        SettingsError: If there is no such layer.
    """
    if num_ws < 2:
        raise LatentError("this generator takes one w for all its layers: no styles to mix")
    here = f"this generator has layers 0 to {num_ws - 1}"
    if not isinstance(layers, str):
        chosen = sorted(set(layers))
        if not chosen or chosen[0] < 0 or chosen[-1] >= num_ws:
            found = ", ".join(map(str, chosen[:8])) + (", ..." if len(chosen) > 8 else "")
            raise SettingsError(f"{here}, but `layers` is {found or 'empty'}")
        return chosen
    if layers not in STYLE_RANGES:
        known = ", ".join(STYLE_RANGES)
        raise SettingsError(f"`layers` must be {known} or numbers, but got {quoted(layers)}")
    start, stop = STYLE_RANGES[layers]
    if start >= num_ws:
        size = 2 ** (start // 2 + 2)
        raise SettingsError(f"{here}; {layers} styles begin with layer {start}, at {size}x{size}")
    return list(range(num_ws))[start:stop]


def mix_styles(ws: Tensor, other: Tensor, layers: Iterable[int]) -> Tensor:
    """Take the given layers from ``other`` and the rest from ``ws``, both [N,num_ws,w_dim].

    Style mixing as in section 3.1 of Karras et al. 2019.

    Raises:
        LatentError: If the shapes differ, or there is no such layer.
    """
    check_shape(other, list(ws.shape), "other")
    chosen = sorted(set(layers))
    if chosen and not (chosen[0] >= 0 and chosen[-1] < ws.shape[1]):
        raise LatentError(f"`layers` must be within 0 to {ws.shape[1] - 1}, but got {chosen}")
    mixed = ws.clone()
    mixed[:, chosen] = other[:, chosen]
    return mixed


def save_ws(path: Path | str, ws: Tensor) -> None:
    """Write latents [N,num_ws,w_dim] as .npz with key ``w``, as other StyleGAN tools read them."""
    write_npz(path, {W_KEY: ws})


def save_z(path: Path | str, z: Tensor) -> None:
    """Write latents z [N,z_dim] as .npz with key ``z``."""
    write_npz(path, {Z_KEY: z})


def load_ws(path: Path | str, g: Generator) -> Tensor:
    """Read latents for a generator from .npz: [N,num_ws,w_dim], float32.

    Raises:
        LatentError: If the file is damaged or does not fit the generator.
    """
    shapes = {W_KEY: [("N", g.num_ws, g.w_dim)]}
    return torch.from_numpy(read_npz(path, shapes, _USE, np.float32)[W_KEY])


def save_noise(path: Path | str, noise: Sequence[Tensor]) -> None:
    """Write noise maps, one [N,1,h,w] per layer, as .npz with keys ``noise_0``, ``noise_1``, ..."""
    write_npz(path, {f"noise_{i}": level for i, level in enumerate(noise)})


def load_noise(path: Path | str, g: Generator) -> list[Tensor]:
    """Read the noise maps for a generator from .npz: one [N,1,h,w] per layer, float32.

    Raises:
        LatentError: If the file is damaged or does not fit the generator.
    """
    shapes = {f"noise_{i}": [("N", *shape[1:])] for i, shape in enumerate(g.synthesis.noise_shapes)}
    found = read_npz(path, shapes, _USE, np.float32)
    maps = {key: torch.from_numpy(level) for key, level in found.items()}
    counts = {key: len(level) for key, level in maps.items()}
    if len(set(counts.values())) > 1:
        raise LatentError(f"{path}: the maps are for different numbers of images: {counts}")
    return list(maps.values())
