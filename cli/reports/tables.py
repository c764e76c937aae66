"""Tables on disk: a DataFrame by the file's suffix, and the manifest that makes it repeatable."""

import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cli.options.values import TABLE_SUFFIXES
from cli.running.invocation import current_command, current_date
from latentlab.errors import NumericalError, OutputError, SettingsError
from latentlab.files import atomic_write, sha256_of, write_bytes

if TYPE_CHECKING:
    import pandas as pd  # and where it is called: commands that write no table do without

MANIFEST = "manifest.json"

_ELSEWHERE = "give another `output`"
# Where four significant digits would leave out some before the point, and where they are too many.
_WHOLE_FROM, _EXPONENT_FROM = 1e4, 1e9
_MAY_MISS: dict[str, Literal["Int64", "boolean"]] = {
    "integer": "Int64",
    "boolean": "boolean",
}  # types by what values are
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: "pd.DataFrame", path: Path) -> None:
    """Write a table as CSV, JSON (records), Parquet or Markdown by the suffix, whole.

    Missing numbers become empty cells in CSV and null in JSON. A text cell that a spreadsheet
    would take for a formula gets a leading apostrophe in CSV.

    Raises:
        SettingsError: If the suffix is none of these.
        NumericalError: If a number is infinite.
    """
    if path.suffix not in TABLE_SUFFIXES:
        raise SettingsError(f"{path}: a table's suffix must be one of {', '.join(TABLE_SUFFIXES)}")
    _refuse_infinite(frame, path)
    frame = frame.assign(**{str(name): whole_or_missing(column) for name, column in frame.items()
                            if column.dtype == object})  # fmt: skip
    write_bytes(path, _encoded(frame, path.suffix))


def _encoded(frame: "pd.DataFrame", suffix: str) -> bytes:
    if suffix == ".csv":
        # Rows end in \r\n (RFC 4180), so that a cell with either of them is quoted.
        return frame.map(_defuse).to_csv(index=False, lineterminator="\r\n").encode()
    if suffix == ".json":
        return to_json(frame).encode()
    if suffix == ".parquet":
        return frame.to_parquet(index=False)
    return to_markdown(frame).encode()


def table_of(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Tabulate rows, some of which may lack values; whole numbers and truths stay what they are.

    Args:
        rows: Values by column.
        columns: Those of the table; None takes all that are in a row, in the order of the first.
    """
    import pandas as pd

    rows = [*rows]
    frame = pd.DataFrame(rows, columns=None if columns is None else [*columns])
    given = {name: pd.Series([row.get(str(name)) for row in rows], dtype=object) for name in frame}
    return frame.assign(**{
        str(name): whole_or_missing(given[name], column) for name, column in frame.items()
    })  # fmt: skip


def joined(frames: Iterable["pd.DataFrame"]) -> "pd.DataFrame":
    """Put tables below each other; what a column of whole numbers or truths lacks is missing."""
    import pandas as pd

    kinds = {"i": "integer", "u": "integer", "b": "boolean"}
    parts = [
        frame.astype({name: _MAY_MISS[kinds[column.dtype.kind]] for name, column in frame.items()
                      if column.dtype.kind in kinds})
        for frame in frames
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def whole_or_missing(
    values: "pd.Series[Any]", otherwise: "pd.Series[Any] | None" = None
) -> "pd.Series[Any]":
    """Give values that are whole numbers or truths, and missing ones, a type that has both.

    pandas makes floats of whole numbers beside which one is missing.
    """
    import pandas as pd

    dtype = _MAY_MISS.get(pd.api.types.infer_dtype(values, skipna=True))
    if dtype is None:
        return values if otherwise is None else otherwise
    return values.where(values.notna(), pd.NA).astype(dtype)


def to_json(frame: "pd.DataFrame") -> str:
    """Return the rows as a JSON array, floats in full precision, missing values as null."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return json.dumps(records, indent=1, default=_plain, allow_nan=False) + "\n"


def to_markdown(frame: "pd.DataFrame") -> str:
    """Return the rows as a Markdown table, floats to four significant digits."""
    rows: list[Any] = [frame.columns, *frame.itertuples(index=False)]
    lines = [[short(value).replace("|", "\\|") for value in row] for row in rows]
    lines.insert(1, ["---"] * len(frame.columns))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_manifest(
    folder: Path,
    settings: dict[str, Any],
    files: Sequence[Path] | Mapping[str, str],
    device: str | None = None,
) -> Path:
    """Write manifest.json last: date, command, versions, settings, the SHA-256 of each result.

    Args:
        folder: Of the results.
        settings: All that decides them.
        files: The results, or the known SHA-256 of each by its path within ``folder``.
        device: Where they were computed; None takes that of the settings, or the CPU.
    """
    import numpy as np
    import torch

    import latentlab

    if isinstance(files, Mapping):
        digests = dict(files)
    else:
        digests = {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}
    manifest = {
        "date": current_date(),
        "command": current_command(),
        "latentlab": latentlab.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": str(device or settings.get("device") or "cpu"),
        "dtype": str(settings.get("dtype") or settings.get("precision") or "float32"),
        "settings": settings,
        "files": digests,
    }
    path = folder / MANIFEST
    with atomic_write(path) as temporary:
        text = json.dumps(manifest, indent=1, default=_plain, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def refuse_existing(paths: Sequence[Path], overwrite: bool, keep: Sequence[Path] = ()) -> None:
    """Raise OutputError for results that are there already, unless they may be replaced.

    Files to ``keep``, such as the inputs, are never replaced.
    """
    try:
        there = [path for path in paths if path.exists()]
        kept = {path.resolve() for path in keep}
        inputs = [path for path in there if path.resolve() in kept]
        for folder in {path.parent for path in paths}:
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder}: is a file, not a folder", advice=[_ELSEWHERE])
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{paths[0].parent}: {reason}", advice=[_ELSEWHERE]) from error
    if inputs:
        raise OutputError(f"{inputs[0]} is an input and would be replaced", advice=[_ELSEWHERE])
    if there and not overwrite:
        exist = f"and {len(there) - 1} more exist" if len(there) > 1 else "exists"
        raise OutputError(f"{there[0]} {exist}", advice=["use --overwrite", _ELSEWHERE])


def _refuse_infinite(frame: "pd.DataFrame", path: Path) -> None:
    for name, column in frame.items():
        if column.map(lambda value: isinstance(value, float) and math.isinf(value)).any():
            raise NumericalError(f"{path}: column {name} holds infinity; nothing was written")


def _defuse(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _plain(value: Any) -> Any:
    """Convert numpy scalars and paths to what JSON knows."""
    return value.item() if hasattr(value, "item") else str(value)


def short(value: Any) -> str:
    """Write a table's value for a person: floats to four digits or more, missing ones as ""."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, float):
        whole = _WHOLE_FROM <= abs(value) < _EXPONENT_FROM
        return f"{value:,.0f}" if whole else f"{value:.4g}"
    return str(value).replace("\n", " ")
