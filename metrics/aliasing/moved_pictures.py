"""EQ-T and EQ-R: whether what is drawn moves with the input (appendix E, Karras et al. 2021).

A picture is drawn, its input is shifted or turned, and it is drawn again. The second is compared
with the first as signal processing shifts or turns it, as a peak signal-to-noise ratio over the
pixels that depend on nothing beyond the edges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import Generator, LatentError, NumericalError
from latentlab.networks.placement import placement_matrix, placing_rows
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.aliasing.picture_motion import as_if_turned, shifted, turned
from metrics.result import Caution, MetricResult
from metrics.scheme import DECIBELS, HIGHER
from metrics.statistics import bootstrap_rows

# What the paper calls each measure, by the names of NVIDIA's metrics.
MEASURES = {"eqt_int": "EQ-T", "eqt_frac": "EQ-T_frac", "eqr": "EQ-R"}
MOST_SHIFT = 0.125  # of the picture's size
SMALLEST = 16  # pixels: of smaller pictures, turning leaves none to compare

_FEW = 1000  # pictures
_PEAK = 2.0  # from -1 to 1


@dataclass(frozen=True)
class Motion:
    """How the pictures of a batch are moved: as published, all of them by the same.

    Attributes:
        whole: Shift to the right and down by whole pixels, in sizes of the picture.
        fraction: Shift by any part of a pixel, likewise.
        angle: Turn against the clock, in radians.
    """

    whole: tuple[float, float]
    fraction: tuple[float, float]
    angle: float

    @classmethod
    def drawn(cls, size: int, seed: int, number: int) -> "Motion":
        """Draw that of one batch of pictures of ``size`` pixels."""
        rng = np.random.default_rng([seed, Stream.MOTION, number])
        whole, fraction = (rng.uniform(-MOST_SHIFT, MOST_SHIFT, 2) for _ in range(2))
        x, y = (np.round(whole * size) / size).tolist()
        return cls((x, y), (float(fraction[0]), float(fraction[1])), rng.uniform(-np.pi, np.pi))

    def matrices(self) -> list[Tensor]:
        """Return where points of the picture go [3,3], for each of ``MEASURES``."""
        return [placement_matrix(self.whole), placement_matrix(self.fraction),
                placement_matrix(rotate=math.degrees(self.angle))]  # fmt: skip


@full_precision()
@torch.no_grad()
def equivariance(
    g: Generator,
    num_samples: int = 50_000,
    seed: int = 0,
    *,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Measure EQ-T, by whole pixels and by fractions, and EQ-R, without truncation.

    Four pictures in a row are moved alike, as in the published code; intervals resample these
    fours. PSNR = 20 log10(2) - 10 log10(squared error / pixels), over all pictures at once.

    Args:
        g: A StyleGAN3 or StyleGAN-XL.
        num_samples: Number of pictures.
        seed: Of latents, labels and motions.
        batch: Pictures at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the samples done and in all.

    Returns:
        Rows with ``measure`` (eqt_int, eqt_frac, eqr) and ``value`` in dB; more is better.
        ``samples`` has the squared error and the number of pixels of each picture.

    Raises:
        LatentError: If the generator draws at a fixed place, or its pictures are below 16x16.
        NumericalError: If no picture changes where it is moved: it is all of one colour.
        SettingsError: If a count is below 1.
    """
    sampling.check_counts(num_samples=num_samples, seed=seed, batch=batch)
    check_movable(g)
    images = sampling.batch_size(g, batch)

    def compute(samples: range) -> sampling.Arrays:
        whole = sampling.whole_groups(samples)
        z, c = sampling.draw_samples(g, whole, seed, Stream.EQUIVARIANCE)
        fours = range(0, len(whole), sampling.GROUP)
        motions = [Motion.drawn(g.resolution, seed, whole[i] // sampling.GROUP) for i in fours]
        sums = moved_sums(g, g.mapping(z, c), motions)
        return {"sums": sums[: len(samples)].cpu().numpy()}

    arrays = sampling.in_batches(compute, range(num_samples), images, finished, progress)
    sums = np.asarray(arrays["sums"], dtype=np.float64)
    settings = {"n": num_samples, "seed": seed, "resolution": g.resolution,
                "most_shift": MOST_SHIFT, "together": sampling.GROUP}  # fmt: skip
    names = [f"{measure}_{part}" for measure in MEASURES for part in ("error", "pixels")]
    samples = pd.DataFrame(sums.reshape(len(sums), -1), columns=names)
    found = (_FEW_PICTURES,) if num_samples < _FEW else ()
    seconds = float(arrays["seconds"].sum())
    return MetricResult("equivariance", _rows(sums, seed), settings, samples, seconds, found)


_FEW_PICTURES = Caution(
    f"Fewer than {_FEW:,} pictures: intervals are too narrow, as the scores are sums in which the "
    "worst pictures weigh the most."
)


def check_movable(g: Generator) -> None:
    """Raise LatentError unless a generator's pictures can be moved and compared."""
    placing_rows(g.synthesis)
    if g.resolution < SMALLEST:
        raise LatentError(
            f"pictures of {g.resolution}x{g.resolution} pixels are too small: turned, none of "
            "their pixels is free of what lies beyond the edges"
        )


def moved_sums(g: Generator, ws: Tensor, motions: Sequence[Motion]) -> Tensor:
    """Return squared error and number of pixels [N,3,2] of each picture, in float64.

    Args:
        g: The generator.
        ws: Latents [N,num_ws,w_dim].
        motions: One for each part of the pictures; the parts have one length.
    """
    original = _upright(g, ws)
    size, each = original.shape[-1], len(ws) // len(motions)
    measures = []
    for i, kind in enumerate(MEASURES):
        matrices = torch.stack([motion.matrices()[i] for motion in motions])
        with g.synthesis.moved(matrices.repeat_interleave(each, dim=0)):
            images = g.synthesis(ws)
        parts = zip(original.split(each), images.split(each), motions, strict=True)
        sums = [_sums(*moved_pair(kind, *part, size)) for part in parts]
        measures.append(torch.cat(sums))
    return torch.stack(measures, dim=1)


@dataclass(frozen=True)
class Example:
    """One picture as a measure sees it: images [C,R,R], and a mask [R,R].

    Attributes:
        original: As it is.
        moved: Drawn with its input moved.
        reference: The original, moved by signal processing.
        compared: What the reference is compared with: ``moved``, or what turning leaves of it.
        mask: The pixels that count.
    """

    original: Tensor
    moved: Tensor
    reference: Tensor
    compared: Tensor
    mask: Tensor


@full_precision()
@torch.no_grad()
def examples(g: Generator, number: int, seed: int) -> dict[str, Example]:
    """Draw one of the measured pictures again; returns it by measure."""
    group = sampling.whole_groups([number])
    z, c = sampling.draw_samples(g, group, seed, Stream.EQUIVARIANCE)
    ws = g.mapping(z, c)
    original = _upright(g, ws)
    motion = Motion.drawn(g.resolution, seed, number // sampling.GROUP)
    found = {}
    for kind, matrix in zip(MEASURES, motion.matrices(), strict=True):
        with g.synthesis.moved(matrix):
            moved = g.synthesis(ws)
        reference, compared, mask = moved_pair(kind, original, moved, motion, g.resolution)
        first, *others = (each[0].cpu() for each in (original, moved, reference, compared))
        found[kind] = Example(first, others[0], others[1], others[2], mask.cpu())
    return found


def moved_pair(
    kind: str, original: Tensor, images: Tensor, motion: Motion, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the reference, the picture to compare with it [N,C,R,R], and a mask [R,R].

    Args:
        kind: One of ``MEASURES``.
        original: Pictures as they are.
        images: The same with their input moved.
        motion: By what.
        size: Of the pictures.
    """
    if kind == "eqr":
        reference, inside = turned(original, motion.angle)
        images, kept = as_if_turned(images, motion.angle)
        return reference, images, inside * kept
    x, y = motion.whole if kind == "eqt_int" else motion.fraction
    reference, mask = shifted(original, x * size, y * size, kind == "eqt_int")
    return reference, images, mask


def _upright(g: Generator, ws: Tensor) -> Tensor:
    """Render ws as they are, whatever is stored with the network of how it is moved."""
    with g.synthesis.moved(placement_matrix()):
        images: Tensor = g.synthesis(ws)
    return images


def decibels(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PSNR [...,3] from squared errors and pixels [...,3,2]."""
    error = sums[..., 0] / sums[..., 1]
    return np.asarray(20 * np.log10(_PEAK) - 10 * np.log10(error))


def _sums(reference: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Return squared error and pixels [N,2] over all channels."""
    apart = (reference - images).square() * mask
    error = apart.cpu().double().flatten(1).sum(dim=1)  # not every device has float64
    pixels = (mask.cpu().double().sum() * reference.shape[1]).expand_as(error)
    return torch.stack([error, pixels], dim=1)


def _rows(sums: NDArray[np.float64], seed: int) -> pd.DataFrame:
    total = sums.sum(axis=0)  # [3,2]
    if not bool((total[:, 0] > 0).all()):
        raise NumericalError(
            "equivariance: moved pictures are the same to the last bit, as where all are of one "
            "colour; there is no error to measure"
        )
    cuts = range(0, len(sums), sampling.GROUP)
    fours = np.stack([sums[i : i + sampling.GROUP].sum(axis=0) for i in cuts])
    errors = bootstrap_rows(fours, decibels, seed)
    return pd.DataFrame([
        {"quantity": name, "unit": DECIBELS, "value": value, **error.columns(),
         "better_when": HIGHER, "measure": measure}
        for (measure, name), value, error in zip(MEASURES.items(), decibels(total), errors,
                                                 strict=True)
    ])  # fmt: skip
