"""The files of projections: latents, noise, pictures and history of each, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from cli.pictures.records import Record, read_record
from cli.reports.tables import write_table
from latentlab import OutputError, Projection
from latentlab.faces import Alignment, save_alignment
from latentlab.files import make_directory
from latentlab.images import grid, save_image
from latentlab.latents import save_noise, save_ws
from latentlab.projection.quality import pixel_quality

REPORT, RECORD = "report.csv", "projection.json"
FILES = (
    "projected_w.npz", "projected_noise.npz", "target.png", "projected.png", "comparison.png",
    "history.csv",
)  # fmt: skip
ALIGNMENT = "alignment.json"  # of a face
MASK = "mask.png"

_GAP = 2  # pixels between target and projection
_STAGE = ".tmp-"


def projections_in(folder: Path, having: str = FILES[0]) -> list[Path]:
    """Return the folders of the pictures that `latentlab project` wrote into one, by name."""
    return [file.parent for file in sorted(folder.glob(f"[!.]*/{having}"))]


def write_files(
    result: Projection,
    index: int,
    target: Tensor,
    folder: Path,
    alignment: Alignment | None = None,
    mask: Tensor | None = None,
) -> None:
    """Write the files of one projected picture; ``target`` [C,R,R] is what it should look like."""
    image = result.images[index].cpu()
    w, noise, wanted, projected, comparison, history = (folder / name for name in FILES)
    save_ws(w, result.ws[index : index + 1])
    save_noise(noise, [level[index : index + 1] for level in result.noise])
    save_image(wanted, target)
    save_image(projected, image)
    save_image(comparison, grid([target, image], 2, _GAP))
    steps = result.history[result.history["image"] == index]
    # Losses that are NaN or infinite become empty cells.
    write_table(steps.drop(columns="image").replace([np.inf, -np.inf], np.nan), history)
    if alignment is not None:
        save_alignment(folder / ALIGNMENT, alignment)
    if mask is not None:
        save_image(folder / MASK, mask * 2 - 1)


def measured(result: Projection, index: int, target: Tensor) -> dict[str, Any]:
    """Return the numbers of one projected picture for its row of a report."""
    return {
        "distance": float(result.distance[index]),
        "whole_distance": float(result.plain_distance[index]),
        "start_distance": float(result.start_distance[index]),
        "mean_image_distance": float(result.mean_distance[index]),
        **pixel_quality(target, result.images[index].cpu()),
    }


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Yield an empty folder inside ``output`` for files in the making; it is removed at the end."""
    try:
        stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=make_directory(output)))
    except OSError as error:
        raise OutputError(f"{output}: no folder can be made there ({error.strerror})") from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def remove_stages(output: Path) -> None:
    """Remove what a killed run has left unfinished; only the folder's holder may do so."""
    for stage in output.glob(f"{_STAGE}*"):
        if stage.is_dir() and not stage.is_symlink():
            shutil.rmtree(stage, ignore_errors=True)
        else:
            stage.unlink(missing_ok=True)


def publish(stage: Path, record: Record, folder: Path) -> None:
    """Move finished files, which ``record`` lists, from their stage into their folder.

    The record comes first: after a kill in between, what is missing shows that the projection is
    not done, and the record that its files are ours.

    Raises:
        OutputError: If a file cannot be moved.
    """
    record.write(stage / RECORD)
    before = read_record(make_directory(folder) / RECORD)
    stale = {*FILES, *(before.files if before else ())}
    try:
        for name in (*stale, RECORD):
            (folder / name).unlink(missing_ok=True)
        for name in (RECORD, *record.files):
            os.replace(stage / name, folder / name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
