"""Perceptual path length in Z and W (section 4.1, Karras et al. 2019).

How much the image changes under a small step along a path between two random latents: the
perceptual distance of both ends of the step, divided by the squared step, averaged over paths.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, SettingsError
from latentlab.acceleration import check_exact, is_compiled
from latentlab.checks import check, check_shape
from latentlab.images import COMPARED_ON, alpha_facts, averaged, check_channels, shrink, views
from latentlab.numerics import full_precision
from latentlab.perceptual import MAX_RESOLUTION
from metrics import percentile_filter
from metrics.path_protocols import EPSILON, PathProtocol, latents_along, paths
from metrics.percentile_filter import filtered_mean, kept, left_out
from metrics.result import Caution, MetricResult
from metrics.sampling import (
    Arrays,
    Finished,
    Progress,
    batch_size,
    check_counts,
    in_batches,
    render,
    shifted,
    whole_groups,
)
from metrics.scheme import LOWER, PER_SQUARED_STEP
from metrics.statistics import UNKNOWN, Uncertainty

Distance = Callable[[Tensor, Tensor], Tensor]

_FEW = 1000  # paths, below which we warn
_BIASED = 0.01  # share of the value by which its filter raises it, from which we say so
_FIRST_LOOK = 500  # samples after which an early stop is first thought of
_LOOK_GROWTH = 1.25  # from one look to the next


@full_precision()
def perceptual_path_length(  # noqa: PLR0913 - one for each setting
    g: Generator,
    distance: Distance,
    space: str = "w",
    sampling: str = "end",
    num_samples: int = 50_000,
    crop: bool = False,
    seed: int = 0,
    *,
    epsilon: float = EPSILON,
    noise: str = "random",
    relative_width: float | None = None,
    batch: int | None = None,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> MetricResult:
    """Measure the perceptual path length, without truncation.

    Args:
        g: The generator; labels of a conditional one are drawn at random, one per path.
        distance: From ``perceptual_distance``, or any callable on two image batches.
        space: "z" or "w".
        sampling: "full" or "end", see PathProtocol.
        num_samples: Number of paths; 50,000 is StyleGAN2's, 100,000 StyleGAN1's.
        crop: Whether to compare only the middle of a face.
        seed: Of latents, places, labels and noise.
        epsilon: Length of the step as a share of the path.
        noise: "random" or "const", see PathProtocol.
        relative_width: Stop early, once the 95 % interval is narrower than this share of the
            value; ``settings`` say.
        batch: Paths at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the paths done and in all.

    Returns:
        One row; ``samples`` has ``path_length`` of each path, and whether the mean ``kept`` it.

    Raises:
        LatentError: If ``space`` is "w" and the generator has none, or its images are no pictures.
        SettingsError: If a setting is out of range.
        NumericalError: If a distance is not finite.
    """
    protocol = PathProtocol(space, sampling, crop, epsilon, noise)
    check_channels(g.channels)
    check_counts(num_samples=num_samples, seed=seed, batch=batch)
    wide = relative_width is None or relative_width > 0
    check(wide, "relative_width", "a positive number", relative_width)
    pairs = batch_size(g, batch)
    check_exact(distance)
    fast = is_compiled(g) or is_compiled(distance)
    arrays: Arrays = {}

    def compute(samples: range) -> Arrays:
        path = paths(g, protocol, whole_groups(samples), seed)
        found = pair_distances(g, distance, *path.ends, path.t, space, epsilon, crop,
                               c=path.c, noise=path.noise)  # fmt: skip
        return {"path_length": found[: len(samples)].cpu().double().numpy()}

    start = 0
    for stop in _looks(num_samples, relative_width):
        told = shifted(progress, 0, num_samples)
        new = in_batches(compute, range(start, stop), pairs, finished, told)
        arrays = {k: np.concatenate([arrays[k], v]) if arrays else v for k, v in new.items()}
        row, start = _estimate(arrays["path_length"], seed), stop
        if row["ci_high"] - row["ci_low"] < (relative_width or 0) * row["value"]:
            break
    settings = {
        "protocol": protocol.name, **asdict(protocol), "n": start, "seed": seed,
        "distance": _name_of(distance), "resolution": g.resolution,
        "stopped_early": start < num_samples, "relative_width": relative_width,
        **alpha_facts(g.channels, COMPARED_ON), **({"compiled": True} if fast else {}),
    }  # fmt: skip
    lengths = arrays["path_length"]
    table = {"sample": np.arange(start), "path_length": lengths, "kept": kept(lengths)}
    seconds = float(arrays["seconds"].sum())
    rows, samples = pd.DataFrame([row]), pd.DataFrame(table)
    return MetricResult("path_length", rows, settings, samples, seconds,
                        cautions(settings, percentile_filter.bias(lengths)))  # fmt: skip


def cautions(settings: Mapping[str, Any], bias: float = 0.0) -> tuple[Caution, ...]:
    """Say what there is to doubt about a path length that was measured with these settings.

    ``bias`` is how much too high its filter leaves it, as a share, see ``percentile_filter.bias``.
    """
    n, found = settings["n"], []
    if n < _FEW:
        all_of = "" if left_out(n) else ", as none is left out"
        found.append(f"Few paths: a handful of long ones decides the mean of {n:,} and its "
                     f"interval{all_of}; use {_FEW:,} or more.")  # fmt: skip
    if abs(bias) >= _BIASED:
        side = "high" if bias > 0 else "low"
        found.append(f"The published filter leaves out {left_out(n):,} of {n:,} paths at either "
                     f"end, where one percent is {n / 100:,.6g}: the value is about "
                     f"{100 * abs(bias):.1f} % too {side}, which its interval allows "
                     "for.")  # fmt: skip
    if settings.get("stopped_early"):
        found.append(f"Stopped early after {n:,} paths, as asked, once the interval was narrow: "
                     "such intervals are a little too narrow.")  # fmt: skip
    if settings.get("noise") == "const":
        found.append("With stored noise maps, where the published protocol draws new ones.")
    return tuple(map(Caution, found))


@torch.no_grad()
def pair_distances(
    g: Generator,
    distance: Distance,
    z0: Tensor,
    z1: Tensor,
    t: Tensor | float,
    space: str = "w",
    epsilon: float = EPSILON,
    crop: bool = False,
    *,
    c: Tensor | None = None,
    noise: list[Tensor] | None = None,
) -> Tensor:
    """Return the path length [N] at places given by hand: distances over a step, by its square.

    Args:
        g: The generator.
        distance: From ``perceptual_distance``, or any callable on two image batches.
        z0: Latents [N,z_dim] where paths start.
        z1: Latents [N,z_dim] where paths end.
        t: Places [N] on the paths, from 0 to 1, or one for all.
        space: "z" or "w".
        epsilon: Length of the step.
        crop: Whether to compare only the middle of a face.
        c: Labels [N,c_dim], the same along a path.
        noise: Maps given by hand, one [N|1,1,h,w] per noise layer; None takes the stored ones.
    """
    PathProtocol(space, crop=crop, epsilon=epsilon)  # checks them
    for name, z in (("z0", z0), ("z1", z1)):
        check_shape(z, [len(z0), g.z_dim], name)
    t = torch.as_tensor(t, dtype=torch.float64).reshape(-1).expand(len(z0))
    steps = (t, t + epsilon)
    labels = None if c is None else torch.cat([c, c])
    latents = latents_along(g, z0, z1, steps, space, c)
    if noise is not None:  # for both ends; one map for all stays as it is
        noise = [level if len(level) == 1 else torch.cat([level, level]) for level in noise]
    images = render(g, latents, labels, noise)
    seen = [shrink(view, MAX_RESOLUTION) for view in views(face_crop(images) if crop else images)]
    found = [distance(*pair.chunk(2)).reshape(len(z0)) for pair in seen]
    return averaged(found) / epsilon**2


def face_crop(images: Tensor) -> Tensor:
    """Cut the middle of a face out of images [N,C,R,R]: half the side, slightly low, as published.

    Raises:
        SettingsError: If the images are below 8 pixels.
    """
    unit = images.shape[-1] // 8
    if unit == 0:
        raise SettingsError(
            f"the face crop needs images of 8 pixels or more, not {images.shape[-1]}"
        )
    return images[:, :, 3 * unit : 7 * unit, 2 * unit : 6 * unit]


def difference_of(a: MetricResult, b: MetricResult, _: str = "") -> Uncertainty | None:
    """Return the uncertainty of a path length b - a; None where the paths are not at hand.

    Paths of one seed and number belong together, also where one model has more of them.
    """
    if not (_has_paths(a) and _has_paths(b)):
        return None
    if min(len(a.samples), len(b.samples)) < 2:
        return UNKNOWN
    before, after = map(_resampled_of, (a, b))
    change = (y - x for x, y in zip(before, after, strict=True))
    return percentile_filter.uncertainty(b.value - a.value, percentile_filter.Resampled(*change))


def _has_paths(result: MetricResult) -> bool:
    """Whether a result, perhaps of a file, holds the paths that it was made from."""
    lengths, seed = result.samples.get("path_length"), result.settings.get("seed")
    return lengths is not None and lengths.dtype == np.float64 and isinstance(seed, int)


def _resampled_of(result: MetricResult) -> percentile_filter.Resampled:
    lengths = result.samples["path_length"].to_numpy(np.float64)
    return _resampled(_Paths(lengths.tobytes(), result.settings["seed"], lengths))


@dataclass(frozen=True)
class _Paths:
    """Path lengths that a cache can tell from others, by their bytes."""

    content: bytes
    seed: int
    lengths: NDArray[np.float64] = field(compare=False)


@lru_cache(maxsize=64)  # a model is compared with each of the others
def _resampled(paths_of_one: _Paths) -> percentile_filter.Resampled:
    return percentile_filter.resample(paths_of_one.lengths, paths_of_one.seed)


def _estimate(lengths: NDArray[np.float64], seed: int) -> dict[str, Any]:
    value = filtered_mean(lengths)  # first, as it refuses what is not finite
    spread = percentile_filter.spread(lengths, seed)
    return {
        "quantity": "path length", "unit": PER_SQUARED_STEP, "better_when": LOWER,
        "value": value, **spread.columns(),
    }  # fmt: skip


def _looks(num_samples: int, relative_width: float | None) -> list[int]:
    """Return the numbers of samples after which an early stop is thought of, the last one whole.

    They depend on nothing else, so that batches and processes do not change where it stops.
    """
    looks, look = [], float(_FIRST_LOOK)
    while relative_width is not None and look < num_samples:
        looks.append(math.ceil(look))
        look *= _LOOK_GROWTH
    return [*looks, num_samples]


def _name_of(distance: Distance) -> str:
    return str(getattr(distance, "name", getattr(distance, "__name__", type(distance).__name__)))
