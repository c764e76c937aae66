"""The files of a tuning: projected pictures in, the difference and a report out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from cli.pictures.records import RECORD, read_record
from cli.projecting.saved_latents import SavedLatent, read_saved
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest, write_table
from cli.running.progress import ProgressBar
from latentlab import Generator, LatentError, TuningSettings, apply_tuning, save_tuning, tune
from latentlab.files import make_directory
from latentlab.images import grid, load_image, save_image
from latentlab.numerics import full_precision
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.projector import render
from latentlab.projection.quality import pixel_quality

TUNING, REPORT = "tuning.safetensors", "report.csv"
TUNED, COMPARISON = "tuned.png", "comparison.png"

_TARGET = "target.png"
_GAP = 2  # pixels between pictures


@dataclass(frozen=True)
class Pivot:
    """A projected picture: its latent, noise maps [1,1,h,w] a layer, and target [C,R,R]."""

    latent: SavedLatent
    noise: list[Tensor]
    target: Tensor


@dataclass(frozen=True)
class TuningFiles:
    """Where the results go: the folder, and a folder for each picture."""

    output: Path
    folders: list[Path]

    @property
    def pictures(self) -> list[Path]:
        """The files of the pictures."""
        return [folder / name for folder in self.folders for name in (TUNED, COMPARISON)]


def read_pivots(folders: Sequence[Path], g: Generator, sha256: str) -> list[Pivot]:
    """Read what `latentlab project` wrote.

    Raises:
        LatentError: If something is missing, or was projected with another checkpoint.
        ImageError: If a target cannot be read at the generator's size.
    """
    for folder in folders:
        if not folder.is_dir():
            raise LatentError(f"{folder}: no such folder; give one that `latentlab project` wrote")
    pivots = []
    for latent in read_saved(folders, g):
        folder = (latent.noise_file or Path()).parent
        record = read_record(folder / RECORD)
        if record is not None and record.identity.get("sha256", sha256) != sha256:
            raise LatentError(f"{folder}: was projected with another checkpoint; give that one")
        target = load_image(folder / _TARGET, g.resolution, g.channels, crop="none", max_upscale=1)
        pivots.append(Pivot(latent, latent.noise(g) or [], target))
    return pivots


def planned_files(
    pivots: Sequence[Pivot], output: Path, inputs: Sequence[Path], overwrite: bool
) -> TuningFiles:
    """Return where results go; raises OutputError where they are, or would replace an input."""
    files = TuningFiles(output, [output / pivot.latent.name for pivot in pivots])
    reports = [output / name for name in (TUNING, REPORT, MANIFEST)]
    kept = [path for folder in inputs for path in folder.rglob("*") if path.is_file()]
    refuse_existing([*reports, *files.pictures], overwrite, keep=kept)
    return files


def tune_and_report(
    g: Generator,
    pivots: Sequence[Pivot],
    distance: PerceptualDistance,
    settings: TuningSettings,
    facts: dict[str, Any],
    files: TuningFiles,
    c: Tensor | None = None,
) -> None:
    """Tune to pivots and write all files, the manifest last.

    What is measured and shown is what the saved difference gives, not what it was rounded from.
    """
    make_directory(files.output)
    ws = torch.cat([pivot.latent.ws for pivot in pivots])
    noise = [torch.cat(level) for level in zip(*(p.noise for p in pivots), strict=True)]
    targets = torch.stack([pivot.target for pivot in pivots])
    with ProgressBar(settings.steps, "tuning", unit="step") as bar:
        tuning = tune(
            g, ws, noise, targets, distance, facts["sha256"], settings=settings,
            batch=facts["batch"], c=c,
            progress=lambda _, distances: bar.advance(distance=float(distances.mean())),
        )  # fmt: skip
    tuned = apply_tuning(g, tuning, facts["sha256"])
    rows = []
    for pivot, folder in zip(pivots, files.folders, strict=True):
        before, after = (_rendered(each, pivot) for each in (g, tuned))
        make_directory(folder)
        save_image(folder / TUNED, after)
        save_image(folder / COMPARISON, grid([pivot.target, before, after], 3, _GAP))
        measured = {
            **{f"{k}_before": v for k, v in _measured(distance, pivot.target, before).items()},
            **_measured(distance, pivot.target, after),
        }
        rows.append({"picture": pivot.latent.name, **measured, **facts})
    save_tuning(tuning, files.output / TUNING)
    write_table(pd.DataFrame(rows), files.output / REPORT)
    results = [*files.pictures, files.output / TUNING, files.output / REPORT]
    write_manifest(files.output, facts, results)


@full_precision()
def _rendered(g: Generator, pivot: Pivot) -> Tensor:
    return render(g, pivot.latent.ws.to(g.device), pivot.noise)[0].cpu()


@torch.no_grad()
def _measured(distance: PerceptualDistance, target: Tensor, image: Tensor) -> dict[str, Any]:
    found = float(distance(target[None], image[None]))
    return {"distance": found, **pixel_quality(target, image)}
