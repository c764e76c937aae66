"""The files of a projection: targets in, latents, noise, pictures and history out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cli.progress import ProgressBar
from cli.report import write_table
from latentlab import Generator, ImageError, Projection, ProjectorSettings, project
from latentlab.files import make_directory
from latentlab.images import Crop, grid, load_image, save_image
from latentlab.latents import save_noise, save_ws
from latentlab.perceptual import PerceptualDistance
from latentlab.projector import default_batch
from latentlab.quality import pixel_quality

REPORT = "report.csv"
_GAP = 2  # pixels between target and projection


@dataclass(frozen=True)
class Target:
    """A picture to project: its file, the name of its folder, its pixels [C,R,R]."""

    path: Path
    name: str
    image: Tensor


@dataclass(frozen=True)
class Projected:
    """A projected picture [C,R,R], its report row, and the files written for it."""

    target: Target
    image: Tensor
    row: dict[str, Any]
    files: list[Path]


def read_targets(
    paths: Sequence[Path], g: Generator, crop: Crop, max_upscale: float
) -> tuple[list[Target], list[dict[str, Any]]]:
    """Read pictures at the generator's size; returns them, and a report row for each bad one.

    Raises:
        ImageError: If none can be read.
    """
    targets: list[Target] = []
    failures: list[tuple[Path, ImageError]] = []
    for path, name in zip(paths, _names(paths), strict=True):
        try:
            image = load_image(path, g.resolution, g.channels, crop, max_upscale)
            targets.append(Target(path, name, image))
        except ImageError as error:
            failures.append((path, error))
    if not targets:
        first = failures[0][1]
        raise (
            first
            if len(failures) == 1
            else ImageError(f"none of the {len(failures)} pictures can be used; first: {first}")
        )
    rows = [{"picture": str(path), "status": "refused", "note": str(e)} for path, e in failures]
    return targets, rows


def project_targets(
    g: Generator,
    targets: Sequence[Target],
    distance: PerceptualDistance,
    settings: ProjectorSettings,
    folder: Path,
    batch: int | None = None,
    label: str = "projecting",
) -> list[Projected]:
    """Project targets in batches and write each one's files as its batch is done.

    A single target's files go into ``folder`` itself, those of several into a folder each.
    """
    done: list[Projected] = []
    batch = batch or default_batch(g)
    batches = [targets[start : start + batch] for start in range(0, len(targets), batch)]
    with ProgressBar(len(batches) * settings.steps, label, unit="step") as bar:
        for chosen in batches:
            started = time.perf_counter()
            images = torch.stack([target.image for target in chosen])
            result = project(
                g, images, distance, settings=settings,
                progress=lambda _, distances: bar.advance(distance=float(distances.mean())),
            )  # fmt: skip
            seconds = (time.perf_counter() - started) / len(chosen)
            for i, target in enumerate(chosen):
                into = folder if len(targets) == 1 else make_directory(folder / target.name)
                done.append(_write_projection(result, i, target, into, seconds))
    return done


def _write_projection(
    result: Projection, index: int, target: Target, folder: Path, seconds: float
) -> Projected:
    image = result.images[index].cpu()
    files = {
        "w": folder / "projected_w.npz",
        "noise": folder / "projected_noise.npz",
        "target": folder / "target.png",
        "projected": folder / "projected.png",
        "comparison": folder / "comparison.png",
        "history": folder / "history.csv",
    }
    save_ws(files["w"], result.ws[index : index + 1])
    save_noise(files["noise"], [level[index : index + 1] for level in result.noise])
    save_image(files["target"], target.image)
    save_image(files["projected"], image)
    save_image(files["comparison"], grid([target.image, image], 2, _GAP))
    history = result.history
    write_table(history[history["image"] == index].drop(columns="image"), files["history"])
    row = {
        "picture": str(target.path),
        "status": "ok",
        "note": "",
        "distance": float(result.distance[index]),
        "mean_image_distance": float(result.start_distance[index]),
        **pixel_quality(target.image, image),
        "seconds": seconds,
    }
    return Projected(target, image, row, list(files.values()))


def _names(paths: Sequence[Path]) -> list[str]:
    """Folder names from file names; twins get a number, so that names never shift."""
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        stem = path.stem or "picture"
        seen[stem.casefold()] = seen.get(stem.casefold(), 0) + 1
        count = seen[stem.casefold()]
        names.append(stem if count == 1 else f"{stem}-{count}")
    return names
