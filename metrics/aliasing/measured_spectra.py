"""Average spectra of generators and of real pictures, side by side, with what tells them apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from latentlab import Generator, NumericalError, SettingsError
from latentlab.datasets.pictures import Dataset
from latentlab.images import check_channels, to_uint8
from latentlab.numerics import Stream, full_precision
from metrics import sampling
from metrics.aliasing.power_spectra import (
    ANGLES,
    SMALLEST,
    Array,
    check_levels,
    finest_octave,
    grid_points,
    interpolated,
    powers,
    readings,
    slice_at,
)
from metrics.picture_fidelity import on_white
from metrics.result import Caution, MetricResult
from metrics.scheme import DECIBELS
from metrics.statistics import Uncertainty, bootstrap_rows, difference

FINEST, PEAKS = "level of the finest octave", "peaks of the pixel grid"
EXCESS = {FINEST: "excess in the finest octave", PEAKS: "excess of the grid's peaks"}

_PART, _LARGE_PART = 64, 512  # pictures between results that are kept
_LARGE = 128  # pixels, from which a spectrum takes more than a picture
_FEW = 200  # pictures
_LEVELS_FROM = 1000  # pictures, for the mean and deviation


@dataclass(frozen=True)
class MeasuredSpectrum:
    """What was found of a generator, or of a set of real pictures.

    Attributes:
        power: The average on a half grid [2R,R+1], see ``power_spectra.powers``.
        single: What is read off each picture [N,1+5P], see ``power_spectra.readings``.
        settings: What decides the numbers.
        seconds: How long it took.
    """

    power: Array
    single: Array
    settings: dict[str, Any]
    seconds: float

    @property
    def spectrum(self) -> Array:
        """The average spectrum [4R,4R], as numpy's fft orders it."""
        return interpolated(self.power)


@full_precision()
@torch.no_grad()
def spectrum_of_generator(
    g: Generator,
    mean: float,
    std: float,
    num_samples: int = 2000,
    seed: int = 0,
    *,
    batch: int | None = None,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MeasuredSpectrum:
    """Measure the average spectrum of a generator, without truncation and with random noise.

    Args:
        g: The generator; labels of a conditional one are drawn at random.
        mean: Of the 8-bit levels of the training data.
        std: Their deviation.
        num_samples: Number of pictures.
        seed: Of latents, labels and noise.
        batch: Pictures at once on a GPU, see ``batch_size``.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the samples done and in all.

    Raises:
        LatentError: If its images are no pictures.
        SettingsError: If a setting is out of range, or its pictures are below 16x16.
        NumericalError: If a picture holds NaN or infinity.
    """
    check_channels(g.channels)
    sampling.check_counts(num_samples=num_samples, seed=seed, batch=batch)
    _check(g.resolution, mean, std)
    at_once = sampling.batch_size(g, batch)

    def compute(samples: range) -> sampling.Arrays:
        found = []
        for part in _parts(samples, at_once):
            pixels = generated_pixels(g, sampling.whole_groups(part), seed)
            found.append(_read(pixels[: len(part)], mean, std))
        return _added(found)

    part = max(at_once, _part(g.resolution))
    arrays = sampling.in_batches(compute, range(num_samples), part, finished, progress)
    settings = {"n": num_samples, "seed": seed, "mean": mean, "std": std, "noise": "random",
                "resolution": g.resolution}  # fmt: skip
    return _measured(arrays, settings)


def spectrum_of_pictures(
    reals: Dataset,
    mean: float,
    std: float,
    num_samples: int = 2000,
    *,
    progress: sampling.Progress | None = None,
) -> MeasuredSpectrum:
    """Measure the average spectrum of the first pictures of a set; arguments as above.

    Raises:
        SettingsError: If a setting is out of range, or the pictures are below 16x16.
        ImageError: If a picture cannot be read.
    """
    _check(reals.resolution, mean, std)

    def compute(samples: range) -> sampling.Arrays:
        return _added([_read(real_pixels(reals, part), mean, std) for part in _parts(samples, 16)])

    count = min(num_samples, len(reals))
    part = _part(reals.resolution)
    arrays = sampling.in_batches(compute, range(count), part, None, progress)
    settings = {"n": count, "mean": mean, "std": std, "data": reals.fingerprint,
                "resolution": reals.resolution}  # fmt: skip
    return _measured(arrays, settings)


def levels_of(pictures: Callable[[Sequence[int]], Tensor], count: int) -> tuple[float, float]:
    """Return mean and deviation of the levels of numbered pictures, of the first 1,000 at most.

    Args:
        pictures: Takes numbers, and gives pictures [N,C,R,R] in 0..255.
        count: How many there are.

    Raises:
        NumericalError: If all of them are of one colour.
    """
    count = min(count, _LEVELS_FROM)
    total = squares = pixels = 0.0
    for part in _parts(range(count), sampling.GROUP):
        wide = pictures(part)[: len(part)].double()
        total, squares = total + float(wide.sum()), squares + float(wide.square().sum())
        pixels += wide.numel()
    mean = total / pixels
    variance = squares / pixels - mean**2
    if variance <= 1e-9 * squares / pixels:
        raise NumericalError("spectrum: pictures of a single level have no deviation to whiten by")
    return mean, variance**0.5


@torch.no_grad()
def generated_pixels(g: Generator, samples: Sequence[int], seed: int) -> Tensor:
    """Render numbered pictures [N,C,R,R] in 0..255, each from (seed, its number) alone.

    Raises:
        NumericalError: If one holds NaN or infinity.
    """
    whole = sampling.whole_groups(samples)
    images = sampling.render_samples(g, whole, seed, Stream.SPECTRUM)
    broken = ~images.isfinite().flatten(1).all(dim=1)
    if broken.any():
        first = whole[int(broken.nonzero()[0])]
        raise NumericalError(f"spectrum: generated picture {first} holds NaN or infinity")
    return _colours(images)


def real_pixels(reals: Dataset, indices: Sequence[int]) -> Tensor:
    """Return real pictures [N,C,R,R] in 0..255."""
    return torch.cat([_colours(reals.image(i)[None]) for i in indices])


def spectrum_result(found: MeasuredSpectrum, reals: MeasuredSpectrum | None = None) -> MetricResult:
    """Read a spectrum: levels in dB, and how far they are above those of real pictures.

    Returns:
        Rows with the level of the finest octave and the height of the grid's peaks; then, where
        there are real pictures to compare with, their excess over those. ``samples`` are the
        slices: angle, frequency (cycles), level (dB).
    """
    seed = int(found.settings.get("seed", 0))
    mine = _values(found, seed)
    rows = [_row(name, value, error) for name, (value, error) in mine.items()]
    if reals is not None:
        theirs = _values(reals, seed)
        rows += [_excess(name, mine[name], theirs[name]) for name in EXCESS]
    spectrum = found.spectrum
    slices = [
        pd.DataFrame(dict(zip(("frequency", "level"), slice_at(spectrum, angle), strict=True)))
        .assign(angle=angle)[["angle", "frequency", "level"]]
        for angle in ANGLES
    ]  # fmt: skip
    settings = dict(found.settings)
    if reals is not None:
        settings |= {"reals": reals.settings["n"], "real_data": reals.settings["data"],
                     "resized": reals.settings.get("resized", False)}  # fmt: skip
    return MetricResult("spectrum", pd.DataFrame(rows), settings,
                        pd.concat(slices, ignore_index=True), found.seconds,
                        cautions(settings))  # fmt: skip


def cautions(settings: Mapping[str, Any]) -> tuple[Caution, ...]:
    """Say what there is to doubt about spectra that were measured with these settings."""
    found = []
    if min(settings["n"], settings.get("reals", settings["n"])) < _FEW:
        found.append(Caution(f"Fewer than {_FEW} pictures: single frequencies are still rough."))
    if settings.get("resized"):
        names = tuple(EXCESS.values()) if "reals" in settings else ()
        found.append(Caution("The real pictures were resized, which changes their finest octave: "
                             "give them in the generator's size.", names))  # fmt: skip
    return tuple(found)


def _check(resolution: int, mean: float, std: float) -> None:
    check_levels(mean, std)
    if resolution < SMALLEST:
        raise SettingsError(f"a spectrum takes pictures of {SMALLEST}x{SMALLEST} pixels or more")


def _colours(images: Tensor) -> Tensor:
    """Return images in [-1,1] as bytes: of one channel or three, on white where there is alpha."""
    return to_uint8(images) if images.shape[1] in (1, 3) else on_white(images)


def _part(resolution: int) -> int:
    return _PART if resolution < _LARGE else _LARGE_PART


def _parts(samples: Sequence[int], size: int) -> list[Sequence[int]]:
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def _read(pixels: Tensor, mean: float, std: float) -> sampling.Arrays:
    # Levels reach over ten decades: float64, which not every device has.
    power = powers(pixels if pixels.device.type == "cuda" else pixels.cpu(), mean, std)
    single = torch.cat([finest_octave(power)[:, None], grid_points(power).flatten(1)], dim=1)
    return {"power": power.sum(dim=0, keepdim=True).cpu().numpy(), "single": single.cpu().numpy()}


def _added(found: Sequence[sampling.Arrays]) -> sampling.Arrays:
    """Add the powers of parts, and put what was read off single pictures one below another."""
    power = sum(each["power"] for each in found)
    return {"power": np.asarray(power), "single": np.concatenate([e["single"] for e in found])}


def _measured(arrays: sampling.Arrays, settings: dict[str, Any]) -> MeasuredSpectrum:
    power = arrays["power"].sum(axis=0) / len(arrays["single"])
    return MeasuredSpectrum(power, arrays["single"], settings, float(arrays["seconds"].sum()))


def _values(found: MeasuredSpectrum, seed: int) -> dict[str, tuple[float, Uncertainty]]:
    errors = bootstrap_rows(found.single, readings, seed)
    values = readings(found.single.mean(axis=0)).tolist()
    return dict(zip(EXCESS, zip(values, errors, strict=True), strict=True))


def _row(quantity: str, value: float, error: Uncertainty) -> dict[str, Any]:
    return {"quantity": quantity, "unit": DECIBELS, "value": value, **error.columns()}


def _excess(
    name: str, mine: tuple[float, Uncertainty], theirs: tuple[float, Uncertainty]
) -> dict[str, Any]:
    """Return the row of a difference of two independent levels."""
    (a, a_error), (b, b_error) = mine, theirs
    value, low, high = difference((a, a_error.ci_low, a_error.ci_high),
                                  (b, b_error.ci_low, b_error.ci_high))  # fmt: skip
    error = float(np.hypot(a_error.standard_error, b_error.standard_error))
    return _row(EXCESS[name], value, Uncertainty(error, low, high))
