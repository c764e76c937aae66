"""The models that commands open: on a device, for measuring or for rendering, with a tuning."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch
from torch import Tensor

import latentlab
from cli.text import distinct_names, plain_text
from latentlab import Checkpoint, Generator, apply_tuning, load_tuning
from latentlab.files import sha256_of
from latentlab.latents import one_hot

if TYPE_CHECKING:
    import pandas as pd

    from metrics import MetricResult


def open_tuned(checkpoint: str, tuning: Path | None) -> Checkpoint:
    """Open a checkpoint, and change its generator by a tuning's file where there is one.

    The checkpoint's metadata then says which file that was.

    Raises:
        CheckpointError: If the tuning is of another checkpoint, or damaged.
    """
    opened = latentlab.load(checkpoint)
    if tuning is None:
        return opened
    g, change = opened.generator, load_tuning(tuning)
    tuned = apply_tuning(g, change, opened.sha256)
    networks = {name: tuned if x is g else x for name, x in opened.networks.items()}
    facts = {"file": tuning.name, "sha256": sha256_of(tuning), "settings": dict(change.settings)}
    return replace(opened, networks=networks, metadata={**opened.metadata, "tuning": facts})


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

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the model."""
        return {"name": self.short_name, "checkpoint": self.name, "kind": self.opened.kind,
                "sha256": self.sha256}  # fmt: skip

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


def open_model(checkpoint: str, device: str, tuning: Path | None = None, title: str = "") -> Model:
    """Open a checkpoint, tuned where there is a file for that, and move its generator.

    ``title`` is what it is called, where that is not to be the name of its file.
    """
    place = resolve_device(device)
    opened = open_tuned(checkpoint, tuning)
    g = opened.generator.to(place)
    return Model(plain_text(checkpoint), opened, g, place, title=title)


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
