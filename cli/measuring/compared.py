"""What a comparison saves in its folder, and what it has of an earlier one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.measuring.comparison import ComparisonSettings, Measured, measure
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.work import Asked
from cli.models import Model
from latentlab.files import sha256_of
from latentlab.models import PREFIX, builtin_path


def asked_for(
    settings: ComparisonSettings, models: Sequence[Model], shown: dict[str, Any]
) -> Asked:
    """Return what is to be compared: another metric, or more samples, is more of the same."""
    identity = {
        **settings.identity(), "protocols": list(settings.needs.protocols),
        "classifiers": {name: _digest(name) for name in settings.classifiers},
    }  # fmt: skip
    extent = {f"samples of {name}": count for name, count in settings.samples.items()}
    facts = [model.facts() for model in models]
    return Asked(identity, extent, facts, models[0].place, shown)


def measured_or_saved(
    results: Results, models: Sequence[Model], labels: Sequence[str], settings: ComparisonSettings
) -> list[Measured]:
    """Return what an earlier run has measured of the models, or measure and save it."""
    if results.saved is None:
        measured = [measure(*pair, settings) for pair in zip(models, labels, strict=True)]
    else:
        measured = [
            Measured(model, label, saved.results, saved.refused)
            for model, label, saved in zip(models, labels, results.saved.models, strict=True)
        ]
    results.save([SavedModel(m.model.facts(), m.results, m.refused) for m in measured])
    return measured


def _digest(name: str) -> str:
    return sha256_of(builtin_path(name) if name.startswith(PREFIX) else Path(name))
