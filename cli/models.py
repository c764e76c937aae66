"""The models that commands open: on a device, for measuring or for rendering, with a tuning."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch
from torch import Tensor

import latentlab
from cli.text import plain_text, say_soon
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
from latentlab.latents import one_hot
from latentlab.perceptual import PerceptualDistance, fetched_for

if TYPE_CHECKING:
    import pandas as pd

    from metrics import MetricResult


def open_tuned(checkpoint: str, tuning: Path | None) -> Checkpoint:
    """Open a checkpoint, and change its generator by a tuning's file where there is one.

    The checkpoint's metadata then says which file that was.

    Raises:
        CheckpointError: If the tuning is of another checkpoint, or damaged.
    """
    say_opening(checkpoint)
    opened = latentlab.load(checkpoint)
    if distributed.is_main():
        say_soon(in_a_line(opened, checkpoint))
    if tuning is None:
        return opened
    g, change = opened.generator, load_tuning(tuning)
    tuned = apply_tuning(g, change, opened.sha256)
    networks = {name: tuned if x is g else x for name, x in opened.networks.items()}
    facts = {"file": tuning.name, "sha256": sha256_of(tuning), "settings": dict(change.settings)}
    return replace(opened, networks=networks, metadata={**opened.metadata, "tuning": facts})


def say_opening(checkpoint: str, least: int = 0) -> None:
    """Say that a file is being opened, if it has so many bytes; a missing one is an error soon."""
    file = Path(checkpoint)
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


def open_distance(name: str, device: str) -> PerceptualDistance:
    """Open a perceptual distance; a dry run fetches no weights, and gets a stand-in without them.

    Raises:
        LatentlabError: As ``perceptual_distance``.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.params.get("dry_run") and fetched_for(name) is not None:
        return UnfetchedDistance(name)
    return perceptual_distance(name, device)


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
    """An opened checkpoint: what it is called, and its generator on the device."""

    name: str
    opened: Checkpoint
    g: Generator
    place: str

    @property
    def sha256(self) -> str:
        """Of the checkpoint's file."""
        return self.opened.sha256

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the model."""
        return {"checkpoint": self.name, "kind": self.opened.kind, "sha256": self.sha256}

    def tidy(self, result: "MetricResult") -> "pd.DataFrame":
        """Return a result's rows, with the model's name first and its SHA-256 last."""
        frame = result.frame()
        frame.insert(0, "model", self.name)
        return frame.assign(sha256=self.sha256)


@dataclass(frozen=True)
class RenderingModel(Model):
    """A model to render with, and how seeds are mapped.

    Attributes:
        truncation: Psi, and how many layers it holds for; None: all.
        label: The class of a conditional generator, if one is given.
    """

    truncation: tuple[float, int | None]
    label: int | None

    @property
    def c(self) -> Tensor | None:
        """The class as a label [1,c_dim]; a conditional generator must have been given one."""
        return label_of(self.g, self.label)

    def settings(self) -> dict[str, Any]:
        """Return what every manifest of pictures says of the model."""
        return {
            "class": self.label,
            "device": str(self.g.device),
            "checkpoint": self.name,
            "sha256": self.sha256,
            "tuning": self.opened.metadata.get("tuning"),
        }


def open_model(checkpoint: str, device: str, tuning: Path | None = None) -> Model:
    """Open a checkpoint, tuned where there is a file for that, and move its generator."""
    place = resolve_device(device)
    opened = open_tuned(checkpoint, tuning)
    return Model(plain_text(checkpoint), opened, opened.generator.to(place), place)


def cutoff_of(opened: Checkpoint, asked: int | None) -> int | None:
    """Return how many layers to truncate: as asked, or as the checkpoint says; None means all."""
    truncation = opened.metadata.get("truncation")
    own: Any = truncation.get("cutoff") if isinstance(truncation, dict) else None
    return own if asked is None and type(own) is int and own >= 0 else asked


def label_of(g: Generator, label: int | None) -> Tensor | None:
    """Return a class as a label [1,c_dim]; a conditional generator must be given one."""
    if g.c_dim and label is None:
        raise click.UsageError(f"This generator has {g.c_dim} classes; give --class.")
    return None if label is None else one_hot(label, g.c_dim).to(g.device)
