"""The sources of `latentlab spectrum`, and what is measured of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked, sampling, work_on
from cli.models import Model, open_model, with_model
from cli.options.measuring import MeasuringRequest
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from cli.text import plain_text
from latentlab import DataError, distributed
from latentlab.datasets.pictures import BUILTIN_DIGITS, Dataset, open_dataset
from metrics import MetricResult
from metrics.aliasing.measured_spectra import (
    MeasuredSpectrum,
    generated_pixels,
    levels_of,
    real_pixels,
    spectrum_of_generator,
    spectrum_of_pictures,
    spectrum_result,
)
from metrics.aliasing.power_spectra import Array

HEAT, SLICES_PLOT, SLICES = "spectra.png", "slices.png", "slices.csv"
FILES = (SLICES, HEAT, SLICES_PLOT)

_KIND = "pictures"


@dataclass(frozen=True)
class RealPictures:
    """A set of real pictures, as a source beside generators.

    Attributes:
        name: How the command line names it.
        short_name: What titles, tables and plots call it.
        pictures: The set.
        resized: Whether they have another size on disk.
    """

    name: str
    short_name: str
    pictures: Dataset
    resized: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        return {"name": self.short_name, "checkpoint": self.name, "kind": _KIND,
                "sha256": self.pictures.fingerprint}  # fmt: skip

    def tidy(self, result: MetricResult) -> pd.DataFrame:
        """Return a result's rows with its name first and its fingerprint last."""
        return with_model(result.frame(), self.short_name, self.pictures.fingerprint)


Source = Model | RealPictures


@dataclass(frozen=True)
class Sources:
    """Generators and sets of real pictures, in the order they were given."""

    every: Sequence[Source]
    request: MeasuringRequest

    @property
    def models(self) -> list[Model]:
        """The generators."""
        return [one for one in self.every if isinstance(one, Model)]

    @property
    def reals(self) -> list[RealPictures]:
        """The sets of real pictures; the first is what generators are compared with."""
        return [one for one in self.every if isinstance(one, RealPictures)]

    def tasks(self, samples: int, request: MeasuringRequest) -> list[Task]:
        """Return the work, for those who ask how long it takes."""
        found = [
            sampling(model, request, "Transforming", samples, "picture") for model in self.models
        ]
        return found or [Task("Transforming", sum(self._count(one, samples) for one in self.reals),
                              "picture")]  # fmt: skip

    def _count(self, reals: RealPictures, samples: int) -> int:
        return min(samples, len(reals.pictures))

    def levels(self, samples: int, seed: int) -> tuple[float, float]:
        """Return mean and deviation of the first real pictures, or of the first generator's."""
        if self.reals:
            pictures = self.reals[0].pictures
            return levels_of(partial(real_pixels, pictures), len(pictures))
        return levels_of(partial(_generated, self.models[0], seed), samples)


def _generated(model: Model, seed: int, samples: Sequence[int]) -> Any:
    return generated_pixels(model.g, samples, seed)


def open_sources(names: Sequence[str], labels: Sequence[str], request: MeasuringRequest) -> Sources:
    """Open generators and sets of pictures, which are brought to the first generator's size.

    Raises:
        LatentlabError: If one cannot be opened.
    """
    labelled = list(zip(names, labels, strict=True))
    models = {name: open_model(name, request.device, None, label)
              for name, label in labelled if not is_pictures(name)}  # fmt: skip
    first = next(iter(models.values()), None)
    size, channels = (None, 3) if first is None else (first.g.resolution, first.g.channels)
    every: list[Source] = []
    for name, label in labelled:
        if name in models:
            every.append(models[name])
            continue
        pictures = open_dataset(name, size, channels)
        size = size or pictures.resolution
        resized = _own_size(name, channels) != size
        every.append(RealPictures(plain_text(name), label, pictures, resized))
    return Sources(every, request)


def _own_size(name: str, channels: int) -> int | None:
    """Return the size of pictures on disk; None where they are not square powers of two."""
    try:
        return open_dataset(name, None, channels).resolution
    except DataError:
        return None


def is_pictures(name: str) -> bool:
    """Whether a source is a set of real pictures: a folder, a zip or the digits."""
    return name == BUILTIN_DIGITS or Path(name).is_dir() or Path(name).suffix.lower() == ".zip"


def asked_for(
    sources: Sources, samples: int, mean: float | None, std: float | None, seed: int
) -> Asked:
    """Return what decides the numbers."""
    identity = {"metric": "spectrum", "mean": mean, "std": std, "seed": seed}
    facts = [one.facts() for one in sources.every]
    place = sources.models[0].place if sources.models else "cpu"
    names = {"names": [one.short_name for one in sources.every]}
    return Asked(identity, {"samples": samples}, facts, place, names)


class Measurement:
    """Measures sources, each once, and only when it is asked for."""

    def __init__(self, sources: Sources, asked: Asked) -> None:
        self._sources, self._samples = sources, int(asked.extent["samples"])
        self._identity = dict(asked.identity)
        self._found: dict[int, MeasuredSpectrum] = {}
        self._levels: tuple[float, float] | None = None

    def spectrum(self, index: int) -> Array:
        """Return the spectrum [4R,4R] of a source."""
        return self.found(index).spectrum

    def results(self) -> list[MetricResult]:
        """Return the numbers of all sources."""
        every = self._sources.every
        reference = next((i for i, one in enumerate(every) if one in self._sources.reals), None)
        reals = None if reference is None else self.found(reference)
        return [spectrum_result(self.found(i), reals if isinstance(one, Model) else None)
                for i, one in enumerate(every)]  # fmt: skip

    def found(self, index: int) -> MeasuredSpectrum:
        """Return what was measured of a source."""
        if index not in self._found:
            source = self._sources.every[index]
            measure = self._generator if isinstance(source, Model) else self._pictures
            self._found[index] = measure(source)  # type: ignore[arg-type]
        return self._found[index]

    def levels(self) -> tuple[float, float]:
        """Return mean and deviation: those given, or of the pictures."""
        if self._levels is None:
            given = self._identity["mean"], self._identity["std"]
            seed = self._identity["seed"]
            found = self._sources.levels(self._samples, seed) if None in given else given
            self._levels = found
        return self._levels

    def _generator(self, model: Model) -> MeasuredSpectrum:
        mean, std = self.levels()
        request, seed = self._sources.request, self._identity["seed"]
        identity = {"metric": "spectrum", "mean": mean, "std": std, "seed": seed}
        title = f"spectrum of {model.short_name}"
        with work_on(request, model, title, self._samples, "picture", identity) as work:
            return spectrum_of_generator(model.g, mean, std, self._samples, seed, **work)

    def _pictures(self, source: RealPictures) -> MeasuredSpectrum:
        mean, std = self.levels()
        count = min(self._samples, len(source.pictures))
        hidden = not distributed.is_main()
        with ProgressBar(count, f"spectrum of {source.short_name}", "picture", hidden) as bar:
            found = spectrum_of_pictures(source.pictures, mean, std, self._samples,
                                         progress=lambda done, _: bar.move_to(done))  # fmt: skip
        return replace(found, settings={**found.settings, "resized": source.resized})


def measured_spectra(
    results: Results, sources: Sources, asked: Asked
) -> tuple[list[MetricResult], Measurement]:
    """Return what an earlier run has measured, or measure and save it; and what draws from it."""
    work = Measurement(sources, asked)
    if results.saved is None:
        found = work.results()
    else:
        found = [model.results[0] for model in results.saved.models]
        # What is drawn from more than the numbers is made again, by all processes together.
        for i in range(len(found) if HEAT not in results.standing.intact else 0):
            work.found(i)
    pairs = zip(sources.every, found, strict=True)
    results.save([SavedModel(one.facts(), [result]) for one, result in pairs])
    return found, work
