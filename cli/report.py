"""Tables on disk: a DataFrame by the file's suffix, and the manifest that makes it repeatable."""

import json
import platform
from pathlib import Path
from typing import Any

import pandas as pd

from latentlab.errors import OutputError, SettingsError
from latentlab.files import atomic_write, sha256_of

SUFFIXES = (".csv", ".json", ".parquet", ".md")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, JSON (records), Parquet or Markdown by the suffix, whole.

    Missing numbers become empty cells in CSV and null in JSON. A text cell that a spreadsheet
    would take for a formula gets a leading apostrophe in CSV.

    Raises:
        SettingsError: If the suffix is none of these.
    """
    if path.suffix not in SUFFIXES:
        raise SettingsError(f"{path}: a table's suffix must be one of {', '.join(SUFFIXES)}")
    with atomic_write(path) as temporary:
        if path.suffix == ".csv":
            frame.map(_defuse).to_csv(temporary, index=False)
        elif path.suffix == ".json":
            temporary.write_text(to_json(frame), encoding="utf-8")
        elif path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            temporary.write_text(to_markdown(frame), encoding="utf-8")


def to_json(frame: pd.DataFrame) -> str:
    """Return the rows as a JSON array, floats in full precision, missing values as null."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return json.dumps(records, indent=1, default=_plain, allow_nan=False) + "\n"


def to_markdown(frame: pd.DataFrame) -> str:
    """Return the rows as a Markdown table, floats to four significant digits."""
    lines = [list(map(str, frame.columns)), ["---"] * len(frame.columns)]
    lines += [[_short(value) for value in row] for row in frame.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_manifest(folder: Path, settings: dict[str, Any], files: list[Path]) -> Path:
    """Write manifest.json last: versions, settings, and the SHA-256 of each result."""
    import torch

    import latentlab

    manifest = {
        "latentlab": latentlab.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "settings": settings,
        "files": {str(file.relative_to(folder)): sha256_of(file) for file in files},
    }
    path = folder / "manifest.json"
    with atomic_write(path) as temporary:
        text = json.dumps(manifest, indent=1, default=_plain, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def refuse_existing(paths: list[Path], overwrite: bool) -> None:
    """Raise OutputError for results that are there already, unless they may be replaced."""
    there = [path for path in paths if path.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise OutputError(f"{there[0]}{more} exists; use --overwrite, or another --output")


def _defuse(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _plain(value: Any) -> Any:
    """Convert numpy scalars and paths to what JSON knows."""
    return value.item() if hasattr(value, "item") else str(value)


def _short(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
