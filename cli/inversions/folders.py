"""Folders of `latentlab project` and `latentlab tune`, read for a report of inversions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cli.inversions.methods import Inversions, PicturePair
from cli.pictures.records import Record, read_record
from cli.projecting.files import (
    MASK,
    PROJECTED,
    RECORD,
    REPORT,
    TARGET,
    TUNED,
    TUNING,
    projections_in,
)
from cli.text import counted, plain_text
from latentlab import DataError
from latentlab.csv_files import read_csv
from latentlab.files import is_file

_NAMED = 5  # pictures
_SEARCHED = "distance_name", "device"  # columns of reports that say how results were made


def read_folders(folders: Sequence[Path]) -> list[Inversions]:
    """Read what `latentlab project` and `latentlab tune` wrote.

    Tunings of earlier versions have no targets: those of a projection of the same name among these
    folders are taken.

    Raises:
        DataError: If a folder is missing, or is of something else.
    """
    found = {folder: _read(folder) for folder in folders}
    # A picture that was projected alone is called after its file here, by tune after its folder.
    alone = {folder.resolve().name: each.pairs[0].name for folder, each in found.items()
             if is_file(folder / PROJECTED)}  # fmt: skip
    found = {folder: _renamed(each, alone) for folder, each in found.items()}
    targets = {pair.name: pair for each in found.values() for pair in each.pairs
               if is_file(pair.target)}  # fmt: skip
    return [_with_targets(each, folder, targets) for folder, each in found.items()]


def _read(folder: Path) -> Inversions:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that `latentlab project` or "
                        "`latentlab tune` wrote")  # fmt: skip
    table = _table(folder / REPORT)
    if is_file(folder / TUNING):
        return _tuning(folder, table)
    homes = [folder] if is_file(folder / PROJECTED) else projections_in(folder, PROJECTED)
    if not homes:
        raise DataError(
            f"{folder}: nothing of `latentlab project` or `latentlab tune` is in it",
            advice=["give the folders of another tool by `targets` and `results`"],
        )
    records = {home: read_record(home / RECORD) for home in homes}
    pairs = [_pair(home, record, home == folder) for home, record in records.items()]
    rows = [record.row for record in records.values() if record is not None]
    doubts = _missing(table, {record.source.path for record in records.values() if record})
    return Inversions(str(folder), "project", pairs, doubts=doubts,
                      distances=_values(rows, _SEARCHED[0]),
                      devices=_values(rows, _SEARCHED[1]))  # fmt: skip


def _pair(home: Path, record: Record | None, alone: bool) -> PicturePair:
    row = {} if record is None else record.row
    seconds = row.get("seconds")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    name = Path(record.source.path).stem if alone and record is not None else home.name
    return PicturePair(
        name, home / TARGET, home / PROJECTED, float(seconds) if known else None,  # type: ignore[arg-type]
        row.get("status") == "diverged", is_file(home / MASK),
    )  # fmt: skip


def _tuning(folder: Path, table: Sequence[Mapping[str, str]]) -> Inversions:
    seconds = {row.get("picture", ""): row.get("seconds", "") for row in table}
    pairs = [
        PicturePair(home.name, home / TARGET, home / TUNED, _number(seconds.get(home.name, "")),
                    masked=is_file(home / MASK))
        for home in projections_in(folder, TUNED)
    ]  # fmt: skip
    if not pairs:
        raise DataError(f"{folder}: holds a tuning, but no {TUNED} of any picture")
    return Inversions(str(folder), "tune", pairs, distances=_values(table, _SEARCHED[0]),
                      devices=_values(table, _SEARCHED[1]))  # fmt: skip


def _renamed(found: Inversions, names: Mapping[str, str]) -> Inversions:
    if found.kind != "tune":
        return found
    pairs = [replace(pair, name=names.get(pair.name, pair.name)) for pair in found.pairs]
    return replace(found, pairs=pairs)


def _with_targets(
    found: Inversions, folder: Path, targets: Mapping[str, PicturePair]
) -> Inversions:
    """Return the pairs that have a target, and say which have none."""
    pairs, lacking = [], []
    for pair in found.pairs:
        other = targets.get(pair.name)
        if is_file(pair.target):
            pairs.append(pair)
        elif other is not None:
            pairs.append(replace(pair, target=other.target, masked=other.masked))
        else:
            lacking.append(pair.name)
    if not pairs:
        raise DataError(f"{folder}: has no {TARGET} of any picture; give the folder of the "
                        "projections as well")  # fmt: skip
    left_out = [f"{plain_text(folder / name)}: has no {TARGET}" for name in lacking]
    return replace(found, pairs=pairs, left_out=[*found.left_out, *left_out])


def _missing(table: Sequence[Mapping[str, str]], done: set[str]) -> list[str]:
    """Say which pictures of a projection's report have no result, and why."""
    failed = [row for row in table if row.get("status") not in ("ok", None)]
    lacking = [row for row in failed if row.get("picture") not in done]
    if not lacking:
        return []
    names = [f"{plain_text(row.get('picture', ''))} ({row['status']})" for row in lacking[:_NAMED]]
    more = f" and {len(lacking) - _NAMED:,} more" if len(lacking) > _NAMED else ""
    return [f"{counted(len(lacking), 'picture')} without projection: {', '.join(names)}{more}."]


def _table(file: Path) -> list[dict[str, str]]:
    """Read a report; one that is missing or damaged says nothing, as all numbers are elsewhere."""
    try:
        read = read_csv(file)
    except (OSError, DataError):
        return []
    return [dict(zip(read.columns, cells, strict=True)) for cells in read.rows]


def _values(rows: Sequence[Mapping[str, object]], column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row[column]) for row in rows if row.get(column)))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
