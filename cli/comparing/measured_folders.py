"""Folders of earlier measurements, read to be compared: what is in them, and whether it fits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.comparing.comparison import AbsentModel
from cli.measuring.saved import SavedMeasurement, read_saved
from cli.measuring.standing import differences
from cli.models import Model, open_model
from cli.text import plain_text
from latentlab import DataError, LatentlabError
from latentlab.downloads import fetched, is_address
from latentlab.errors import shown
from latentlab.files import is_file
from latentlab.models import PREFIX
from metrics import MetricResult
from metrics.comparability import THE_SAME

# What `latentlab compare` calls each metric.
METRICS = MappingProxyType({
    "path_length": "ppl", "separability": "separability", "contributions": "contributions",
    "droplets": "droplets", "fidelity": "fidelity", "attribution": "attribution",
    "equivariance": "equivariance",
})  # fmt: skip
_COUNTS = ("num_keep", "n", "reals")  # where they differ, it is said on the page


@dataclass(frozen=True)
class FoundModel:
    """What folders hold of one model.

    Attributes:
        facts: What its manifest says: name, checkpoint, sha256.
        places: The folders.
        results: What was measured.
        refused: What could not be, with the reason, by metric.
        versions: Of latentlab, that measured it.
    """

    facts: dict[str, Any]
    places: list[Path]
    results: list[MetricResult]
    refused: dict[str, str]
    versions: list[str]


def read_folder(folder: Path, wanted: Sequence[str]) -> tuple[str, list[FoundModel]]:
    """Read a folder of a measurement.

    Args:
        folder: The output folder of ``latentlab ppl`` and its like, or of ``compare``.
        wanted: The metrics to take, as compare calls them; none: all.

    Returns:
        The SHA-256 of its saved results, and its models.

    Raises:
        DataError: If it holds no finished measurement, a damaged one, or nothing to compare.
    """
    saved = read_saved(folder)
    if saved is None:
        raise DataError(
            f"{folder}: holds no finished measurement; give a checkpoint, or a folder of latentlab "
            "ppl, separability, contributions, droplets, fidelity, attribution, equivariance or "
            "compare"
        )
    found = [
        FoundModel(model.facts, [folder], _chosen(model.results, saved, wanted), model.refused,
                   [str(saved.made_by.get("version"))])
        for model in saved.models
    ]  # fmt: skip
    if not any(model.results for model in found):
        measured = shown([*dict.fromkeys(r.metric for m in saved.models for r in m.results)])
        others = f", only {measured}" if measured else ""
        raise DataError(f"{folder}: holds no measure that can be compared{others}")
    return saved.sha256, found


def _chosen(
    results: Iterable[MetricResult], saved: SavedMeasurement, wanted: Sequence[str]
) -> list[MetricResult]:
    """Return what compare shows, with classifiers and pictures named by their SHA-256."""
    chosen = [
        _with_pictures(r, saved)
        for r in results
        if r.metric in METRICS and METRICS[r.metric] in (wanted or METRICS.values())
    ]
    classifiers = saved.identity.get("classifiers")
    if not isinstance(classifiers, dict) or not classifiers:
        return chosen
    return [by_digest(result, classifiers) for result in chosen]


def _with_pictures(result: MetricResult, saved: SavedMeasurement) -> MetricResult:
    """Return a result of attribution whose settings name the real pictures."""
    digest = saved.identity.get("pictures")
    if result.metric != "attribution" or not isinstance(digest, str):
        return result
    return replace(result, settings={**result.settings, "pictures": [digest]})


def by_digest(result: MetricResult, classifiers: Mapping[str, str]) -> MetricResult:
    """Return a result whose settings name the classifiers of separability by their SHA-256."""
    if result.metric != "separability":
        return result
    return replace(
        result, settings={**result.settings, "classifiers": sorted(classifiers.values())}
    )


def united(models: Iterable[FoundModel]) -> list[FoundModel]:
    """Return the models with what all folders hold of each.

    Raises:
        DataError: If two folders hold the same of a model.
    """
    found: dict[str, FoundModel] = {}
    for model in models:
        before = found.setdefault(model.facts["sha256"], model)
        if before is model:
            continue
        twice = {*map(key, before.results)} & {*map(key, model.results)}
        if twice:
            raise DataError(
                f"{before.places[0]} and {model.places[0]} hold {shown(sorted(twice))} of the same "
                f"model, {model.facts['name']}; give one of them"
            )
        found[model.facts["sha256"]] = FoundModel(
            before.facts, before.places + model.places, before.results + model.results,
            {**before.refused, **model.refused}, before.versions + model.versions,
        )  # fmt: skip
    return [*found.values()]


def key(result: MetricResult) -> str:
    """Return what tells measures apart: the protocol, or the metric where there is none."""
    return str(result.settings.get("protocol", result.metric))


def refuse_incomparable(models: Sequence[tuple[str, Sequence[MetricResult]]]) -> None:
    """Check that what was measured of models can be compared.

    Args:
        models: Where the numbers of each model come from, and what they are.

    Raises:
        DataError: If they were measured with other settings, or have nothing in common.
    """
    first: dict[str, tuple[str, MetricResult]] = {}
    common = False
    for place, results in models:
        for result in results:
            other, one = first.setdefault(key(result), (place, result))
            if one is result:
                continue
            common = True
            differs = differences(_settings(result), _settings(one))
            if differs:
                raise DataError(
                    f"{place} and {other} cannot be compared by {key(result)}: {other} has "
                    f"{shown(differs)}; measure both in the same way, or choose another --metric"
                )
    if not common:
        have = shown(
            [f"{place} has {shown([*map(key, results)])}" for place, results in models], "; "
        )
        raise DataError(f"these models have no measure in common: {have}")


def _settings(result: MetricResult) -> dict[str, Any]:
    """Return what must be the same in all models."""
    names = [name for name in THE_SAME.get(result.metric, {}) if name not in _COUNTS]
    return {name: result.settings.get(name) for name in (*names, "seed")}


def _is_fetched(path: str) -> bool:
    return is_address(path) and fetched(path) is not None


def reopened(found: FoundModel, label: str, device: str) -> Model | AbsentModel:
    """Open the checkpoint of a model, for its pictures; where it is gone, numbers must do."""
    path, sha256 = found.facts["checkpoint"], found.facts["sha256"]
    reason = f"its checkpoint {plain_text(path)} is not there"
    if path.startswith(PREFIX) or is_file(Path(path)) or _is_fetched(path):
        try:
            model = open_model(path, device, None, label)
            if model.sha256 == sha256:
                return model
            reason = f"its checkpoint {plain_text(path)} is another one by now"
        except LatentlabError as error:
            reason = str(error)
    return AbsentModel(found.facts, label, reason)
