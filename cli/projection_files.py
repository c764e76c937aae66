"""The files of a projection: targets in, latents, noise, pictures and history out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from cli.progress import ProgressBar
from cli.report import MANIFEST, refuse_existing, write_manifest, write_table
from cli.text import plain_text
from latentlab import (
    Generator,
    ImageError,
    LatentlabError,
    NumericalError,
    Projection,
    ProjectorSettings,
    project,
)
from latentlab.files import make_directory
from latentlab.images import Crop, grid, load_image, save_image
from latentlab.latents import save_noise, save_ws
from latentlab.perceptual import PerceptualDistance
from latentlab.projector import default_batch
from latentlab.quality import pixel_quality

REPORT = "report.csv"
FILES = (
    "projected_w.npz",
    "projected_noise.npz",
    "target.png",
    "projected.png",
    "comparison.png",
    "history.csv",
)

_GAP = 2  # pixels between target and projection


@dataclass(frozen=True)
class Target:
    """A picture to project: its file, the folder for its results, its pixels [C,R,R]."""

    path: Path
    folder: Path
    image: Tensor

    @property
    def results(self) -> list[Path]:
        """The files that its projection will have."""
        return [self.folder / name for name in FILES]


@dataclass(frozen=True)
class Projected:
    """A projected picture [C,R,R] and its report row."""

    target: Target
    image: Tensor
    row: dict[str, Any]


def read_targets(
    paths: Sequence[Path], output: Path, g: Generator, crop: Crop, max_upscale: float
) -> tuple[list[Target], list[dict[str, Any]]]:
    """Read pictures at the generator's size; returns them, and a report row for each bad one.

    The results of a single picture go into ``output`` itself, those of several into a folder each.

    Raises:
        ImageError: If none can be read.
    """
    targets: list[Target] = []
    failures: list[tuple[Path, ImageError]] = []
    folders = [output / name for name in folder_names(paths)] if len(paths) > 1 else [output]
    for path, folder in zip(paths, folders, strict=True):
        try:
            image = load_image(path, g.resolution, g.channels, crop, max_upscale)
            targets.append(Target(path, folder, image))
        except ImageError as error:
            failures.append((path, error))
    if not targets and len(failures) == 1:
        raise failures[0][1]
    if not targets:
        raise ImageError(
            f"none of the {len(failures)} pictures can be used; first: {failures[0][1]}"
        )
    rows = [_row_without_result(path, "refused", error) for path, error in failures]
    return targets, rows


def refuse_replacing(
    targets: Sequence[Target], output: Path, inputs: Sequence[Path], overwrite: bool
) -> None:
    """Raise OutputError where results are there already, or would replace an input."""
    results = [file for target in targets for file in target.results]
    refuse_existing([output / REPORT, output / MANIFEST, *results], overwrite, keep=inputs)


def project_and_report(
    g: Generator,
    targets: Sequence[Target],
    failures: Sequence[dict[str, Any]],
    distance: PerceptualDistance,
    settings: ProjectorSettings,
    facts: dict[str, Any],
    output: Path,
    c: Tensor | None = None,
) -> list[dict[str, Any]]:
    """Project targets and write report and manifest; returns the report's rows.

    The report is written anew after every picture, so that an interruption loses no row.
    """
    table = make_directory(output) / REPORT
    rows = list(failures)

    def report(row: dict[str, Any]) -> None:
        rows.append(row)
        write_table(pd.DataFrame(rows).assign(**facts), table)

    done = project_targets(g, targets, distance, settings, facts["batch"], c, on_row=report)
    results = [file for item in done for file in item.target.results]
    write_manifest(output, facts, [*results, table])
    return rows


def project_targets(
    g: Generator,
    targets: Sequence[Target],
    distance: PerceptualDistance,
    settings: ProjectorSettings,
    batch: int | None = None,
    c: Tensor | None = None,
    label: str = "projecting",
    on_row: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[Projected]:
    """Project targets in batches and write each one's files as its batch is done.

    A batch that leaves the finite numbers gives rows that say so, and the others go on.
    ``c`` is the label [1,c_dim] of a conditional generator, ``label`` stands at the progress bar.
    """
    done: list[Projected] = []
    batch = batch or default_batch(g)
    batches = [targets[start : start + batch] for start in range(0, len(targets), batch)]
    with ProgressBar(len(batches) * settings.steps, label, unit="step") as bar:

        def show(_: int, distances: Tensor) -> None:
            bar.advance(distance=float(distances.mean()))

        for chosen in batches:
            started = time.perf_counter()
            images = torch.stack([target.image for target in chosen])
            try:
                result = project(
                    g, images, distance, settings=settings, batch=batch, c=c, progress=show
                )
            except NumericalError as error:
                for target in chosen:
                    on_row(_row_without_result(target.path, "diverged", error))
                continue
            seconds = (time.perf_counter() - started) / len(chosen)
            for i, target in enumerate(chosen):
                done.append(_write_projection(result, i, target, seconds))
                on_row(done[-1].row)
    return done


def _row_without_result(path: Path, status: str, error: LatentlabError) -> dict[str, Any]:
    return {"picture": plain_text(path), "status": status, "note": plain_text(error)}


def _write_projection(result: Projection, index: int, target: Target, seconds: float) -> Projected:
    image = result.images[index].cpu()
    make_directory(target.folder)
    w, noise, wanted, projected, comparison, history = target.results
    save_ws(w, result.ws[index : index + 1])
    save_noise(noise, [level[index : index + 1] for level in result.noise])
    save_image(wanted, target.image)
    save_image(projected, image)
    save_image(comparison, grid([target.image, image], 2, _GAP))
    steps = result.history[result.history["image"] == index]
    write_table(steps.drop(columns="image"), history)
    row = {
        "picture": plain_text(target.path),
        "status": "ok",
        "note": "",
        "distance": float(result.distance[index]),
        "mean_image_distance": float(result.start_distance[index]),
        **pixel_quality(target.image, image),
        "seconds": seconds,
    }
    return Projected(target, image, row)


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Folder names from file names: each its own, none that is a report's or leads elsewhere."""
    taken = {REPORT, MANIFEST}
    names = []
    for path in paths:
        stem = path.stem if path.stem.strip(". ") else "picture"
        candidates = (stem if i == 1 else f"{stem}-{i}" for i in count(1))
        names.append(next(name for name in candidates if name.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names
