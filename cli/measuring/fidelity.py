"""The results of `latentlab fidelity`: the scores, and some of the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from cli.measuring.over_training import Measurement, measure_run
from cli.measuring.results import Results
from cli.measuring.snapshots import snapshots_in
from cli.measuring.work import Asked, claimed_results, work_on
from cli.models import Model, open_model
from cli.options.measuring import MeasuringRequest
from cli.rendering.sheets import abreast
from cli.reports.numbers import number_of, rows_of
from cli.running.estimates import Task
from cli.running.wording import told
from cli.text import counted, plain_text
from cli.threads import settle_threads
from cli.trust import trusted
from latentlab import Generator, distributed
from latentlab.datasets.pictures import Dataset, open_dataset
from latentlab.files import sha256_of
from latentlab.images import as_rgb, from_uint8, grid, shrink, tensor_to_picture
from metrics import MetricResult
from metrics.fidelity_networks import find_weights, unfetched
from metrics.picture_fidelity import fidelity as compare_pictures
from metrics.picture_fidelity import generated_pictures
from metrics.sampling import GROUP

PICTURES = "pictures.png"
FILES = (PICTURES,)

_SHOWN, _COLUMNS, _TILE, _WIDEST = 48, 6, 128, 660  # pictures of each kind; their pixels


@dataclass(frozen=True)
class FidelityRequest:
    """What pictures are compared with, how many, by which metrics and with whose weights."""

    data: str
    samples: int
    metrics: tuple[str, ...]
    mirror: bool
    weights: Path | None
    vgg_weights: Path | None


@dataclass(frozen=True)
class FidelityOfAny:
    """How the pictures of models are compared with real ones.

    Attributes:
        asked: What is asked for.
        reals: The real pictures, at the first model's size.
        digests: SHA-256 of the networks' weights.
        request: How to compute.
    """

    asked: FidelityRequest
    reals: Dataset
    digests: dict[str, str]
    request: MeasuringRequest

    @property
    def settings(self) -> dict[str, Any]:
        """What a person is told of what decides the numbers."""
        return {"data": self.reals.fingerprint, "metrics": [*self.asked.metrics],
                "mirror": self.asked.mirror, "seed": self.request.seed}  # fmt: skip

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the numbers, besides the model and the counts."""
        return {"metric": "fidelity", **self.settings, "weights": self.digests}

    @property
    def count(self) -> int:
        """How many real pictures are compared."""
        return min(self.asked.samples, len(self.reals))

    def tasks(self, _: Model, times: int = 1) -> list[Task]:
        """Return the work, for so many models."""
        more = f" with {self.count:,} real ones"
        return [Task("Comparing", self.asked.samples * times, "picture", more=more)]

    def measure(self, model: Model, label: str = "fidelity") -> MetricResult:
        """Measure a model; ``label`` stands at the bar."""
        settle_threads(small=False)  # the network that looks at pictures is large
        asked, reals = self.asked, self.reals
        if reals.resolution != model.g.resolution:  # snapshots of a growing one may differ
            reals = open_dataset(asked.data, model.g.resolution, model.g.channels)
        total = asked.samples + self.count
        with work_on(self.request, model, label, total, "img", self.identity) as work:
            return compare_pictures(
                model.g, reals, asked.samples, self.request.seed, metrics=asked.metrics,
                mirror=asked.mirror, weights=asked.weights, vgg_weights=asked.vgg_weights,
                trust=trusted(), **work,
            )  # fmt: skip

    def of_each(self) -> Measurement:
        """Return what is measured of each snapshot of a run."""
        extent = {"samples": self.asked.samples}
        return Measurement(
            "Fidelity of", self.identity, extent, self.tasks,
            lambda model: [self.measure(model, model.short_name)], summary,
        )  # fmt: skip


def measure_fidelity(checkpoint: str, asked: FidelityRequest, request: MeasuringRequest) -> None:
    """Measure a checkpoint, or each snapshot of a run's folder, and write what was found."""
    (name,), snapshots = request.titles([checkpoint]), snapshots_in(checkpoint)
    model = open_model([*snapshots, checkpoint][0], request.device, None, name)
    reals = open_dataset(asked.data, model.g.resolution, model.g.channels)
    title = f"Fidelity of {model.short_name}"
    if not snapshots:
        Results(request, title, FILES)  # results of another run are told before anything is fetched
    weights = asked.weights, asked.vgg_weights
    digests, missing = digests_and_missing(asked.metrics, *weights, not request.dry_run)
    scores = FidelityOfAny(asked, reals, digests, request)
    unfit = unfit_pictures(reals, scores.count) if request.dry_run else []
    if snapshots:
        measure_run(checkpoint, snapshots, scores.of_each(), request, model, left_out=unfit,
                    fetched=missing)  # fmt: skip
        return
    facts = {**scores.settings, "samples": asked.samples, "reals": scores.count}
    identity = {**scores.identity, "samples": asked.samples}
    with claimed_results(request, title, FILES, [model], facts, unfit, scores.tasks(model),
                         missing, asked=Asked.of(identity, [model])) as results:  # fmt: skip
        result = results.saved_or(model.facts(), partial(scores.measure, model))
        if distributed.is_main():
            write(results, model, result, reals, request.seed)


def digests_and_missing(
    metrics: Sequence[str], weights: Path | None, vgg_weights: Path | None, fetch: bool
) -> tuple[dict[str, str], list[Path]]:
    """Return the SHA-256 of the networks' weights by name, fetching those that are not there.

    Without ``fetch``, nothing is fetched or read: which would be is returned beside.
    """
    if not fetch and vgg_weights is not None and "prc" in metrics:
        find_weights(("prc",), vgg_weights=vgg_weights, trust=trusted())  # may be a program
    if not fetch:
        return {}, unfetched(metrics, weights, vgg_weights)
    files = find_weights(metrics, weights, vgg_weights, trust=trusted())
    return {name: sha256_of(file) for name, file in files.items()}, []


def unfit_pictures(reals: Dataset, count: int) -> list[str]:
    """Say why some of the first ``count`` pictures cannot be used, as far as headers show it."""
    return [plain_text(told(error)) for error in reals.problems(count)]


def write(results: Results, model: Model, result: MetricResult, reals: Dataset, seed: int) -> None:
    """Say the scores, and write pictures and page."""
    results.tell(summary(result))
    if reals.left_out:
        results.tell(f"{counted(reals.left_out, 'other file')} of the data left out: no pictures.")
    results.warn(*result.notes)
    results.page.section("Pictures")
    caption = "The first generated and the first real pictures that were compared."
    results.picture(PICTURES, lambda: _pictures(model.g, reals, seed), caption)
    results.finish_one(model, result)


def summary(result: MetricResult) -> str:
    """Say the scores."""
    scores = ", ".join(f"{row['quantity']} {number_of(row)}" for row in rows_of(result))
    generated, real = result.settings["n"], result.settings["reals"]
    counts = f"from {generated:,} generated and {real:,} real pictures"
    return f"{scores[0].upper()}{scores[1:]}, {counts}."


def _pictures(g: Generator, reals: Dataset, seed: int) -> Image.Image:
    """Lay out generated and real pictures side by side."""
    groups = [range(start, start + GROUP) for start in range(0, _SHOWN, GROUP)]
    rendered = [from_uint8(generated_pictures(g, group, seed)).cpu() for group in groups]
    sides = {
        "generated": torch.cat([shrink(images, _TILE) for images in rendered]),
        "real": torch.stack([
            as_rgb(shrink(reals.image(i)[None], _TILE)[0])
            for i in range(min(_SHOWN, len(reals)))
        ]),
    }  # fmt: skip
    pictures = {name: tensor_to_picture(grid(side, _COLUMNS, 2)) for name, side in sides.items()}
    return abreast(pictures, _WIDEST)
