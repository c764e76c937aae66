"""Comparing checkpoints: measured with the same seeds, or what an earlier run has saved of them."""

from collections.abc import Sequence
from typing import Any

from cli.comparing.comparison import (
    ComparisonSettings,
    Measured,
    applicable,
    measure,
    open_settings,
    tasks_of,
)
from cli.comparing.comparison_page import planned_files, write_comparison
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked, claimed_results, end
from cli.models import Model, open_model
from cli.options.measuring import ComparisonRequest, MeasuringRequest
from cli.text import listed, say
from latentlab import distributed


def comparison_of(
    names: Sequence[str],
    labels: Sequence[str],
    counts: dict[str, int],
    needs: ComparisonRequest,
    request: MeasuringRequest,
    published: bool,
) -> Results:
    """Measure models with the same seeds, and write their page; a finished one ends the command.

    Args:
        names: The checkpoints.
        labels: What the page calls them.
        counts: Sample counts by metric.
        needs: What the metrics need.
        request: Where to write what, and how to compute.
        published: Whether the papers' figures are shown.
    """
    models = [
        open_model(name, request.device, None, label)
        for name, label in zip(names, labels, strict=True)
    ]
    title = listed(labels)
    protocols = needs.protocols
    files = planned_files([True] * len(models), counts, protocols)
    Results(request, title, files)  # results of another run are told before anything is fetched
    settings = open_settings(counts, needs, request, models)
    files = planned_files([True] * len(models), applicable(models, settings), protocols)
    facts = {"metrics": [*counts], "samples": counts, "protocols": needs.protocols,
             **settings.identity()}  # fmt: skip
    asked = asked_for(settings, models, {"published": published})
    tasks = tasks_of(models, settings)
    left_out = settings.refused_pictures
    with claimed_results(request, title, files, models, facts, left_out, tasks,
                         asked=asked) as results:  # fmt: skip
        results.warn(*(f"Left out: {line}." for line in left_out))
        measured = measured_or_saved(results, models, settings)
        if distributed.is_main():
            for line in write_comparison(results, measured, facts, published):
                say(line)
        if left_out:
            if distributed.is_main():
                results.point()
            end(left_out)
    return results


def asked_for(
    settings: ComparisonSettings, models: Sequence[Model], shown: dict[str, Any]
) -> Asked:
    """Return what is to be compared: another metric, or more samples, is more of the same."""
    identity = {**settings.identity(), "protocols": list(settings.needs.protocols)}
    extent = {f"samples of {name}": count for name, count in settings.samples.items()}
    facts = [model.facts() for model in models]
    names = [model.short_name for model in models]
    return Asked(identity, extent, facts, models[0].place, {"names": names, **shown})


def measured_or_saved(
    results: Results, models: Sequence[Model], settings: ComparisonSettings
) -> list[Measured]:
    """Return what an earlier run has measured of the models, or measure and save it."""
    if results.saved is None:
        measured = [measure(model, settings) for model in models]
    else:
        pairs = zip(models, results.saved.models, strict=True)
        measured = [Measured(model, saved.results, saved.refused) for model, saved in pairs]
    results.save([SavedModel(m.model.facts(), m.results, m.refused) for m in measured])
    return measured
