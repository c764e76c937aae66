"""Section 5 of the StyleGAN2 paper: distances of real and generated pictures to their projections.

Several models are overlaid: histograms of both groups, ROC curves, and the differences of the areas
below them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from cli.measuring.attribution import roc_curves, summary
from cli.measuring.model_cards import card
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked, claimed_results, end, work_on
from cli.models import Model, open_distance, open_model
from cli.options.measuring import MeasuringRequest
from cli.options.reproduction import ReproductionRequest
from cli.pictures.real_pictures import DIGITS, RealPictures, read_real
from cli.reports.numbers import with_interval
from cli.reports.plot_style import colours_of
from cli.reports.tables import joined
from cli.reproducing.projection_plots import histograms
from cli.reproducing.tables import given
from cli.running.estimates import Task
from cli.text import counted
from latentlab import distributed
from latentlab.datasets.digits import digits
from latentlab.images.listing import find_pictures
from latentlab.perceptual import PerceptualDistance
from metrics import MetricResult
from metrics.attribution_difference import auc_difference
from metrics.comparability import reasons_against
from metrics.published_figures import published
from metrics.scheme import NEITHER, WITHHELD, in_order
from metrics.source_attribution import AttributionSettings, project_groups

HISTOGRAMS, ROC, DISTANCES, DIFFERENCES = (
    "histogram.png", "roc.png", "distances.csv", "differences.csv"
)  # fmt: skip
FILES = (HISTOGRAMS, ROC, DISTANCES, DIFFERENCES)

_TENTH = 10
_READING = (
    "The paper has histograms of LPIPS distances for StyleGAN and StyleGAN2 and prints no numbers: "
    "there is nothing to hold these against but their course. As it tells it, StyleGAN2's own "
    "pictures are projected so well that they can be attributed to it, which those of StyleGAN "
    "cannot be as reliably; real pictures remain farther from both."
)


@dataclass(frozen=True)
class Projecting:
    """How pictures are projected.

    Attributes:
        distance: Of the projection, and measured after it.
        settings: Of projector and generated pictures.
        generated: How many of these; None takes as many as there are real ones.
        request: Where results go, and how to compute.
    """

    distance: PerceptualDistance
    settings: AttributionSettings
    generated: int | None
    request: MeasuringRequest

    def count(self, real: RealPictures) -> int:
        """Return the number of generated pictures."""
        return self.generated or len(real)

    def facts(self, real: RealPictures) -> dict[str, Any]:
        """Return what decides the numbers of a model."""
        return {"distance": self.distance.name, "generated": self.count(real), "real": len(real),
                "space": self.settings.space, "steps": self.settings.steps,
                "seed": self.settings.seed}  # fmt: skip


def reproduce_projections(
    checkpoints: Sequence[str], wanted: ReproductionRequest, request: MeasuringRequest
) -> None:
    """Project real and generated pictures into several models, and overlay what remains.

    Args:
        checkpoints: The models, "NAME=CKPT" or checkpoints alone.
        wanted: The real pictures, and how to project.
        request: Where to write what, and how to compute.
    """
    chosen = given(checkpoints)
    Results(request, "", FILES)
    titles = request.titles([each.name for each in chosen])
    titles = [each.label or title for each, title in zip(chosen, titles, strict=True)]
    models = [open_model(each.name, request.device, None, title)
              for each, title in zip(chosen, titles, strict=True)]  # fmt: skip
    for model in models:
        _ = model.g.w_mean  # raises where there is no W
    reals = [_pictures(model, wanted) for model in models]
    distance = open_distance(wanted.distance, models[0].place)
    settings = AttributionSettings("w", wanted.steps, request.seed)
    how = Projecting(distance, settings, _generated(wanted), request)
    for model, real in zip(models, reals, strict=True):
        distance.check(real[0][None].to(model.place))  # a distance for another size ends here
    identity = {**how.facts(reals[0]), "pictures": [real.digest for real in reals]}
    refused = list(dict.fromkeys(line for real in reals for line in real.refused))
    facts = {**identity, "left_out": refused}
    title = f"{published().papers['stylegan2'].name}, section 5: projection distances"
    tasks = [_task(model, real, how) for model, real in zip(models, reals, strict=True)]
    with claimed_results(
        request,
        title,
        FILES,
        models,
        facts,
        refused,
        tasks,
        asked=Asked.of({**identity, "models": titles}, models),
    ) as results:
        found = _measured_or_saved(results, models, reals, how)
        if distributed.is_main():
            _write(results, models, found, facts)
            results.point()
        end(refused, sum(result.settings["diverged"] for result in found.values()))


def _pictures(model: Model, wanted: ReproductionRequest) -> RealPictures:
    """Read the real pictures at a model's size; with --quick a tenth of them."""
    most = wanted.most_real
    if wanted.quick and most is None:
        most = max(sum(map(_how_many, wanted.real)) // _TENTH, 1)
    return read_real(wanted.real, model.g, most)


def _how_many(source: str) -> int:
    """Return the number of pictures that a source has, without reading them."""
    if source == DIGITS:
        return len(digits("held-out")[0])
    return len(find_pictures([source]))


def _generated(wanted: ReproductionRequest) -> int | None:
    if wanted.generated is None or not wanted.quick:
        return wanted.generated
    return max(wanted.generated // _TENTH, 1)


def _task(model: Model, real: RealPictures, how: Projecting) -> Task:
    steps = how.settings.steps
    each = f", {counted(steps, 'step')} each, of each model"
    total = len(real) + how.count(real)
    return Task("Projecting", total, "picture", model.g, steps, each, how.distance, gradients=True)


def _measured_or_saved(
    results: Results, models: Sequence[Model], reals: Sequence[RealPictures], how: Projecting
) -> dict[str, MetricResult]:
    """Return what an earlier run has measured of the models, or measure and save it."""
    saved = results.saved_models
    found = [each.results[0] for each in saved] or [
        _measured(model, real, how) for model, real in zip(models, reals, strict=True)
    ]
    results.save([SavedModel(model.facts(), [result])
                  for model, result in zip(models, found, strict=True)])  # fmt: skip
    return {model.short_name: result for model, result in zip(models, found, strict=True)}


def _measured(model: Model, real: RealPictures, how: Projecting) -> MetricResult:
    identity = {"metric": "attribution", **how.facts(real), "pictures": real.digest}
    total, count = len(real) + how.count(real), how.count(real)
    title = f"projecting, {model.short_name}"
    with work_on(how.request, model, title, total, "picture", identity) as work:
        return project_groups(model.g, real, how.distance, count, how.settings, **work).result()


def _write(
    results: Results,
    models: Sequence[Model],
    found: Mapping[str, MetricResult],
    facts: dict[str, Any],
) -> None:
    """Say what was measured, and write tables, plots and page."""
    results.tell(*(f"{name}: {summary(result)}" for name, result in found.items()))
    rows = differences(found)
    results.tell(*_verdicts(rows))
    results.warn(*dict.fromkeys(note for result in found.values() for note in result.notes))
    results.page.cards([card(model) for model in models])
    results.page.text(_READING)
    results.table(DISTANCES, joined(result.samples.assign(model=name)
                                    for name, result in found.items()))  # fmt: skip
    results.table(DIFFERENCES, rows)
    results.page.section("Distances to the projection")
    results.figure(HISTOGRAMS, lambda: histograms(found), "How often each distance occurs: filled, "
                   "the model's own pictures; as a line, real ones.")  # fmt: skip
    results.page.section("How well they are told apart")
    results.figure(
        ROC, lambda: roc_curves(found, colours_of([*found])),
        "Share of real pictures taken for real, against the share of generated ones, for every "
        "threshold.",
    )  # fmt: skip
    if len(rows):
        shown = rows.assign(difference=[
            with_interval({**row, "value": row["difference"]}) for row in rows.to_dict("records")
        ])  # fmt: skip
        noted = ["note"] * bool(rows["note"].any())
        names = ["model_a", "model_b", "difference", "higher", *noted]
        shown = shown[names].rename(columns={"model_a": "first", "model_b": "second"})
        results.page.table(shown, "Areas below the curves, second - first, with the 95 % interval.")
    tidy = joined(model.tidy(found[model.short_name]) for model in models)
    told = {"models": [model.facts() for model in models], **facts}
    results.finish(tidy[in_order(tidy.columns)], told)


def differences(found: Mapping[str, MetricResult]) -> pd.DataFrame:
    """Return the differences of the models' areas below the ROC curve, pair by pair.

    Both models have projected the same real pictures, and their own were made from the same z.
    """
    rows = []
    for (a, first), (b, second) in combinations(found.items(), 2):
        change, spread = auc_difference(first, second)
        low, high = spread.ci_low, spread.ci_high
        against = " ".join(reasons_against(first, second, "auc"))
        better = b if low > 0 else a if high < 0 else NEITHER
        rows.append({
            "model_a": a, "model_b": b, "quantity": "auc", "value_a": first.value,
            "value_b": second.value,
            "difference": change, "ci_low": low, "ci_high": high,
            "higher": WITHHELD if against else better, "note": against,
        })  # fmt: skip
    names = ["model_a", "model_b", "quantity", "value_a", "value_b", "difference", "ci_low",
             "ci_high", "higher", "note"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _verdicts(rows: pd.DataFrame) -> list[str]:
    """Say of each pair which is told apart better."""
    lines = []
    for row in rows.to_dict("records"):
        pair = f"{row['model_b']} - {row['model_a']}"
        change = with_interval({**row, "value": row["difference"]})
        lines.append(f"Difference of the areas, {pair}: {change}; higher: {row['higher']}.")
    return lines
