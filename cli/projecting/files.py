"""The files of projections: latents, noise, pictures and history of each, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from cli.pictures.records import Record, read_record, set_damaged_aside
from cli.projecting.side_by_side import quality_lines, side_by_side
from cli.reports.tables import write_table
from latentlab import OutputError, Projection
from latentlab.faces import Alignment, save_alignment
from latentlab.files import STAGE, atomic_write, make_directory, remove_unfinished, sync
from latentlab.images import save_image, save_picture
from latentlab.latents import save_noise, save_ws, save_z
from latentlab.projection.quality import masked_quality, pixel_quality

if TYPE_CHECKING:
    import pandas as pd

REPORT, RECORD = "report.csv", "projection.json"
W, NOISE, HISTORY = "projected_w.npz", "projected_noise.npz", "history.csv"
Z = "projected_z.npz"  # of projections into Z
TARGET, PROJECTED, COMPARISON = "target.png", "projected.png", "comparison.png"
FILES = (W, NOISE, TARGET, PROJECTED, COMPARISON, HISTORY)
ALIGNMENT = "alignment.json"  # of a face
MASK = "mask.png"
TUNED, TUNING = "tuned.png", "tuning.safetensors"  # in the folder of a tuning


def files_of(has_w: bool, space: str) -> tuple[str, ...]:
    """Return the names of a picture's files: in Z its z, and w only where there is a W."""
    latents = ((W,) if has_w else ()) + ((Z,) if space == "z" else ())
    return (*latents, *(name for name in FILES if name != W))


def latents_in(folder: Path) -> Path:
    """Return the file of a projected picture's latents: of its w or, without a W, its z."""
    return folder / W if (folder / W).is_file() else folder / Z


def projections_in(folder: Path, having: str = W) -> list[Path]:
    """Return the folders of the pictures that `latentlab project` wrote into one, by name."""
    return [file.parent for file in sorted(folder.glob(f"[!.]*/{having}"))]


def write_files(
    result: Projection,
    index: int,
    target: Tensor,
    folder: Path,
    alignment: Alignment | None = None,
    mask: Tensor | None = None,
    has_w: bool = True,
) -> dict[str, Any]:
    """Write the files of one projected picture; ``target`` [C,R,R] is what it should look like.

    Returns:
        Its numbers, as ``measured`` gives them.
    """
    image, numbers = result.images[index].cpu(), measured(result, index, target, mask)
    w, noise, wanted, projected, comparison, history = (folder / name for name in FILES)
    if has_w:
        save_ws(w, result.ws[index : index + 1])
    if result.z is not None:
        save_z(folder / Z, result.z[index : index + 1])
    save_noise(noise, [level[index : index + 1] for level in result.noise])
    save_image(wanted, target)
    save_image(projected, image)
    below = quality_lines(numbers)
    save_picture(comparison, side_by_side({"target": (target, []), "projection": (image, below)}))
    # Losses that are NaN or infinite become empty cells.
    write_table(_steps(result, index).replace([np.inf, -np.inf], np.nan), history)
    if alignment is not None:
        save_alignment(folder / ALIGNMENT, alignment)
    if mask is not None:
        save_image(folder / MASK, mask * 2 - 1)
    return numbers


def _steps(result: Projection, index: int) -> "pd.DataFrame":
    """Return a picture's history with the report's names: `distance` is of the whole picture."""
    steps = result.history[result.history["image"] == index].drop(columns="image")
    if "plain_distance" in steps:
        steps = steps.rename(columns={"distance": "mask_distance"})
        steps.insert(1, "distance", steps.pop("plain_distance"))
    return steps


def measured(
    result: Projection, index: int, target: Tensor, mask: Tensor | None = None
) -> dict[str, Any]:
    """Return the numbers of one projected picture for its row of a report.

    Those of the whole picture, and as ``mask_...`` those within its mask; None without one.
    """
    image = result.images[index].cpu()
    whole = {
        "distance": float(result.plain_distance[index]),
        "start_distance": float(result.plain_start_distance[index]),
        "mean_image_distance": _known(result.plain_mean_distance[index]),
        **pixel_quality(target, image),
    }
    if mask is None:
        return whole | {f"mask_{name}": None for name in whole}
    within = {
        "distance": float(result.distance[index]),
        "start_distance": float(result.start_distance[index]),
        "mean_image_distance": _known(result.mean_distance[index]),
        **masked_quality(target, image, mask),
    }
    return whole | {f"mask_{name}": value for name, value in within.items()}


def _known(value: Tensor) -> float | None:
    """Return a number; None where there is none, as for the mean w of a generator without W."""
    return None if bool(value.isnan()) else float(value)


def carry_alignment(file: Path | None, folder: Path) -> list[Path]:
    """Copy what says where a face was into the folder of its edit or tuning, if it is known.

    Returns:
        The copy, or nothing.

    Raises:
        OutputError: If it cannot be read or written.
    """
    if file is None:
        return []
    copy = make_directory(folder) / ALIGNMENT
    with atomic_write(copy) as temporary:
        temporary.write_bytes(file.read_bytes())
    return [copy]


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Yield an empty folder inside ``output`` for files in the making; it is removed at the end."""
    try:
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=make_directory(output)))
    except OSError as error:
        raise OutputError(f"{output}: no folder can be made there ({error.strerror})") from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def remove_stages(output: Path) -> None:
    """Remove what a killed run has left unfinished; only the folder's holder may do so."""
    remove_unfinished(output)


def publish(stage: Path, record: Record, folder: Path) -> None:
    """Move finished files, which ``record`` lists, from their stage into their folder.

    The record comes first: after a kill in between, what is missing shows that the projection is
    not done, and the record that its files are ours.

    Raises:
        OutputError: If a file cannot be moved.
    """
    record.write(stage / RECORD)
    set_damaged_aside(make_directory(folder) / RECORD)
    before = read_record(folder / RECORD)
    stale = {*FILES, Z, *(before.files if before else ())}
    try:
        for name in (*stale, RECORD):
            (folder / name).unlink(missing_ok=True)
        for name in (RECORD, *record.files):
            os.replace(stage / name, folder / name)
        sync(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
