"""The snapshots of training runs, opened one after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from cli.fetching import fetch_first
from cli.models import Model, open_model
from cli.options.measuring import MeasuringRequest
from cli.text import plain_text
from latentlab import load
from latentlab.checkpoints import file_of
from latentlab.files import is_file, sha256_of

_SNAPSHOTS = ("snapshot-*.safetensors", "network-snapshot-*.pkl")


def snapshots_in(name: str) -> list[str]:
    """Return the snapshots in a folder, in the order of training; none of what is no folder."""
    if not Path(name).is_dir():
        return []
    files = sorted(file for pattern in _SNAPSHOTS for file in Path(name).glob(pattern))
    return [str(file) for file in files if ".optimizer." not in file.name]


def expanded(checkpoints: Sequence[str]) -> Iterator[str]:
    """Yield checkpoints, with a folder replaced by the snapshots in it."""
    for name in checkpoints:
        if not Path(name).is_dir():
            yield name
            continue
        files = snapshots_in(name)
        if not files:
            text = f"{plain_text(name)}: no snapshots in this folder"
            raise click.BadParameter(text, param_hint="CKPT")
        yield from files


def facts_of(names: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """Return what a manifest says of models that are not opened yet, by their titles."""
    return [{"name": title, "checkpoint": plain_text(name), "sha256": _digest(name)}
            for name, title in zip(names, titles, strict=True)]  # fmt: skip


def _digest(name: str) -> str:
    """Return the SHA-256 of a checkpoint's file; of what is none, opening it says so."""
    fetch_first(name)
    path = file_of(name)
    return sha256_of(path) if is_file(path) else load(name).sha256


class InTurn:
    """Models that are opened one after the other: of many, all at once may be too large.

    Attributes:
        names: The checkpoints.
        request: Where to compute.
    """

    def __init__(
        self,
        names: Sequence[str],
        titles: Sequence[str],
        request: MeasuringRequest,
        first: Model | None = None,
        *,
        pictures: bool = True,
    ) -> None:
        """Plan them; ``first`` is the first of them, where it is open already."""
        self.names, self.request = names, request
        self._titles, self._pictures, self._first = titles, pictures, first

    def first(self) -> Model:
        """Open the first, so that what is wrong with it is said before the work is announced."""
        self._first = self._first or self._open(0)
        return self._first

    def __iter__(self) -> Iterator[Model]:
        """Yield them; the first is not opened again."""
        for i in range(len(self.names)):
            model, self._first = self._first or self._open(i), None
            yield model

    def _open(self, i: int) -> Model:
        name, title = self.names[i], self._titles[i]
        return open_model(name, self.request.device, None, title, pictures=self._pictures)
