"""The models that commands open: on a device, for measuring or for rendering, with a tuning."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch
from torch import Tensor

import latentlab
from cli.fetching import fetch_first
from cli.first_words import is_said
from cli.text import distinct_names, plain_text, say_soon
from cli.threads import is_small, settle_threads
from cli.trust import trusted
from latentlab import (
    Checkpoint,
    Generator,
    apply_tuning,
    distributed,
    load_tuning,
    perceptual_distance,
)
from latentlab.checkpoints.checkpoint import kind_in_words
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import all_unchanging
from latentlab.images import check_channels
from latentlab.latents import one_hot
from latentlab.perceptual import PerceptualDistance, fetched_for

if TYPE_CHECKING:
    import pandas as pd

    from metrics import MetricResult


def open_tuned(
    checkpoint: str, tuning: Path | None, assume: Mapping[str, str] | None = None
) -> Checkpoint:
    """Open a checkpoint, and change its generator by a tuning's file where there is one.

    The checkpoint's metadata then says which file that was. ``assume`` are settings that a bare
    state dict does not hold.

    Raises:
        CheckpointError: If the tuning is of another checkpoint, or damaged.
    """
    fetch_first(checkpoint)
    say_opening(checkpoint)
    opened = latentlab.load(checkpoint, assume=assume)
    if distributed.is_main():
        say_soon(in_a_line(opened, checkpoint))
    if tuning is None:
        return opened
    with all_unchanging(tuning):
        g, change, digest = opened.generator, load_tuning(tuning), sha256_of(tuning)
    # A converted file has the same weights, unless it was tuned on the way.
    same = change.base_sha256 == opened.converted_from and "tuning" not in opened.metadata
    tuned = apply_tuning(g, change, change.base_sha256 if same else opened.sha256)
    networks = {name: tuned if x is g else x for name, x in opened.networks.items()}
    facts = {"file": tuning.name, "sha256": digest, "settings": dict(change.settings)}
    return replace(opened, networks=networks, metadata={**opened.metadata, "tuning": facts})


def say_opening(checkpoint: str, least: int = 0) -> None:
    """Say that a file is being opened, if it has so many bytes; a missing one is an error soon."""
    file = Path(checkpoint)
    if is_said(checkpoint):
        return
    if distributed.is_main() and file.is_file() and file.stat().st_size >= least:
        say_soon(f"Opening {plain_text(checkpoint)} ...")


def in_a_line(opened: Checkpoint, name: str) -> str:
    """Say what a checkpoint is: "x.pkl: StyleGAN2 (TensorFlow), 1024x1024"."""
    network = next(iter(opened.networks.values()))
    size, classes = (getattr(network, each, None) for each in ("resolution", "c_dim"))
    parts = [kind_in_words(opened.kind)]
    parts += [f"{size}x{size}"] * isinstance(size, int)
    parts += [f"{classes} classes"] if isinstance(classes, int) and classes > 0 else []
    return f"{plain_text(name)}: {', '.join(parts)}"


def open_distance(name: str, device: str, trust: bool | None = None) -> PerceptualDistance:
    """Open a perceptual distance; a dry run fetches no weights, and gets a stand-in without them.

    ``trust`` is for ``perceptual_distance``; None takes what the command line says. It is False for
    a distance that the command line does not name.

    Raises:
        LatentlabError: As ``perceptual_distance``.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.params.get("dry_run") and fetched_for(name) is not None:
        return UnfetchedDistance(name)
    return perceptual_distance(name, device, trust=trusted() if trust is None else trust)


class UnfetchedDistance(PerceptualDistance):
    """Stands in a dry run for a distance whose weights are not there; it compares nothing."""

    def compare(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """Refuse: a dry run measures nothing."""
        raise NotImplementedError

    def _extract(self, images: Tensor) -> list[Tensor]:
        return [images]


def resolve_device(name: str) -> str:
    """Turn "auto" into a device, and refuse one that this machine lacks."""
    alone = "LOCAL_RANK" not in os.environ  # each of torchrun's processes has a GPU of its own
    if (name == "auto" or (name == "cuda" and not alone)) and torch.cuda.is_available():
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if name == "auto":
        return "cpu"
    try:
        if name.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise RuntimeError("not a device that computes")
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise click.BadParameter(
            f"{name!r} is not a device of this machine; cpu always is", param_hint="--device"
        ) from error
    return name


@dataclass(frozen=True)
class Model:
    """An opened checkpoint and its generator on the device.

    Attributes:
        name: How the command line names it: a path, or a bundled one.
        opened: The checkpoint.
        g: Its generator.
        place: The device.
        title: What it is to be called, where somebody has said so.
    """

    name: str
    opened: Checkpoint
    g: Generator
    place: str
    title: str = field(default="", kw_only=True)

    @property
    def short_name(self) -> str:
        """What titles, tables and plots call it: its name without folders, unless told."""
        return self.title or distinct_names([self.name])[0]

    @property
    def sha256(self) -> str:
        """Of the checkpoint's file."""
        return self.opened.sha256

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 by which what belongs to the model is known, as files beside it say it."""
        source = self.opened.converted_from
        return {"sha256": self.sha256, **({"converted_from": source} if source else {})}

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the model."""
        return {"name": self.short_name, "checkpoint": self.name, "kind": self.opened.kind,
                **self.digests}  # fmt: skip

    def tidy(self, result: "MetricResult", **own: Any) -> "pd.DataFrame":
        """Return a result's rows, with the model's name first and its SHA-256 last.

        ``own`` are more columns, after the metric's.
        """
        return with_model(result.frame(), self.short_name, self.sha256, **own)


def with_model(frame: "pd.DataFrame", name: str, sha256: str, **own: Any) -> "pd.DataFrame":
    """Return tidy rows with a model's name first and a SHA-256 last."""
    from metrics.scheme import MODEL, SHA256, in_order

    whole = frame.assign(**own, **{MODEL: name, SHA256: sha256})
    return whole[in_order(whole.columns)]


@dataclass(frozen=True)
class RenderingModel(Model):
    """A model to render with, and how seeds are mapped.

    Attributes:
        truncation: Psi, and how many layers it holds for; None: all.
        labels: The classes of a conditional generator that are asked for.
        pace: What a manifest says of --compile and --precision.
    """

    truncation: tuple[float, int | None]
    labels: tuple[int, ...] = ()
    pace: Mapping[str, Any] = field(default_factory=dict)

    @property
    def c(self) -> Tensor | None:
        """The class as a label [1,c_dim]; a conditional generator must have been given one."""
        return label_of(self.g, self.labels[0] if len(self.labels) == 1 else None)

    @property
    def by_class(self) -> "list[RenderingModel]":
        """The model once for each class that is asked for; itself where there is one, or none."""
        if len(self.labels) < 2:
            return [self]
        return [replace(self, labels=(label,)) for label in self.labels]

    @property
    def class_caption(self) -> str:
        """Its one class for a person: "class 3", or "class 3, cat"; "" without one."""
        names = self.opened.class_names
        if not self.labels:
            return ""
        name = f", {names[self.labels[0]]}" if names else ""
        return plain_text(f"class {self.labels[0]}{name}")

    def settings(self) -> dict[str, Any]:
        """Return what every manifest of pictures says of the model."""
        return {
            "class": list(self.labels) if len(self.labels) > 1 else next(iter(self.labels), None),
            "device": str(self.g.device),
            "checkpoint": self.name,
            **self.digests,
            "tuning": self.opened.metadata.get("tuning"),
            **self.pace,
        }


def open_model(
    checkpoint: str,
    device: str,
    tuning: Path | None = None,
    title: str = "",
    *,
    pictures: bool = True,
) -> Model:
    """Open a checkpoint, tuned where there is a file for that, and move its generator.

    It is computed with as many threads as suit it from then on. ``title`` is what it is called,
    where that is not to be the name of its file.

    Raises:
        LatentError: If ``pictures`` are to be made, but its images are none.
    """
    place = resolve_device(device)
    opened = open_tuned(checkpoint, tuning)
    if pictures:
        check_channels(opened.generator.channels, plain_text(checkpoint))
    settle_threads(is_small(opened.generator))
    g = opened.generator.to(place)
    return Model(plain_text(checkpoint), opened, g, place, title=title)


def label_of(g: Generator, label: int | None) -> Tensor | None:
    """Return a class as a label [1,c_dim]; a conditional generator must be given one."""
    if g.c_dim and label is None:
        raise click.UsageError(f"This generator has {g.c_dim} classes; give --class.")
    return None if label is None else one_hot(label, g.c_dim).to(g.device)
