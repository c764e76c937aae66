"""The files of a tuning: projected pictures in, the difference and a report out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cli.models import Model, open_distance, open_model
from cli.options.projection import TuningRequest
from cli.projecting.files import (
    ALIGNMENT,
    COMPARISON,
    MASK,
    REPORT,
    TARGET,
    TUNED,
    TUNING,
    carry_alignment,
)
from cli.projecting.saved_latents import SavedLatent, read_saved
from cli.projecting.side_by_side import quality_lines, side_by_side
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.reports.tables import MANIFEST, refuse_existing, table_of, write_manifest, write_table
from cli.running.announcement import announce
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from cli.text import counted
from latentlab import Generator, LatentError
from latentlab.files import make_directory
from latentlab.images import COMPARED_ON, alpha_facts, load_image, save_image, save_picture
from latentlab.latents import one_hot
from latentlab.numerics import full_precision
from latentlab.perceptual import PerceptualDistance
from latentlab.projection import TuningSettings, apply_tuning, default_batch, save_tuning, tune
from latentlab.projection.masks import load_mask
from latentlab.projection.quality import masked_quality, pixel_quality
from latentlab.projection.search import render


@dataclass(frozen=True)
class Pivot:
    """A projected picture.

    Attributes:
        latent: Its latent.
        noise: Its noise maps [1,1,h,w], one for each layer.
        target: What it should look like [C,R,R].
        mask: What counts of it [1,R,R] in [0,1], if it was projected within a mask.
    """

    latent: SavedLatent
    noise: list[Tensor]
    target: Tensor
    mask: Tensor | None


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
        return Task("Tuning to", len(self.pivots), "picture", self.g, steps,
                    f", {counted(steps, 'step')}", self.distance, gradients=True,
                    batch=batch)  # fmt: skip

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
    pivots = {
        output / p.latent.name: p for p in _read_pivots(sources, model, request.any_checkpoint)
    }
    kept = [path for folder in sources for path in folder.rglob("*") if path.is_file()]
    refuse_existing([*_results(output, pivots), output / MANIFEST], overwrite, keep=kept)
    distance = open_distance(request.distance, model.place)
    distance.check(next(iter(pivots.values())).target[None].to(model.place))
    facts = {
        "distance_name": distance.name, "batch": request.batch or default_batch(g),
        "class": request.label, "device": model.place, **asdict(settings),
        **alpha_facts(g.channels, COMPARED_ON),
        "checkpoint": model.name, **model.digests,
    }  # fmt: skip
    return PivotalTuning(g, distance, settings, c, pivots, facts)


def _read_pivots(folders: Sequence[Path], model: Model, any_checkpoint: bool) -> list[Pivot]:
    """Read what `latentlab project` wrote.

    Raises:
        LatentError: If something is missing, or was projected with another checkpoint.
        ImageError: If a target cannot be read at the generator's size.
    """
    for folder in folders:
        if not folder.is_dir():
            raise LatentError(f"{folder}: no such folder; give one that `latentlab project` wrote")
    g, pivots = model.g, []
    for latent in read_saved(folders, model, any_checkpoint=any_checkpoint):
        folder = (latent.noise_file or latent.file or Path()).parent
        target = load_image(folder / TARGET, g.resolution, g.channels, crop="none", max_upscale=1)
        mask = load_mask(folder / MASK, g.resolution) if (folder / MASK).is_file() else None
        pivots.append(Pivot(latent, latent.noise(g) or [], target, mask))
    return pivots


def _results(output: Path, pivots: Mapping[Path, Pivot]) -> list[Path]:
    pictures = [folder / name for folder in pivots for name in (TUNED, TARGET, COMPARISON)]
    pictures += [folder / MASK for folder, pivot in pivots.items() if pivot.mask is not None]
    faces = [folder / ALIGNMENT for folder, pivot in pivots.items() if pivot.latent.alignment]
    return [output / TUNING, output / REPORT, *pictures, *faces]


def tune_and_report(work: PivotalTuning, output: Path) -> None:
    """Tune, and write all files, the manifest last.

    What is measured and shown is what the saved difference gives, not what it was rounded from.
    """
    g, distance, facts = work.g, work.distance, work.facts
    pivots = list(work.pivots.values())
    announce([work.task], facts["device"])
    ws = torch.cat([pivot.latent.ws for pivot in pivots])
    noise = [torch.cat(level) for level in zip(*(p.noise for p in pivots), strict=True)]
    targets = torch.stack([pivot.target for pivot in pivots])
    started = time.perf_counter()
    with ProgressBar(work.settings.steps, "tuning", unit="step") as bar:
        tuning = tune(
            g, ws, noise, targets, distance, facts["sha256"], settings=work.settings,
            batch=facts["batch"], c=work.c,
            progress=lambda _, distances: bar.advance(distance=float(distances.mean())),
        )  # fmt: skip
    seconds = (time.perf_counter() - started) / len(pivots)
    tuned = apply_tuning(g, tuning, facts["sha256"])
    rows = []
    for folder, pivot in work.pivots.items():
        before, after = (_rendered(each, pivot) for each in (g, tuned))
        old, new = (_measured(distance, pivot, image) for image in (before, after))
        save_image(make_directory(folder) / TUNED, after)
        save_image(folder / TARGET, pivot.target)  # so that the folder can be measured by itself
        if pivot.mask is not None:
            save_image(folder / MASK, pivot.mask * 2 - 1)
        save_picture(folder / COMPARISON, side_by_side({
            "target": (pivot.target, []), "projection": (before, quality_lines(old)),
            "tuned": (after, quality_lines(new)),
        }))  # fmt: skip
        carry_alignment(pivot.latent.alignment, folder)
        old = {f"{name}_before": value for name, value in old.items()}
        rows.append({"picture": pivot.latent.name, **old, **new, "seconds": seconds, **facts})
    save_tuning(tuning, output / TUNING)
    write_table(table_of(rows), output / REPORT)
    write_manifest(output, facts, _results(output, work.pivots))


@full_precision()
def _rendered(g: Generator, pivot: Pivot) -> Tensor:
    return render(g, pivot.latent.ws.to(g.device), pivot.noise)[0].cpu()


@torch.no_grad()
def _measured(distance: PerceptualDistance, pivot: Pivot, image: Tensor) -> dict[str, Any]:
    """Return how close an image is as a whole and, as ``mask_...``, within the mask."""
    target, mask = pivot.target, pivot.mask
    found = float(distance(target[None], image[None]))
    whole = {"distance": found, **pixel_quality(target, image)}
    if mask is None:
        return whole | {f"mask_{name}": None for name in whole}
    found = float(distance(target[None], target.lerp(image, mask)[None]))
    within = {"distance": found, **masked_quality(target, image, mask)}
    return whole | {f"mask_{name}": value for name, value in within.items()}
