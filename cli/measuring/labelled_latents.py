"""Latents that someone has already, beside a table of labels for them."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cli.projecting.latent_rows import Rows, read_rows
from cli.projecting.origin import Origin
from cli.projecting.saved_latents import latent_files
from cli.text import counted, plain_text
from latentlab import DataError, LatentError
from latentlab.csv_files import read_csv
from latentlab.errors import reason
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import all_unchanging
from latentlab.latent_files.found import W_KEYS
from latentlab.latents import W_KEY, Z_KEY

PICTURE = "picture"  # the column of the labels that names files

# Names of the array in a file, by space; the first one there is read unless one is asked for.
_KEYS: Mapping[str, Sequence[str]] = {W_KEY: W_KEYS, Z_KEY: (Z_KEY,)}
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
        origins: What each file says of the checkpoint that its latents belong to.
        sha256: Of the file of latents, or of the hex digests of a folder's projections in order.
        labels_sha256: Of the file of labels.
    """

    latents: NDArray[Any]
    labels: pd.DataFrame
    space: str
    notes: list[str]
    origins: Mapping[Path, Origin]
    sha256: str
    labels_sha256: str


def read_labelled(
    latents: Path, labels: Path, space: str | None = None, layer: int | None = None
) -> LabelledLatents:
    """Read latents and labels, and bring them together.

    Latents of a folder that ``latentlab project`` wrote, or of its latents.safetensors, have the
    names of their pictures, and find their labels by the column ``picture``; others are taken row
    by row.

    Args:
        latents: A file with z [N,D] or w [N,D] or [N,num_ws,D], of any kind, or such a folder.
        labels: CSV with one column per attribute.
        space: Which array of the file; default: w where there is one.
        layer: Which w of several; default: the last.

    Raises:
        LatentError: If the latents cannot be read.
        DataError: If the labels cannot be read, or do not fit the latents.
    """
    with all_unchanging(latents, labels):
        return _read(latents, labels, space, layer)


def _read(latents: Path, labels: Path, space: str | None, layer: int | None) -> LabelledLatents:
    table = _read_labels(labels)
    keys = [key for each in (_KEYS if space is None else (space,)) for key in _KEYS[each]]
    files = latent_files(latents)
    parts, origins = [], {}
    names = [file.name for file in files] if latents.is_dir() else None
    for path in (file.path for file in files):
        rows = read_rows(path, None, keys, _MAX_BYTES, rows_are_pictures=True)
        if space not in (None, rows.key):
            raise LatentError(f"{path}: holds {rows.key}, not {space}")
        names = names if rows.pictures is None else list(rows.pictures)
        # A copy, so that the other layers of many files are not kept.
        parts.append(_of_one_layer(path, rows, layer).copy())
        origins[path] = rows.origin
    values = np.concatenate(parts)
    chosen, found, notes = _with_labels(
        values, names, table, labels, "folders" if latents.is_dir() else "pictures"
    )
    digests = _sha256_of(latents), sha256_of(labels)
    return LabelledLatents(chosen, found, rows.key, notes, origins, *digests)


def _sha256_of(latents: Path) -> str:
    if not latents.is_dir():
        return sha256_of(latents)
    digests = [sha256_of(each.path) for each in latent_files(latents)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _with_labels(
    values: NDArray[Any],
    names: Sequence[str] | None,
    table: pd.DataFrame,
    where: Path,
    of: str,
) -> tuple[NDArray[Any], pd.DataFrame, list[str]]:
    """Return the latents that have labels, those labels, and what is worth a look."""
    if names is None:
        notes = []
        if PICTURE in table:
            notes = [f"The column {PICTURE} is of no use: latents in one file have no names."]
        table = table.drop(columns=PICTURE, errors="ignore")
        return values, _same_count(table, len(values), where), notes
    if PICTURE not in table:
        ends = f"{plain_text(names[0])} to {plain_text(names[-1])}"
        notes = [
            f"The labels have no column {PICTURE}, so their rows were taken in the order of the "
            f"{of}, {ends}."
        ]
        return values, _same_count(table, len(values), where), notes
    rows, notes = _partners(table[PICTURE], names, where)
    chosen = table.drop(columns=PICTURE).iloc[list(rows.values())].reset_index(drop=True)
    return values[list(rows)], chosen, notes


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


def _of_one_layer(path: Path, rows: Rows, layer: int | None) -> NDArray[Any]:
    """Return the latents [N,D] of a file, those of a layer where there is one for each."""
    values, key = rows.values, rows.key
    if values.shape[1] == 1:
        if layer is not None:
            raise LatentError(f"{path}: `{key}` has one w per sample; leave --layer out")
        only: NDArray[Any] = values[:, 0]
        return only
    if layer is not None and layer >= values.shape[1]:
        raise LatentError(f"{path}: `{key}` has layers 0 to {values.shape[1] - 1}, not {layer}")
    chosen: NDArray[Any] = values[:, -1 if layer is None else layer]
    return chosen


def _same_count(table: pd.DataFrame, count: int, where: Path) -> pd.DataFrame:
    if len(table) != count:
        raise DataError(
            f"{where}: {counted(len(table), 'row')} for {count:,} latents; without names they are "
            "taken row by row, and must be as many"
        )
    return table


def _partners(
    pictures: "pd.Series[str]", names: Sequence[str], where: Path
) -> tuple[Mapping[int, int], list[str]]:
    """Return the row of labels for each latent that has one, and notes on what has no partner."""
    rows: dict[int, int] = {}
    called, strays = _called(names), []
    for row, picture in enumerate(pictures.fillna("").astype(str)):
        number = next((called[text] for text in _readings(picture) if text in called), None)
        if number in rows:
            name = plain_text(names[number])
            raise DataError(f"{where}: two rows are of the picture {name}; keep one")
        if number is None:
            strays.append(picture)
        else:
            rows[number] = row
    missing = [name for number, name in enumerate(names) if number not in rows]
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
    return {number: rows[number] for number in sorted(rows)}, notes


def _called(names: Sequence[str]) -> dict[str, int]:
    """Return the number of each name: as it is or, where just one has it, by its file's name."""
    called = {name: number for number, name in enumerate(names)}
    paths = [PurePath(name) for name in names]
    for shorter in ([path.name for path in paths], [path.stem for path in paths]):
        alone = {name for name, times in Counter(shorter).items() if times == 1}
        for number, name in enumerate(shorter):
            if name in alone:
                called.setdefault(name, number)
    return called


def _readings(picture: str) -> list[str]:
    """Return what a cell may name, the exact first: x/anna.jpg is x-anna before it is anna."""
    path = PurePath(picture.strip())
    inside = "-".join(path.with_suffix("").parts)  # as project calls those of inner folders
    whole = [str(path), inside] if len(path.parts) > 1 else [str(path)]
    return [*whole, path.name, path.stem]


def named(names: Sequence[str]) -> str:
    """Name the first in a sentence, and say how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(plain_text(name) for name in names[:_NAMED]) + more
