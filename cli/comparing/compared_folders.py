"""Comparing folders of earlier measurements, with each other and with checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cli.comparing.attributed import count_of
from cli.comparing.comparison import (
    ComparisonSettings,
    Measured,
    applicable,
    measure,
    open_settings,
    tasks_of,
)
from cli.comparing.comparison_page import planned_files, write_comparison
from cli.comparing.measured_folders import (
    METRICS,
    FoundModel,
    by_digest,
    key,
    read_folder,
    refuse_incomparable,
    reopened,
    united,
)
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked, claimed_results, end
from cli.models import Model, open_model, resolve_device
from cli.options.measuring import ComparisonRequest, MeasuringRequest
from cli.text import listed, plain_text, say
from latentlab import DataError, distributed
from metrics import MetricResult
from metrics.path_protocols import PROTOCOLS


@dataclass(frozen=True)
class Chosen:
    """What is asked of a comparison with folders.

    Attributes:
        metrics: As asked for; none: those of the folders.
        samples: Sample counts as asked for; others are those of the folders.
        defaults: Sample counts where the folders have none.
        published: Whether the papers' figures are shown.
        dual: Whether the published solver of separability was asked for by name.
    """

    metrics: Sequence[str]
    samples: Mapping[str, int]
    defaults: Mapping[str, int]
    published: bool
    dual: bool


def compare_folders(
    names: Sequence[str], chosen: Chosen, needs: ComparisonRequest, request: MeasuringRequest
) -> None:
    """Compare models of which folders hold what was measured; checkpoints are measured alike.

    Raises:
        DataError: If a folder holds nothing to compare, or what was measured does not fit.
    """
    read = {name: read_folder(Path(name), chosen.metrics) for name in names if Path(name).is_dir()}
    found = united(model for _, models in read.values() for model in models)
    paths = [name for name in names if name not in read]
    titles = request.titles([*(m.facts["name"] for m in found), *paths])
    opened = [reopened(model, title, request.device)
              for model, title in zip(found, titles, strict=False)]  # fmt: skip
    new = [open_model(path, request.device, None, title)
           for path, title in zip(paths, titles[len(found) :], strict=True)]  # fmt: skip
    _refuse_twice(found, new)
    if chosen.dual:
        _refuse_other_solvers(found)
    if not new:
        refuse_incomparable([(_place(model), model.results) for model in found])
    settings = _settings(found, new, chosen, needs, request) if new else None
    title = listed(titles)
    facts = {"folders": [plain_text(name) for name in read], **_facts(settings)}
    asked = Asked(
        {"folders": sorted(sha256 for sha256, _ in read.values()), **_identity(settings)},
        {f"samples of {n}": count for n, count in (settings.samples if settings else {}).items()},
        [model.facts() for model in [*opened, *new]], resolve_device(request.device),
        {"names": titles, "published": chosen.published},
    )  # fmt: skip
    here = [model for model in [*opened, *new] if isinstance(model, Model)]
    metrics = {METRICS[result.metric] for model in found for result in model.results}
    metrics |= {*(applicable(new, settings) if settings else ())}
    protocols = {key(result) for model in found for result in model.results}
    protocols |= {*(settings.needs.protocols if settings and "ppl" in settings.samples else ())}
    files = planned_files([isinstance(m, Model) for m in [*opened, *new]], metrics, protocols)
    tasks = tasks_of(new, settings) if settings else []
    left_out = settings.refused_pictures if settings else []
    with claimed_results(request, title, files, here, facts, left_out, tasks,
                         asked=asked) as results:  # fmt: skip
        results.warn(*(f"Left out: {line}." for line in left_out))
        before = [Measured(model, each.results, each.refused)
                  for model, each in zip(opened, found, strict=True)]  # fmt: skip
        measured = [*before, *_measured(results, new, settings)]
        refuse_incomparable([(_place(f), f.results) for f in found]
                            + [(m.label, m.results) for m in measured[len(found) :]])  # fmt: skip
        results.save([SavedModel(m.model.facts(), m.results, m.refused) for m in measured])
        if distributed.is_main():
            results.warn(*_cautions(found))
            for line in write_comparison(results, measured, facts, chosen.published):
                say(line)
            results.point()
        end(left_out)


def _refuse_other_solvers(found: Sequence[FoundModel]) -> None:
    """Refuse folders that the default solver of separability was used for."""
    other = [_place(model) for model in found for result in model.results
             if result.settings.get("dual") is False]  # fmt: skip
    if other:
        raise click.UsageError(
            f"--dual: separability in {listed(other)} is by the default solver; measure again with "
            "--dual, or leave it out here."
        )


def _settings(
    found: Sequence[FoundModel],
    new: Sequence[Model],
    chosen: Chosen,
    needs: ComparisonRequest,
    request: MeasuringRequest,
) -> ComparisonSettings:
    """Return how checkpoints are measured: as the folders' models were, where nothing is said."""
    results = [result for model in found for result in model.results]
    counts = {METRICS[result.metric]: _count(result) for result in results}
    wanted = chosen.metrics or [name for name in chosen.defaults if name in counts]
    for name, option in needs.lacking(wanted).items():
        if name in wanted:
            raise click.UsageError(f"To measure {name} as in the folders, give {option}.")
    samples = {name: chosen.samples.get(name, counts.get(name, chosen.defaults[name]))
               for name in wanted}  # fmt: skip
    protocols = tuple(name for name in PROTOCOLS if name in {*map(key, results)})
    if needs.protocols == ("ppl2_wend",) and protocols:
        needs = replace(needs, protocols=protocols)
    solvers = [result.settings["dual"] for result in results if "dual" in result.settings]
    needs = replace(needs, dual=any(solvers) if solvers else needs.dual)
    settings = open_settings(samples, needs, request, new, results)
    _refuse_unlike(found, settings)
    return settings


def _count(result: MetricResult) -> int:
    return count_of(result) if result.metric == "attribution" else int(result.settings["n"])


def _refuse_unlike(found: Sequence[FoundModel], settings: ComparisonSettings) -> None:
    """Refuse, before anything is measured, what could not be compared afterwards."""
    told = settings.identity()
    asked = {"distance": told["distance"], "seed": told["seed"], "outputs": told["outputs"],
             "classifiers": sorted(told["classifiers"].values()),
             **told.get("attribution", {})}  # fmt: skip
    for model in found:
        for result in model.results:
            if METRICS[result.metric] in settings.samples:
                known = {name: asked[name] for name in asked if name in result.settings}
                like = replace(result, settings={**result.settings, **known})
                refuse_incomparable([("what is asked for", [like]), (_place(model), [result])])


def _measured(
    results: Results, models: Sequence[Model], settings: ComparisonSettings | None
) -> list[Measured]:
    """Return what an earlier run has measured of checkpoints, or measure them."""
    if settings is None:
        return []
    saved = {model.facts["sha256"]: model for model in results.saved_models}
    if saved:
        pairs = [(model, saved[model.sha256]) for model in models]
        return [Measured(model, each.results, each.refused) for model, each in pairs]
    digests = settings.identity()["classifiers"]
    measured = [measure(model, settings) for model in models]
    return [replace(m, results=[by_digest(r, digests) for r in m.results]) for m in measured]


def _refuse_twice(found: Sequence[FoundModel], new: Sequence[Model]) -> None:
    known = {model.facts["sha256"]: model for model in found}
    for model in new:
        if model.sha256 in known:
            place = _place(known[model.sha256])
            raise DataError(f"{model.name} is the model of {place}; leave one of them out")
    if len(found) + len(new) < 2:
        place = _place(found[0])
        raise DataError(f"{place}: of one model alone; give folders of two, or a checkpoint")


def _cautions(found: Sequence[FoundModel]) -> list[str]:
    """Say what else sets measurements apart."""
    versions = sorted({version for model in found for version in model.versions})
    if len(versions) < 2:
        return []
    return [f"The models were measured by several versions of latentlab: {', '.join(versions)}."]


def _place(model: FoundModel) -> str:
    return ", ".join(map(str, model.places))


def _identity(settings: ComparisonSettings | None) -> dict[str, Any]:
    if settings is None:
        return {}
    return {**settings.identity(), "protocols": list(settings.needs.protocols)}


def _facts(settings: ComparisonSettings | None) -> dict[str, Any]:
    return {} if settings is None else {"samples": dict(settings.samples), **_identity(settings)}
