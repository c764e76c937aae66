"""The files of a tuning: projected pictures in, the difference and a report out."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from cli.models import open_distance, open_model
from cli.options.projection import TuningRequest
from cli.pictures.records import read_record
from cli.projecting.files import RECORD
from cli.projecting.saved_latents import SavedLatent, read_saved
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest, write_table
from cli.running.announcement import announce
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from latentlab import Generator, LatentError
from latentlab.files import make_directory
from latentlab.images import grid, load_image, save_image
from latentlab.latents import one_hot
from latentlab.numerics import full_precision
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import TuningSettings, apply_tuning, default_batch, save_tuning, tune
from latentlab.projection.quality import pixel_quality
from latentlab.projection.search import render

TUNING, REPORT = "tuning.safetensors", "report.csv"
TUNED, COMPARISON = "tuned.png", "comparison.png"

_TARGET = "target.png"
_GAP = 2  # pixels between pictures


@dataclass(frozen=True)
class Pivot:
    """A projected picture: its latent, noise maps [1,1,h,w] of each layer, and target [C,R,R]."""

    latent: SavedLatent
    noise: list[Tensor]
    target: Tensor


@dataclass(frozen=True)
class PivotalTuning:
    """A tuning that is about to begin.

    Attributes:
        pivots: The pictures, each with the folder of its results.
        facts: What reports say of the tuning.
    """

    g: Generator
    distance: PerceptualDistance
    settings: TuningSettings
    c: Tensor | None
    pivots: dict[Path, Pivot]
    facts: dict[str, Any]

    @property
    def task(self) -> Task:
        """What is to be done, for those who ask how long it takes."""
        steps, batch = self.settings.steps, self.facts["batch"]
        return Task("Tuning to", len(self.pivots), "picture", self.g, steps, f", {steps:,} steps",
                    self.distance, gradients=True, batch=batch)  # fmt: skip

    def tell(self, output: Path) -> None:
        """Print what a dry run has found."""
        names = [folder.name for folder in self.pivots]
        files = [*_results(output, self.pivots), output / MANIFEST]
        plan = DryRun([self.task], output, files, self.facts["device"], inputs=names)
        tell_dry_run(plan, {"pictures": names, **self.facts})


def open_tuning(
    checkpoint: str,
    sources: Sequence[Path],
    request: TuningRequest,
    output: Path,
    overwrite: bool,
    device: str,
) -> PivotalTuning:
    """Open all that a tuning to the pictures of these folders needs; the cheap comes first.

    Raises:
        LatentlabError: If something of it cannot be used, the results are there already, or the
            distance is for pictures of another size.
    """
    settings = request.settings()
    model = open_model(checkpoint, device)
    g = model.g
    c = None if request.label is None else one_hot(request.label, g.c_dim)
    pivots = {output / p.latent.name: p for p in _read_pivots(sources, g, model.sha256)}
    kept = [path for folder in sources for path in folder.rglob("*") if path.is_file()]
    refuse_existing([*_results(output, pivots), output / MANIFEST], overwrite, keep=kept)
    distance = open_distance(request.distance, model.place)
    distance.features(next(iter(pivots.values())).target[None].to(model.place))
    facts = {
        "distance_name": distance.name, "batch": request.batch or default_batch(g),
        "class": request.label, "device": model.place, **asdict(settings),
        "checkpoint": model.name, "sha256": model.sha256,
    }  # fmt: skip
    return PivotalTuning(g, distance, settings, c, pivots, facts)


def _read_pivots(folders: Sequence[Path], g: Generator, sha256: str) -> list[Pivot]:
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


def _results(output: Path, folders: Iterable[Path]) -> list[Path]:
    pictures = [folder / name for folder in folders for name in (TUNED, COMPARISON)]
    return [output / TUNING, output / REPORT, *pictures]


def tune_and_report(work: PivotalTuning, output: Path) -> None:
    """Tune, and write all files, the manifest last.

    What is measured and shown is what the saved difference gives, not what it was rounded from.
    """
    g, distance, facts = work.g, work.distance, work.facts
    pivots = list(work.pivots.values())
    make_directory(output)
    announce([work.task], facts["device"])
    ws = torch.cat([pivot.latent.ws for pivot in pivots])
    noise = [torch.cat(level) for level in zip(*(p.noise for p in pivots), strict=True)]
    targets = torch.stack([pivot.target for pivot in pivots])
    with ProgressBar(work.settings.steps, "tuning", unit="step") as bar:
        tuning = tune(
            g, ws, noise, targets, distance, facts["sha256"], settings=work.settings,
            batch=facts["batch"], c=work.c,
            progress=lambda _, distances: bar.advance(distance=float(distances.mean())),
        )  # fmt: skip
    tuned = apply_tuning(g, tuning, facts["sha256"])
    rows = []
    for folder, pivot in work.pivots.items():
        before, after = (_rendered(each, pivot) for each in (g, tuned))
        make_directory(folder)
        save_image(folder / TUNED, after)
        save_image(folder / COMPARISON, grid([pivot.target, before, after], 3, _GAP))
        old, new = (_measured(distance, pivot.target, image) for image in (before, after))
        old = {f"{name}_before": value for name, value in old.items()}
        rows.append({"picture": pivot.latent.name, **old, **new, **facts})
    save_tuning(tuning, output / TUNING)
    write_table(pd.DataFrame(rows), output / REPORT)
    write_manifest(output, facts, _results(output, work.pivots))


@full_precision()
def _rendered(g: Generator, pivot: Pivot) -> Tensor:
    return render(g, pivot.latent.ws.to(g.device), pivot.noise)[0].cpu()


@torch.no_grad()
def _measured(distance: PerceptualDistance, target: Tensor, image: Tensor) -> dict[str, Any]:
    found = float(distance(target[None], image[None]))
    return {"distance": found, **pixel_quality(target, image)}
