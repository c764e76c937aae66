"""Latents that someone has already, beside a table of labels for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cli.projecting.files import FILES, projections_in
from cli.text import counted, plain_text
from latentlab import DataError, LatentError
from latentlab.csv_files import read_csv
from latentlab.errors import reason, shown
from latentlab.latents import W_KEY
from latentlab.tensor_files import Shape, npz_names, read_npz

PICTURE = "picture"  # the column of the labels that names files

_PROJECTED = FILES[0]
# By the name of the array in the file; the first one there is read unless one is asked for.
_SHAPES: Mapping[str, Sequence[Shape]] = {
    W_KEY: [("N", "D"), ("N", "num_ws", "D")],
    "z": [("N", "D")],
}
_UNKNOWN = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "<NA>")
_NAMED = 5  # names in a message
_MAX_BYTES = 2**33  # of one array: 200,000 latents of 18 layers, and more


@dataclass(frozen=True)
class LabelledLatents:
    """Latents [N,D], their labels, and what a reader should know of how they met.

    Attributes:
        latents: z, or w of one layer [N,D].
        labels: One row for each of them.
        space: "z" or "w".
        notes: What was left out, or is worth a look.
    """

    latents: NDArray[Any]
    labels: pd.DataFrame
    space: str
    notes: list[str]


def read_labelled(
    latents: Path, labels: Path, space: str | None = None, layer: int | None = None
) -> LabelledLatents:
    """Read latents and labels, and bring them together.

    Latents of a folder that ``latentlab project`` wrote have the names of their pictures, and find
    their labels by the column ``picture``; others are taken row by row.

    Args:
        latents: .npz with z [N,D] or w [N,D] or [N,num_ws,D], or such a folder.
        labels: CSV with one column per attribute.
        space: Which array of the file; default: w where there is one.
        layer: Which w of several; default: the last.

    Raises:
        LatentError: If the latents cannot be read.
        DataError: If the labels cannot be read, or do not fit the latents.
    """
    table = _read_labels(labels)
    if not latents.is_dir():
        values, found = _read_array(latents, space, layer)
        notes = []
        if PICTURE in table:
            notes = [f"The column {PICTURE} is of no use: latents in one file have no names."]
        table = table.drop(columns=PICTURE, errors="ignore")
        return LabelledLatents(values, _same_count(table, len(values), labels), found, notes)
    files = _projections(latents)
    parts = {name: _read_array(file, "w", layer)[0] for name, file in files.items()}
    if PICTURE not in table:
        table = _same_count(table, len(parts), labels)
        first, *_, last = [*parts, *parts]
        notes = [
            f"The labels have no column {PICTURE}, so their rows were taken in the order of the "
            f"folders, {plain_text(first)} to {plain_text(last)}."
        ]
        return LabelledLatents(np.concatenate(list(parts.values())), table, "w", notes)
    rows, notes = _partners(table[PICTURE], list(parts), labels)
    values = np.concatenate([parts[name] for name in rows])
    chosen = table.drop(columns=PICTURE).iloc[list(rows.values())].reset_index(drop=True)
    return LabelledLatents(values, chosen, "w", notes)


def _read_labels(path: Path) -> pd.DataFrame:
    try:
        read = read_csv(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected a CSV of labels") from error
    except OSError as error:
        raise DataError(f"{path}: not a readable CSV of labels ({reason(error)})") from error
    if doubled := {name for name in read.columns if read.columns.count(name) > 1}:
        raise DataError(f"{path}: has the column {min(doubled)} twice")
    table = pd.DataFrame(read.rows, columns=read.columns, dtype=str)
    table = table.mask(table.isin(_UNKNOWN))
    if table.drop(columns=PICTURE, errors="ignore").empty:
        expected = "one row per sample, one column per attribute"
        raise DataError(f"{path}: holds no labels; expected {expected}")
    return table


def _read_array(path: Path, space: str | None, layer: int | None) -> tuple[NDArray[Any], str]:
    """Return latents [N,D] of a file, and their space."""
    names = npz_names(path)
    key = space or next((key for key in _SHAPES if key in names), None)
    if key is None:
        found = shown(names) or "nothing"
        raise LatentError(f"{path}: no array `{W_KEY}` or `z` inside, only {found}")
    values = read_npz(path, {key: _SHAPES[key]}, max_bytes=_MAX_BYTES)[key]  # [N,(num_ws,)D]
    if values.ndim == 2:
        if layer is not None:
            raise LatentError(f"{path}: `{key}` has one w per sample; leave --layer out")
        return values, key
    if layer is not None and layer >= values.shape[1]:
        raise LatentError(f"{path}: `{key}` has layers 0..{values.shape[1] - 1}, not {layer}")
    return values[:, -1 if layer is None else layer], key


def _projections(folder: Path) -> dict[str, Path]:
    """Return the latents of a folder of projections by the names of their pictures, in order."""
    files = {each.name: each / _PROJECTED for each in projections_in(folder)}
    if not files:
        raise LatentError(
            f"{folder}: holds no NAME/{_PROJECTED}, as `latentlab project` writes for several "
            "pictures"
        )
    return files


def _same_count(table: pd.DataFrame, count: int, where: Path) -> pd.DataFrame:
    if len(table) != count:
        raise DataError(
            f"{where}: {counted(len(table), 'row')} for {count} latents; without names they are "
            "taken row by row, and must be as many"
        )
    return table


def _partners(
    pictures: "pd.Series[str]", names: Sequence[str], where: Path
) -> tuple[Mapping[str, int], list[str]]:
    """Return the row of labels for each name that has one, and notes on what has no partner."""
    rows: dict[str, int] = {}
    known, strays = set(names), []
    for row, picture in enumerate(pictures.fillna("").astype(str)):
        path = PurePath(picture.strip())
        inside = "-".join(path.with_suffix("").parts)  # as project calls those of inner folders
        name = next((name for name in (path.name, path.stem, inside) if name in known), None)
        if name in rows:
            raise DataError(f"{where}: two rows are of the picture {plain_text(name)}; keep one")
        if name is None:
            strays.append(picture)
        else:
            rows[name] = row
    missing = [name for name in names if name not in rows]
    if not rows:
        raise DataError(
            f"{where}: no name in the column {PICTURE} is that of a projection; for example "
            f"{plain_text(strays[0])} in it, and {plain_text(missing[0])} among the projections"
        )
    notes = []
    if missing:
        notes.append(f"{counted(len(missing), 'projection')} without labels: {named(missing)}.")
    if strays:
        rows_of = counted(len(strays), "row")
        notes.append(f"{rows_of} of labels without projection: {named(strays)}.")
    return {name: rows[name] for name in names if name in rows}, notes


def named(names: Sequence[str]) -> str:
    """Name the first in a sentence, and say how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(plain_text(name) for name in names[:_NAMED]) + more
