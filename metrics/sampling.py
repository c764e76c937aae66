"""The one batching helper: numbered samples in batches, the same whatever the batch or process."""

import time
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, NumericalError, distributed
from latentlab.acceleration import check_exact
from latentlab.checks import check_whole
from latentlab.devices import fitting
from latentlab.errors import reason
from latentlab.latents import draw_labels, draw_noise, draw_z
from latentlab.workers import computed

Arrays = dict[str, NDArray[Any]]  # what was computed of some samples, by name
Finished = MutableMapping[range, Arrays]  # of earlier, by sample numbers: a dict, or one on disk
Progress = Callable[[int, int], None]  # samples done, samples in all

# Matrix products compute the rows left over from whole groups by another routine, whose rounding
# differs; batches are therefore made of whole groups.
GROUP = 4

_ON_CPU, _ON_GPU = 2**16, 2**24  # pixels at once: on the CPU, what stays in the cache
_MOST_AT_ONCE = 256
# What a picture of a path needs: 1.3 GB at 1024x1024, and the distance's network (docs/costs.md).
_BYTES_PER_PIXEL, _BYTES_EACH = 1300, 2**28


def default_batch(g: Generator) -> int:
    """Images that are rendered at once where nobody says how many: whole groups."""
    pixels = g.resolution**2
    if device_of(g).type == "cpu":
        count = min(_ON_CPU // pixels, _MOST_AT_ONCE)
    else:
        most = min(_ON_GPU // pixels, _MOST_AT_ONCE)
        count = fitting(device_of(g), _BYTES_EACH + _BYTES_PER_PIXEL * pixels, most)
    return max(count // GROUP * GROUP, GROUP)


def batch_size(g: Generator, batch: int | None = None) -> int:
    """Samples at once, in whole groups: ``batch`` on a GPU; on the CPU always the default.

    Convolutions choose their routine, and with it their rounding, by the number of images, and
    differences over tiny steps magnify it. With one number for all, numbers from the CPU agree to
    the last bit, whatever ``batch``.

    Raises:
        SettingsError: If the generator computes in 16 bits, see ``latentlab.in_precision``.
    """
    check_exact(g)
    if batch is None or device_of(g).type == "cpu":
        return default_batch(g)
    return -(-batch // GROUP) * GROUP


def check_counts(**counts: int | None) -> None:
    """Raise SettingsError unless every count is None or a whole number from 1 (the seed: 0)."""
    for name, value in counts.items():
        if value is not None:
            whole = int(value) if isinstance(value, np.integer) else value
            check_whole(whole, name, 0 if name == "seed" else 1)


def in_batches(
    compute: Callable[[range], Arrays],
    samples: range,
    batch: int,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> Arrays:
    """Compute samples in batches and return what they gave, in the order of samples.

    ``seconds`` is added: what each sample took, in the run that computed it. Several processes
    share the batches, and all return everything; so do those of ``latentlab.workers``, for which
    ``compute`` may change nothing outside it. A batch that the device has no memory for is halved.

    Args:
        compute: Takes the numbers of some samples, and returns arrays whose rows follow them.
        samples: The samples to compute, of all.
        batch: Samples at once.
        finished: Batches of an earlier run, which are not computed again; new ones are added.
        progress: Called after every batch with the samples done and ``samples.stop``.
    """
    finished = {} if finished is None else finished
    cuts = range(samples.start, samples.stop, batch)
    batches = [range(start, min(start + batch, samples.stop)) for start in cuts]
    known = set.intersection(*distributed.gather({part for part in batches if part in finished}))
    done = samples.start + sum(map(len, known))
    parts = {part: finished[part] for part in known}
    mine = distributed.share([part for part in batches if part not in known])
    for part, arrays in computed(partial(_timed, compute), mine):
        parts[part] = finished[part] = arrays
        done = min(done + len(part) * distributed.size(), samples.stop)
        if progress is not None:
            progress(done, samples.stop)
    for others in distributed.gather({part: parts[part] for part in mine}):
        parts.update(others)
    rows = [parts[part] for part in batches]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def shifted(progress: Progress | None, shift: int, total: int) -> Progress | None:
    """Return what informs ``progress`` of samples that are a part of others: ``total`` in all."""
    return None if progress is None else lambda done, _: progress(done + shift, total)


def whole_groups(samples: Sequence[int]) -> list[int]:
    """Return the numbers with the last one repeated up to whole groups."""
    return [*samples, *[samples[-1]] * (-len(samples) % GROUP)]


def draw_samples(
    g: Generator, samples: Sequence[int], seed: int, stream: int
) -> tuple[Tensor, Tensor | None]:
    """Draw z [N,z_dim] and labels [N,c_dim] (None without labels) of numbered samples.

    They are float32, and float64 for a generator in float64.
    """
    z = draw_z(samples, g.z_dim, seed, stream)
    weight = _a_weight(g)
    if weight is not None:
        z = z.to(weight.device, torch.promote_types(z.dtype, weight.dtype))
    c = draw_labels(samples, g.c_dim, seed, stream).to(z) if g.c_dim else None
    return z, c


def draw_noise_maps(
    g: Generator, samples: Sequence[int], seed: int, stream: int
) -> list[Tensor] | None:
    """Draw the noise maps of numbered samples; None for a generator without noise."""
    if not getattr(g.synthesis, "noise_shapes", None):
        return None
    return [level.to(device_of(g)) for level in draw_noise(samples, g, seed, stream)]


def render(
    g: Generator, latents: Tensor, c: Tensor | None = None, noise: list[Tensor] | None = None
) -> Tensor:
    """Render z [N,z_dim] with labels c, or ws [N,num_ws,w_dim]: images [N,C,R,R].

    ``noise`` are maps by hand; None takes those stored with the network.
    """
    chosen = {} if noise is None else {"noise": noise}
    if latents.ndim == 3:
        images: Tensor = g.synthesis(latents, **chosen)
    elif has_w(g):
        images = g.synthesis(g.mapping(latents, c), **chosen)
    else:
        images = g(latents, c, **chosen)
    return images


def render_samples(g: Generator, samples: Sequence[int], seed: int, stream: int) -> Tensor:
    """Render numbered samples with random noise [N,C,R,R], each from (seed, its number) alone."""
    z, c = draw_samples(g, samples, seed, stream)
    return render(g, z, c, draw_noise_maps(g, samples, seed, stream))


def has_w(g: Generator) -> bool:
    """Whether the generator has a space W; foreign ones are taken to have one."""
    return bool(getattr(g, "has_w", True))


def device_of(g: Generator) -> torch.device:
    """Return where a generator computes; one without weights is on the CPU."""
    weight = _a_weight(g)
    return torch.device("cpu") if weight is None else weight.device


def _a_weight(g: Generator) -> Tensor | None:
    """Return one of the generator's weights; None where it has none, or is no module."""
    parameters = getattr(g, "parameters", None)
    return None if parameters is None else next(iter(parameters()), None)


def _timed(compute: Callable[[range], Arrays], part: range) -> Arrays:
    """Compute a batch, and add the seconds of each sample."""
    started = time.perf_counter()
    # Copies: arrays that share a tensor's memory keep the heap around it from being given back.
    arrays = {name: np.array(rows) for name, rows in _computed(compute, part).items()}
    seconds = (time.perf_counter() - started) / len(part)
    return {**arrays, "seconds": np.full(len(part), seconds)}


def _computed(compute: Callable[[range], Arrays], samples: range) -> Arrays:
    """Compute a batch; halve it where the device has no memory for it."""
    try:
        return compute(samples)
    except torch.OutOfMemoryError as error:
        half = -(-len(samples) // 2 // GROUP) * GROUP
        if half >= len(samples):
            raise NumericalError(
                f"no memory for {len(samples)} samples at once, and fewer are not computed "
                f"({reason(error)})",
                advice=["use a `device` with more, such as cpu"],
            ) from error
    parts = [_computed(compute, samples[:half]), _computed(compute, samples[half:])]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
