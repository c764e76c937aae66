"""Measuring several models with the same seeds, for ``latentlab compare``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cli.commands.ppl import check_fit
from cli.measuring.work import work_on
from cli.models import Model
from cli.options.measuring import Order
from latentlab import LatentError, load_classifier, perceptual_distance
from latentlab.datasets.pictures import open_dataset
from latentlab.perceptual import PerceptualDistance
from metrics import (
    MetricResult,
    contributions,
    droplets,
    linear_separability,
    perceptual_path_length,
)
from metrics.path_protocols import PROTOCOLS
from metrics.sampling import has_w

if TYPE_CHECKING:
    from torch import nn

Work = dict[str, Any]  # what ``work_on`` yields


@dataclass(frozen=True)
class Plan:
    """What is measured of every model.

    Attributes:
        metrics: Names of the metrics, in order.
        samples: Number of samples of each.
        seed: Of all.
        batch: Samples at once; None chooses by the size of images.
        protocols: Of the path length.
        distance: Of the path length.
        classifiers: Of the separability, by their names.
        outputs: What several outputs of a classifier are.
        data: Real pictures, for the fidelity, as ``open_dataset`` takes them.
        weights: Of the fidelity's Inception network.
    """

    metrics: Sequence[str]
    samples: Mapping[str, int]
    seed: int
    batch: int | None = None
    protocols: Sequence[str] = ()
    distance: PerceptualDistance | None = None
    classifiers: "Mapping[str, nn.Module]" = field(default_factory=dict)
    outputs: str = "classes"
    data: str | None = None
    weights: str | None = None

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers, besides the model and the counts."""
        name = None if self.distance is None else self.distance.name
        return {"seed": self.seed, "distance": name, "outputs": self.outputs,
                "classifiers": list(self.classifiers), "data": self.data}  # fmt: skip


def open_plan(
    metrics: Sequence[str],
    samples: Mapping[str, int],
    order: Order,
    models: Sequence[Model],
    *,
    protocols: Sequence[str],
    distance: str,
    classifiers: Sequence[str],
    outputs: str,
    data: str | None,
    weights: str | None,
) -> Plan:
    """Open what the metrics need, so that what is missing is told before anything is measured."""
    device = models[0].place
    compare = None
    if "ppl" in metrics:
        compare = perceptual_distance(distance, device)
        for model, name in product(models, protocols):
            check_fit(compare, model.g, PROTOCOLS[name].crop)
    named = classifiers if "separability" in metrics else ()
    judges = {name: load_classifier(name).to(device) for name in named}
    if "fidelity" in metrics:
        open_dataset(data or "", None, 3)  # what cannot be read is told now
    return Plan(metrics, samples, order.seed, order.batch, protocols, compare, judges, outputs,
                data, weights)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What was measured of one model, and what could not be, with the reason, by metric.

    ``label`` is what the page calls it.
    """

    model: Model
    label: str
    results: list[MetricResult]
    refused: dict[str, str]

    def of(self, metric: str) -> MetricResult | None:
        """Return the first result of a metric, or None."""
        return next((result for result in self.results if result.metric == metric), None)


def labels_of(models: Sequence[Model]) -> list[str]:
    """Return the models' file names, or their whole names where two would be alike."""
    files = [Path(model.name).name for model in models]
    return files if len(set(files)) == len(files) else [model.name for model in models]


def measure(model: Model, label: str, plan: Plan, folder: Path) -> Measured:
    """Measure a model; a metric that does not apply to it is noted, and the others go on."""
    done = Measured(model, label, [], {})
    for metric in plan.metrics:
        for name, run in _RUNS[metric](model, plan):
            count = plan.samples[metric]
            identity = {"metric": name, "samples": count, **plan.identity()}
            title = f"{name} of {label}"
            try:
                with work_on(folder, model, title, count, "sample", identity) as work:
                    done.results.append(run(num_samples=count, seed=plan.seed, batch=plan.batch,
                                            **work))  # fmt: skip
            except LatentError as error:
                done.refused[metric] = str(error)
    return done


Run = Callable[..., MetricResult]


def _path_length(model: Model, plan: Plan) -> list[tuple[str, Run]]:
    distance = cast(PerceptualDistance, plan.distance)
    return [
        (name, partial(perceptual_path_length, model.g, distance, space=paths.space,
                       sampling=paths.sampling, crop=paths.crop))
        for name, paths in PROTOCOLS.items() if name in plan.protocols
    ]  # fmt: skip


def _separability(model: Model, plan: Plan) -> list[tuple[str, Run]]:
    spaces = ("z", "w") if has_w(model.g) else ("z",)
    run = partial(
        linear_separability, model.g, list(plan.classifiers.values()), num_keep=None,
        spaces=spaces, names=list(plan.classifiers), outputs=plan.outputs,
    )  # fmt: skip
    return [("separability", run)]


def _contributions(model: Model, plan: Plan) -> list[tuple[str, Run]]:
    return [("contributions", partial(contributions, model.g))]


def _droplets(model: Model, plan: Plan) -> list[tuple[str, Run]]:
    return [("droplets", partial(droplets, model.g))]


def _fidelity(model: Model, plan: Plan) -> list[tuple[str, Run]]:
    from metrics.picture_fidelity import fidelity

    g = model.g
    reals = open_dataset(plan.data or "", g.resolution, g.channels)
    return [("fidelity", partial(fidelity, g, reals, weights=plan.weights))]


_RUNS = {
    "ppl": _path_length, "separability": _separability, "contributions": _contributions,
    "droplets": _droplets, "fidelity": _fidelity,
}  # fmt: skip
