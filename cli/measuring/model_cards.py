"""What models are, on a card for each: what has to be known before their numbers are compared."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from cli.models import Model
from cli.reports.tables import table_of
from cli.text import colours_in_words, listed, one_line
from latentlab.checkpoints.checkpoint import kind_in_words

_DIGITS = 12  # of a SHA-256, that tell files apart
_NOT_KNOWN = "not known"
_DATA = MappingProxyType({"pictures": int, "fingerprint": str})  # what snapshots say of them


def facts(model: Model) -> dict[str, Any]:
    """Return a row of models.csv: system, size, training and file; None where it is not known."""
    config, data = model.g.config, training_data(model)
    psi, cutoff = _truncation(model)
    return {
        "model": model.short_name, "system": kind_in_words(model.opened.kind),
        "resolution": config.resolution, "channels": config.channels,
        "parameters": sum(weight.numel() for weight in model.g.parameters()),
        "z_dim": config.z_dim, "w_dim": getattr(config, "w_dim", None), "labels": config.c_dim,
        "training_pictures": data.get("pictures"), "training_data": data.get("fingerprint"),
        "images_shown": model.opened.images_shown,
        "truncation_psi": psi, "truncation_cutoff": cutoff,
        "sha256": model.sha256, "file": model.name,
    }  # fmt: skip


def table(models: Sequence[Model]) -> pd.DataFrame:
    """Return models.csv, one row for each model; whole numbers may be missing."""
    return table_of(facts(model) for model in models)


def card(model: Model) -> tuple[str, list[tuple[str, str]]]:
    """Return a card for the page: the model's name, and lines of a label and its text."""
    known = facts(model)
    size, channels = known["resolution"], known["channels"]
    w = "no w" if known["w_dim"] is None else f"w {known['w_dim']}"
    lines = {
        "system": known["system"],
        "pictures": f"{size}x{size}, {colours_in_words(channels)}",
        "parameters": f"{known['parameters']:,}",
        "latents": f"z {known['z_dim']}, {w}",
        "labels": f"{known['labels']} classes" if known["labels"] else "none",
        "trained on": _pictures(known["training_pictures"]),
        "images shown": _whole(known["images_shown"]),
        "truncation": _in_words(known["truncation_psi"], known["truncation_cutoff"]),
        "SHA-256": known["sha256"][:_DIGITS],
        "file": one_line(known["file"]),
    }  # fmt: skip
    return known["model"], [*lines.items()]


def training_data(model: Model) -> Mapping[str, Any]:
    """Return what the checkpoint says of the pictures that it was trained on."""
    training = model.opened.metadata.get("training")
    data = training.get("data") if isinstance(training, Mapping) else None
    if not isinstance(data, Mapping):
        return {}
    return {name: data[name] for name, kind in _DATA.items() if type(data.get(name)) is kind}


def doubts(models: Sequence[Model]) -> list[str]:
    """Say what sets models apart, whatever is measured of them."""
    unknown = [model.short_name for model in models if not training_data(model)]
    if unknown:
        verb = "was" if len(unknown) == 1 else "were"
        return [
            f"What {listed(unknown)} {verb} trained on is not known: path lengths and "
            "separability depend on the pictures as well as on the system."
        ]
    known = [training_data(model) for model in models]
    if any(len({data[name] for data in known if name in data}) > 1 for name in _DATA):
        return [
            "The models were trained on different pictures: path lengths and separability depend "
            "on them as well as on the system."
        ]
    return []


def _truncation(model: Model) -> tuple[float | None, int | None]:
    """Return psi and cutoff of the checkpoint's own system, where it has any."""
    own = model.opened.metadata.get("truncation")
    facts: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
    psi, cutoff = facts.get("psi"), facts.get("cutoff")
    number = isinstance(psi, int | float) and not isinstance(psi, bool)
    return float(psi) if number else None, cutoff if type(cutoff) is int else None  # type: ignore[arg-type]


def _in_words(psi: float | None, cutoff: int | None) -> str:
    if psi in (None, 1):
        return "none unless asked for"
    return f"psi {psi:g} in {'all layers' if cutoff is None else f'the first {cutoff} layers'}"


def _pictures(number: int | None) -> str:
    return _NOT_KNOWN if number is None else f"{number:,} pictures"


def _whole(number: int | None) -> str:
    return _NOT_KNOWN if number is None else f"{number:,}"
