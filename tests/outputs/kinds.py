"""One file of every kind that is written, each from fixed content."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from unittest import mock

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

import latentlab
from cli.measuring.partial import _write as write_batches
from cli.projecting.latent_table import write_table as write_latents
from cli.reports.page import Page
from cli.reports.plot_style import save_figure
from cli.reports.tables import write_manifest, write_table
from latentlab.editing.directions import Directions, save_directions
from latentlab.images import save_image
from latentlab.latents import save_noise
from latentlab.projection.tuning_file import Tuning
from latentlab.training.log import TrainingLog
from latentlab.training.snapshots import networks_path, save_networks, save_optimizer
from latentlab.video.writer import video_writer
from tests.conftest import make_discriminator, make_generator
from tests.training.trainers import make_trainer

Write = Callable[[Path], object]

FRAME = pd.DataFrame({"name": ["b", "a"], "value": [0.1, None], "count": [3, 4]})
FACTS = {"seed": 1, "b": [1.5], "a": {"z": None, "y": "é"}}


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _ours(path: Path) -> None:
    g, d = make_generator(), make_discriminator()
    checkpoint = latentlab.Checkpoint("kind", "ab" * 32, Path("x"), {"G_ema": g, "D": d}, FACTS)
    latentlab.save(checkpoint, path, {"more": 1})


def _foreign(to: str, path: Path) -> None:
    latentlab.export(make_generator(z_dim=5), path, to)  # as long as w


def _directions(path: Path) -> None:
    one = torch.ones(2)
    facts = {"accuracy": (0.5, 0.25), "auc": (1.0, 1.0)}
    save_directions(path, Directions(("a", "b"), torch.eye(2), one, one, "svm", facts=facts))


def _tuning(path: Path) -> None:
    change = (torch.ones(2, 3, dtype=torch.int8), torch.ones(2))
    latentlab.save_tuning(Tuning({"b": change, "a": change}, "ab" * 32, FACTS), path)


def _latents(kind: str, path: Path) -> None:
    rows = iter(np.arange(6, dtype=np.float32).reshape(2, 3))
    write_latents(path, ["b.png", "a.png"], rows, FACTS, kind)


def _noise(path: Path) -> None:
    save_noise(path, [torch.randn(1, 1, 4, 4, generator=_rng()) for _ in range(12)])


def _batches(path: Path) -> None:
    write_batches(path, {range(3): {"b": np.eye(3), "a": np.array(["x", "yy", ""])}})


def _figure(path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 3, 2], label="a")
    figure.legend()
    save_figure(path, figure)


def _page(path: Path) -> None:
    page = Page("Title", ["Lead"])
    page.section("Plots")
    _figure(path.with_suffix(".figure.png"))
    page.picture(path.with_suffix(".figure.png"), "A plot")
    with mock.patch("cli.reports.page.current_date", return_value="2026-01-31T12:00:00Z"):
        page.write(path)


def _manifest(path: Path) -> None:
    path.mkdir()
    with mock.patch("cli.reports.tables.current_date", return_value="2026-01-31T12:00:00Z"):
        write_manifest(path, FACTS, {"a.csv": "ab" * 32})


def _video(path: Path) -> None:
    frames = torch.rand(3, 3, 16, 16, generator=_rng()) * 2 - 1
    with video_writer(path, 10) as write:
        for frame in frames:
            write(frame)


def _picture(path: Path) -> None:
    save_image(path, torch.rand(3, 16, 16, generator=_rng()) * 2 - 1)


def _training(path: Path) -> None:
    """A snapshot and what continuing it needs; seconds, which are measured, are none here."""
    trainer, log = make_trainer(), TrainingLog(span=1)
    log.add(1, 4, trainer.run_step(), 1.0)
    path.mkdir()
    save_networks(trainer, path)
    save_optimizer(trainer, log, networks_path(trainer, path))
    log.write(path, trainer.images_seen)


OUTPUTS: Mapping[str, Write] = MappingProxyType({
    "ours.safetensors": _ours,
    "rosinality.pt": partial(_foreign, "rosinality"),
    "nvidia-state.pt": partial(_foreign, "nvidia-state"),
    "nvidia-state.safetensors": partial(_foreign, "nvidia-state"),
    "directions.safetensors": _directions,
    "tuning.safetensors": _tuning,
    "latents.safetensors": partial(_latents, "safetensors"),
    "latents.parquet": partial(_latents, "parquet"),
    "noise.npz": _noise,
    "batches.npz": _batches,
    "table.csv": partial(write_table, FRAME),
    "table.json": partial(write_table, FRAME),
    "table.parquet": partial(write_table, FRAME),
    "table.md": partial(write_table, FRAME),
    "figure.png": _figure,
    "page.html": _page,
    "manifest": _manifest,
    "picture.png": _picture,
    "video.gif": _video,
    "video.mp4": _video,
    "training": _training,
})  # fmt: skip


def write_all(folder: Path) -> None:
    """Write one of each into an empty folder."""
    for name, write in OUTPUTS.items():
        write(folder / name)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
