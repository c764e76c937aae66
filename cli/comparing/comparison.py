"""Measuring several models with the same seeds, for ``latentlab compare``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any, cast

import pandas as pd

from cli.comparing.attributed import Attributing, opened
from cli.measuring.path_length import check_fit
from cli.measuring.separability import OpenedClassifier, by_several, check_sizes, open_classifiers
from cli.measuring.work import sampling, work_on
from cli.models import Model, open_distance, with_model
from cli.options.measuring import ComparisonRequest, MeasuringRequest
from cli.running.estimates import Task
from cli.running.wording import told
from cli.threads import is_small, settle_threads
from cli.trust import trusted
from latentlab import LatentError
from latentlab.datasets.pictures import open_dataset
from latentlab.perceptual import PerceptualDistance
from metrics import (
    MetricResult,
    contributions,
    droplets,
    equivariance,
    linear_separability,
    perceptual_path_length,
)
from metrics.aliasing.moved_pictures import check_movable
from metrics.droplet_detection import RULE
from metrics.path_protocols import PROTOCOLS, check_space
from metrics.picture_fidelity import fidelity
from metrics.resolution_shares import check_skip
from metrics.sampling import has_w

Run = Callable[..., MetricResult]

# What decides the samples of a metric besides the seed, in ComparisonSettings.identity.
_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ppl": ("distance",), "separability": ("classifiers", "outputs"), "fidelity": ("data",),
    "attribution": ("distance", "attribution"),
})  # fmt: skip


@dataclass(frozen=True)
class ComparisonSettings:
    """What is measured of every model.

    Attributes:
        samples: Number of samples of each metric, in order.
        needs: What the metrics need, as it was asked for.
        request: Where to write what, and how to compute.
        distance: The opened distance of path length and attribution.
        classifiers: Those opened for separability, by their names.
        attributing: How attribution is measured; None where it is not.
    """

    samples: Mapping[str, int]
    needs: ComparisonRequest
    request: MeasuringRequest
    distance: PerceptualDistance | None
    classifiers: Mapping[str, OpenedClassifier]
    attributing: Attributing | None = None

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers, besides the model and the counts."""
        name = None if self.distance is None else self.distance.name
        own = {} if self.attributing is None else {"attribution": self.attributing.identity()}
        return {"seed": self.request.seed, "distance": name, "outputs": self.needs.outputs,
                "classifiers": {name: one.sha256 for name, one in self.classifiers.items()},
                "data": self.needs.data, **own, **self._solver()}  # fmt: skip

    @property
    def dual(self) -> bool:
        """Whether planes are found by the published solver."""
        return self.needs.dual and "separability" in self.samples

    def _solver(self) -> dict[str, Any]:
        return {"dual": True} if self.dual else {}

    def identity_of(self, metric: str, name: str) -> dict[str, Any]:
        """Return what decides the samples of one metric, whatever else is measured beside it."""
        needed, told = ("seed", *_NEEDED.get(metric, ())), self.identity()
        own: dict[str, dict[str, Any]] = {
            "separability": self._solver(), "droplets": {"rule": RULE},
            "attribution": {"generated": self.samples.get(metric)},
        }  # fmt: skip
        return {"metric": name, **{each: told[each] for each in needed}, **own.get(metric, {})}

    def total(self, metric: str, model: Model) -> int:
        """Return how many samples of a model a metric takes."""
        if metric == "attribution" and self.attributing is not None:
            return self.attributing.total(model.g)
        return self.samples[metric]

    @property
    def refused_pictures(self) -> list[str]:
        """Why real pictures for attribution could not be used."""
        return [] if self.attributing is None else self.attributing.refused


def open_settings(
    samples: Mapping[str, int],
    needs: ComparisonRequest,
    request: MeasuringRequest,
    models: Sequence[Model],
    before: Sequence[MetricResult] = (),
) -> ComparisonSettings:
    """Open what the metrics need, so that what is missing is said before anything is measured.

    Attribution is measured as in the results that were there ``before``, if there are any.
    """
    device = models[0].place
    compare, attributing = None, None
    if "ppl" in samples or "attribution" in samples:
        compare = open_distance(needs.distance, device)
    if compare is not None and "ppl" in samples:
        for model, name in product(models, needs.protocols):
            check_fit(compare, model.g, PROTOCOLS[name].crop)
    named = needs.classifiers if "separability" in samples else ()
    judges = {one.name: one for one in open_classifiers(named, device)}
    if "fidelity" in samples:
        open_dataset(needs.data or "", None, 3)  # what cannot be read is said now
    if compare is not None and "attribution" in samples:
        count = samples["attribution"]
        attributing = opened(needs, count, request.seed, compare, before)
        for model in models:
            attributing.pictures(model.g)
    return ComparisonSettings(samples, needs, request, compare, judges, attributing)


@dataclass(frozen=True)
class AbsentModel:
    """A model as an earlier measurement tells of it.

    Attributes:
        told: What its manifest says: name, checkpoint, sha256, and perhaps kind.
        short_name: What titles, tables and plots call it.
        reason: Why it cannot be opened.
    """

    told: dict[str, Any]
    short_name: str
    reason: str

    @property
    def name(self) -> str:
        """How the command line named it."""
        return str(self.told["checkpoint"])

    @property
    def sha256(self) -> str:
        """Of the checkpoint's file."""
        return str(self.told["sha256"])

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the model."""
        return {**self.told, "name": self.short_name}

    def tidy(self, result: MetricResult) -> pd.DataFrame:
        """Return a result's rows, with the model's name first and its SHA-256 last."""
        return with_model(result.frame(), self.short_name, self.sha256)


@dataclass(frozen=True)
class Measured:
    """What was measured of one model, and what could not be, with the reason, by metric."""

    model: Model | AbsentModel
    results: list[MetricResult]
    refused: dict[str, str]

    @property
    def label(self) -> str:
        """What the page calls it."""
        return self.model.short_name

    def of(self, metric: str) -> MetricResult | None:
        """Return the first result of a metric, or None."""
        return next((result for result in self.results if result.metric == metric), None)

    def by_protocol(self) -> dict[str, MetricResult]:
        """Return its path lengths by their protocols."""
        return {result.settings["protocol"]: result for result in self.results
                if result.metric == "path_length"}  # fmt: skip


def measure(model: Model, settings: ComparisonSettings) -> Measured:
    """Measure a model; a metric that does not apply to it is noted, and the others go on."""
    done, request = Measured(model, [], {}), settings.request
    for metric, count in settings.samples.items():
        # As when the model is measured alone; the network that fidelity looks with is large.
        settle_threads(metric != "fidelity" and is_small(model.g))
        if (refusal := refused(metric, model, settings)) is not None:
            done.refused[metric] = told(refusal)
            continue
        for name, run in _runs(metric, model, settings):
            identity, title = settings.identity_of(metric, name), f"{name} of {model.short_name}"
            total = settings.total(metric, model)
            try:
                with work_on(request, model, title, total, "sample", identity) as work:
                    done.results.append(run(num_samples=count, seed=request.seed, **work))
            except LatentError as error:
                done.refused[metric] = told(error)
    return done


def refused(metric: str, model: Model, settings: ComparisonSettings) -> LatentError | None:
    """Return why a metric does not apply to a model, as far as that is known beforehand."""
    try:
        if metric == "ppl":
            for name in settings.needs.protocols:
                check_space(model.g, PROTOCOLS[name].space)
        elif metric == "separability":
            check_sizes(settings.classifiers.values(), model.g)
        elif metric == "contributions":
            check_skip(model.g)
        elif metric == "attribution":
            _ = model.g.w_mean  # raises where there is no W
        elif metric == "equivariance":
            check_movable(model.g)
    except LatentError as error:
        return error
    return None


def applicable(models: Sequence[Model], settings: ComparisonSettings) -> list[str]:
    """Return the metrics that apply to any of the models.

    Raises:
        LatentError: If there are none.
    """
    found, refusals = list[str](), list[LatentError]()
    for metric in settings.samples:
        mine = [refused(metric, model, settings) for model in models]
        found += [metric] if None in mine else []
        refusals += [each for each in mine if each is not None]
    if not found and refusals:
        raise refusals[0]
    return found


def tasks_of(models: Sequence[Model], settings: ComparisonSettings) -> list[Task]:
    """Return what is measured of the models, for those who ask how long it takes."""
    needs, request, tasks = settings.needs, settings.request, []
    for model, (metric, count) in product(models, settings.samples.items()):
        if refused(metric, model, settings) is not None:
            continue
        more: dict[str, Any] = {"more": " of each model"}
        if metric == "ppl":
            paths = {**more, "pictures": 2, "distance": settings.distance}
            tasks += [sampling(model, request, f"{name}:", count, "path", **paths)
                      for name in needs.protocols]  # fmt: skip
        elif metric == "attribution":
            tasks.append(cast(Attributing, settings.attributing).task(model.g))
        elif metric == "fidelity":
            tasks.append(Task(f"{metric}:", count, "picture", **more))
        else:
            if metric == "separability":
                more["more"] += by_several(settings.classifiers)
            pictures = 4 if metric == "equivariance" else 1
            tasks.append(sampling(model, request, f"{metric}:", count, "picture",
                                  pictures=pictures, **more))  # fmt: skip
    return tasks


def _runs(metric: str, model: Model, settings: ComparisonSettings) -> list[tuple[str, Run]]:
    """Return what measures a metric on a model, by the names of its protocols."""
    g, needs = model.g, settings.needs
    if metric == "ppl":
        distance = cast(PerceptualDistance, settings.distance)
        return [
            (name, partial(perceptual_path_length, g, distance, space=paths.space,
                           sampling=paths.sampling, crop=paths.crop))
            for name, paths in PROTOCOLS.items() if name in needs.protocols
        ]  # fmt: skip
    if metric == "separability":
        spaces = ("z", "w") if has_w(g) else ("z",)
        run: Run = partial(
            linear_separability, g, [one.network for one in settings.classifiers.values()],
            num_keep=None,
            spaces=spaces, names=list(settings.classifiers), outputs=needs.outputs,
            dual=settings.dual,
        )  # fmt: skip
    elif metric == "fidelity":
        reals = open_dataset(needs.data or "", g.resolution, g.channels)
        run = partial(fidelity, g, reals, weights=needs.weights, trust=trusted())
    elif metric == "attribution":
        run = partial(cast(Attributing, settings.attributing).run, g)
    else:
        plain = {"contributions": contributions, "droplets": droplets,
                 "equivariance": equivariance}  # fmt: skip
        run = partial(plain[metric], g)
    return [(metric, run)]
