"""Measuring the path length of a model, or of every snapshot of a run, by one protocol or more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli import models
from cli.measuring.over_training import Measurement, measure_run
from cli.measuring.path_length import LENGTHS, check_fit, files_of, summary, write
from cli.measuring.snapshots import snapshots_in
from cli.measuring.work import Asked, claimed_results, sampling, work_on
from cli.models import Model, open_distance
from cli.options.acceleration import accelerated
from cli.options.acceleration import facts as facts_of_pace
from cli.options.measuring import MeasuringRequest
from cli.running.estimates import Task
from latentlab import distributed
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult, perceptual_path_length
from metrics.path_protocols import PROTOCOLS, check_space


@dataclass(frozen=True)
class PathLengthRequest:
    """What is asked of paths: by which protocols, how many, and with what noise and distance."""

    protocols: Sequence[str]
    samples: int
    noise: str
    relative_width: float | None
    distance: str


@dataclass(frozen=True)
class PathLengths:
    """Path lengths by one protocol or several.

    Attributes:
        asked: What is asked for.
        distance: The opened distance.
        request: How to compute.
    """

    asked: PathLengthRequest
    distance: PerceptualDistance
    request: MeasuringRequest

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the numbers."""
        names = [*self.asked.protocols]
        return self._of({"protocol": names[0]} if len(names) == 1 else {"protocols": names})

    def _of(self, protocols: dict[str, Any]) -> dict[str, Any]:
        return {**protocols, "distance": self.distance.name, "noise": self.asked.noise,
                "seed": self.request.seed, **facts_of_pace(self.request.compiled)}  # fmt: skip

    @property
    def extent(self) -> dict[str, Any]:
        """How many paths are measured."""
        return {"samples": self.asked.samples, "relative_width": self.asked.relative_width}

    def check(self, model: Model) -> None:
        """Raise for a model that has no such paths, or whose pictures the distance cannot see."""
        for name in self.asked.protocols:
            check_fit(self.distance, model.g, PROTOCOLS[name].crop)
            check_space(model.g, PROTOCOLS[name].space)

    def tasks(self, model: Model, times: int = 1) -> list[Task]:
        """Return the work, for so many models."""
        names, count = self.asked.protocols, self.asked.samples * times
        words = [f"Measuring by {name}:" for name in names] if len(names) > 1 else ["Measuring"]
        return [sampling(model, self.request, verb, count, "path", pictures=2,
                         distance=self.distance) for verb in words]  # fmt: skip

    def of_each(self) -> Measurement:
        """Return what is measured of each snapshot of a run."""
        return Measurement(
            "Perceptual path length of", self.settings, self.extent, self.tasks,
            lambda model: self.measure(model, named=True), summary, LENGTHS, self.check,
        )  # fmt: skip

    def measure(self, model: Model, named: bool = False) -> list[MetricResult]:
        """Measure a model by each protocol; where it is ``named``, bars say whose they are."""
        fast = replace(model, g=accelerated(model.g, self.request.compiled))
        return [self._by(name, fast, named) for name in self.asked.protocols]

    def _by(self, name: str, model: Model, named: bool) -> MetricResult:
        paths, asked = PROTOCOLS[name], self.asked
        settings = self._of({"protocol": name})
        label = f"{name} of {model.short_name}" if named else name
        with work_on(self.request, model, label, asked.samples, "path", settings) as work:
            return perceptual_path_length(
                model.g, self.distance, paths.space, paths.sampling, asked.samples, paths.crop,
                self.request.seed, noise=asked.noise, relative_width=asked.relative_width, **work,
            )  # fmt: skip


def measure_path_lengths(
    checkpoint: str, asked: PathLengthRequest, request: MeasuringRequest
) -> None:
    """Measure a checkpoint, or each snapshot of a run's folder, and write what was found."""
    (name,), snapshots = request.titles([checkpoint]), snapshots_in(checkpoint)
    model = models.open_model([*snapshots, checkpoint][0], request.device, None, name)
    distance = accelerated(open_distance(asked.distance, model.place), request.compiled)
    lengths = PathLengths(asked, distance, request)
    lengths.check(model)
    if snapshots:
        measure_run(checkpoint, snapshots, lengths.of_each(), request, model)
        return
    facts = {**lengths.settings, **lengths.extent}
    title = f"Perceptual path length of {model.short_name}"
    with claimed_results(request, title, files_of(asked.protocols), [model], facts,
                         tasks=lengths.tasks(model),
                         asked=Asked.of(facts, [model], "relative_width")) as results:  # fmt: skip
        found = results.all_saved_or(
            model.facts(), lambda: lengths.measure(model), len(asked.protocols)
        )
        if distributed.is_main():
            write(results, model, found)
