"""Simulated attributes of linear separability, and the sides of planes that their samples are on.

Latents are Gaussian; an attribute's logit is a plane with noise, of which the most confident half
is kept. Attributes are of five kinds: "hard", "middle" and "easy" have classes of equal size
(correlation of the logit with the plane 0.4, 0.7, 0.9); "10 %" and "2 %" are the share of positives
kept (0.8). The second half of them have planes that share 0.8 with one of the first half, and noise
that shares 0.5, as attributes of similar models, or of one, do.

Planes are fitted by Newton steps (benchmarks/separability/machines.py). Fits take nearly all of
the time, so they are kept in a folder if one is named: what is derived from them can then change
without them, and a stopped simulation continues.
"""

import math
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from benchmarks.separability.machines import fit_newton, planes_of
from metrics.separability.entropy import LEFT_OUT, conditional_entropy
from metrics.separability.planes import Planes

KINDS = {"hard": (0.4, 0.5), "middle": (0.7, 0.5), "easy": (0.9, 0.5),
         "10 %": (0.8, 0.1), "2 %": (0.8, 0.02)}  # fmt: skip
SPACE = "z"
_SHARED_PLANE, _SHARED_NOISE = 0.8, 0.5
_REACH = 9.0  # standard deviations that integrals go to


class Cell(NamedTuple):
    """What is simulated.

    Attributes:
        d: Dimensions.
        each: Samples kept of each attribute, for each dimension.
        attributes: How many; twice a multiple of the kinds.
    """

    d: int
    each: int
    attributes: int

    def kinds(self) -> list[str]:
        """Return the kind of each attribute."""
        names = [*KINDS]
        return [names[i % len(names)] for i in range(self.attributes)]


def fits(cell: Cell, seed: int, folder: Path | None) -> tuple[Planes, Planes]:
    """Return the planes of all attributes, and those of the last half with half of the samples.

    Args:
        cell: What is simulated.
        seed: The number of the repetition.
        folder: Where fits are kept.
    """
    file = _file(cell, seed, folder)
    if file is None or not file.exists():
        z, logits = draw(cell, np.random.default_rng([seed, cell.d, cell.d * cell.each]))
        half = len(z) // 2
        whole = fit_newton(SPACE, z, logits, half, seed)
        last = logits[cell.attributes // 2 :, :half]
        fewer = fit_newton(SPACE, z[:half], last, half // 2, seed)
        if file is not None:
            _keep(file, whole, fewer)
        return whole, fewer
    with np.load(file, allow_pickle=False) as arrays:
        return _opened(arrays, "whole"), _opened(arrays, "fewer")


def has_fits(cell: Cell, seed: int, folder: Path | None) -> bool:
    """Say whether the fits of a repetition are kept."""
    file = _file(cell, seed, folder)
    return file is not None and file.exists()


def _file(cell: Cell, seed: int, folder: Path | None) -> Path | None:
    name = f"{cell.d}x{cell.each}-{cell.attributes}"
    return None if folder is None else folder / name / f"{seed:04d}.npz"


def _keep(file: Path, whole: Planes, fewer: Planes) -> None:
    """Write the sides of planes, a bit for each sample."""
    arrays = {}
    for name, planes in (("whole", whole), ("fewer", fewer)):
        kept = planes.cells != LEFT_OUT
        bits = (kept, kept & (planes.cells % 2 > 0), kept & (planes.cells >= 2),
                kept & (planes.held_out >= 2))  # fmt: skip
        arrays[name] = np.packbits(np.stack(bits), axis=-1)
        arrays[f"{name} samples"] = np.array(kept.shape[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    with part.open("wb") as stream:
        np.savez(stream, **arrays)
    part.replace(file)


def _opened(arrays: "np.lib.npyio.NpzFile", name: str) -> Planes:
    bits = np.unpackbits(arrays[name], axis=-1, count=int(arrays[f"{name} samples"]))
    kept, classes, fitted, held_out = bits.astype(np.int8)
    cells, other = (np.where(kept, 2 * x + classes, LEFT_OUT) for x in (fitted, held_out))
    return planes_of(SPACE, cells, other)


def draw(cell: Cell, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw latents [2*kept,D], and logits of the attributes [A,2*kept]."""
    count, kept = cell.attributes, cell.d * cell.each
    half = count // 2
    planes = rng.standard_normal([count, cell.d])
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    planes[half:] = _SHARED_PLANE * planes[:half] + math.sqrt(1 - _SHARED_PLANE**2) * planes[half:]
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    z = rng.standard_normal([2 * kept, cell.d], dtype=np.float32)
    noise = rng.standard_normal([count, 2 * kept])
    noise[half:] = _SHARED_NOISE * noise[:half] + math.sqrt(1 - _SHARED_NOISE**2) * noise[half:]
    settings = [KINDS[kind] for kind in cell.kinds()]
    correlation = np.array([each for each, _ in settings])[:, None]
    shift = np.array([cut(share)[0] for _, share in settings])[:, None]
    return z, shift + correlation * (planes @ z.T) + np.sqrt(1 - correlation**2) * noise


@cache
def cut(share: float) -> tuple[float, float]:
    """Return the shift of a logit, and the size that half of all exceed, for a share of positives.

    Of N(shift, 1), a half is beyond the size, and of these the share is positive.
    """

    def wrong(x: NDArray[np.float64]) -> list[float]:
        shift, size = x
        above, below = stats.norm.sf(size - shift), stats.norm.cdf(-size - shift)
        return [above + below - 0.5, above - share / 2]

    shift, size = optimize.root(wrong, [stats.norm.ppf(share), 0.7], tol=1e-12).x
    return float(shift), float(size)


@cache
def limit(kind: str) -> float:
    """Return the entropy in bits that the plane of least squared hinge loss leaves open."""
    correlation, share = KINDS[kind]
    shift, size = cut(share)
    noise = math.sqrt(1 - correlation**2)
    s = np.linspace(-_REACH, _REACH, 20001)
    density = stats.norm.pdf(s)
    positive = density * stats.norm.sf((size - shift - correlation * s) / noise)
    negative = density * stats.norm.cdf((-size - shift - correlation * s) / noise)

    def loss(plane: NDArray[np.float64]) -> float:
        value = plane[0] * s + plane[1]
        lost = positive * np.maximum(0, 1 - value) ** 2 + negative * np.maximum(0, 1 + value) ** 2
        return float(integrate.trapezoid(lost, s))

    slope, offset = optimize.minimize(loss, [1.0, 0.0], method="BFGS", tol=1e-12).x
    beyond = _bivariate(-offset / slope, size - shift, correlation)
    lost = _bivariate(-offset / slope, -size - shift, correlation, below=True)
    cells = [[beyond, lost], [share / 2 - beyond, (1 - share) / 2 - lost]]
    return float(conditional_entropy(np.array(cells)))


def _bivariate(at: float, logit: float, correlation: float, below: bool = False) -> float:
    """Return P(s > at, l > logit) of standard normal variables, or with l below."""
    both = stats.multivariate_normal.cdf([-at, -logit], cov=[[1, correlation], [correlation, 1]])
    return float(stats.norm.sf(at) - both if below else both)
