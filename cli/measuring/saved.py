"""What a finished measurement leaves in its folder to be drawn, extended and compared from.

One JSON file holds every number without loss, whatever the report's suffix, beside all that decided
it. It is read as a stranger's: what is not as written is refused, and nothing in it is run.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pandas as pd

from cli.options.values import TABLE_SUFFIXES
from latentlab import DataError
from latentlab.errors import LatentlabError, reason
from latentlab.files import atomic_write, make_directory
from latentlab.foreign_files.opening import read_regular
from metrics import MetricResult

PAGE = "report.html"
FOLDER, NUMBERS = "saved", "results.json"
NAME = f"{FOLDER}/{NUMBERS}"  # in a measurement's folder

_FORMAT = 1
_LARGEST = 2**30  # bytes
# What JSON, pandas and our own checks raise for content that is not as it was written.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
           RecursionError, MemoryError, LatentlabError)  # fmt: skip
_NULLABLE = "Int64"
_WHOLE = ("int64", "int32", "int16", "int8", "uint8")
_PLAIN = (str, int, float, bool, type(None))
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no names for them


@dataclass(frozen=True)
class SavedModel:
    """What was measured of one model.

    Attributes:
        facts: What the manifest says of it: checkpoint, kind, sha256.
        results: Of each metric and protocol.
        refused: What could not be measured, with the reason, by metric.
        notes: What else its pages say.
    """

    facts: dict[str, Any]
    results: list[MetricResult] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What titles, tables and plots call it."""
        return str(self.facts["name"])


@dataclass(frozen=True)
class SavedMeasurement:
    """A finished measurement.

    Attributes:
        shown: What decides the look of its files alone, such as the page's title.
        made_by: What decides the last bits of numbers besides the settings: version and device.
        identity: All else that decides the numbers, besides the models and the extent.
        extent: Sample counts by name: a measurement with more of them holds this one.
        models: What was measured.
        files: Names of the tables of its numbers, and of the page where there is one.
        sha256: Of the file that it was read from.
    """

    shown: dict[str, Any]
    made_by: dict[str, Any]
    identity: dict[str, Any]
    extent: dict[str, Any]
    models: list[SavedModel]
    files: list[str] = field(default_factory=list)
    sha256: str = ""


def plain(value: Any) -> Any:
    """Return settings as they come back from JSON: lists, dicts with texts as keys, texts."""
    return json.loads(json.dumps(value, sort_keys=True, default=_as_plain))


def save(folder: Path, measurement: SavedMeasurement) -> Path:
    """Write a measurement into its folder, whole; returns the file."""
    parts = {f.name: plain(getattr(measurement, f.name)) for f in fields(measurement)
             if f.name not in ("models", "sha256")}  # fmt: skip
    content = {"format": _FORMAT, **parts, "models": [_from_model(m) for m in measurement.models]}
    path = make_directory(folder / FOLDER) / NUMBERS
    with atomic_write(path) as temporary:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def read_saved(folder: Path) -> SavedMeasurement | None:
    """Read the measurement in a folder; None where there is none.

    Raises:
        DataError: If its file is damaged, or is of another version's form.
    """
    path = folder / NAME
    try:
        if not path.exists():
            return None
        content = read_regular(path, _LARGEST)
        return _measurement(json.loads(content), hashlib.sha256(content).hexdigest())
    except _DAMAGE as error:
        raise DataError(f"{path}: is damaged, or was changed ({reason(error)})") from error


def _measurement(content: Any, sha256: str) -> SavedMeasurement:
    if content["format"] != _FORMAT:
        raise ValueError(f"its form is {content['format']!r}, and {_FORMAT} is read")
    parts = ("shown", "made_by", "identity", "extent")
    shown, made_by, identity, extent = (_checked(content[name], dict) for name in parts)
    _checked_all([*extent.values()], int | float | None)
    models = [_to_model(model) for model in _checked(content["models"], list)]
    files = _checked(content["files"], list)
    if not all(_is_result(name) for name in _checked_all(files, str)):
        raise ValueError("a file has a name that no result can have")
    return SavedMeasurement(shown, made_by, identity, extent, models, files, sha256)


def _is_result(name: str) -> bool:
    """Whether a name is that of a page or a table, in the folder itself."""
    plain_name = Path(name).name == name and name.isprintable()
    return name == PAGE or (plain_name and name.endswith(TABLE_SUFFIXES))


def _from_model(model: SavedModel) -> dict[str, Any]:
    results = [_from_result(result) for result in model.results]
    return {"facts": plain(model.facts), "results": results,
            "refused": model.refused, "notes": model.notes}  # fmt: skip


def _to_model(content: Any) -> SavedModel:
    facts, refused = (_checked(content[name], dict) for name in ("facts", "refused"))
    results = [_to_result(result) for result in _checked(content["results"], list)]
    named = [facts[name] for name in ("name", "checkpoint", "sha256")]
    _checked_all([*named, *refused.values(), *_checked(content["notes"], list)], str)
    return SavedModel(facts, results, refused, content["notes"])


def _from_result(result: MetricResult) -> dict[str, Any]:
    """Write each field of a result by its type, so that a new one is kept as well."""
    return {f.name: _from_field(getattr(result, f.name)) for f in fields(result)}


def _from_field(value: Any) -> Any:
    return _from_frame(value) if isinstance(value, pd.DataFrame) else _from_any(value)


def _to_result(content: Any) -> MetricResult:
    hints = get_type_hints(MetricResult)
    names = [f.name for f in fields(MetricResult)]
    if sorted(content) != sorted(names):
        raise ValueError("a result has other parts")
    return MetricResult(**{name: _to_field(content[name], hints[name]) for name in names})


def _to_field(content: Any, hint: Any) -> Any:
    if hint is pd.DataFrame:
        return _to_frame(content)
    value, kind = _to_any(content), get_origin(hint) or hint
    if kind is tuple:
        value = tuple(_checked(value, list))
    if kind in (list, tuple) and str in get_args(hint):
        _checked_all(value, str)
    return float(_checked(value, int | float)) if kind is float else _checked(value, kind)


def _from_frame(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"name": _from_any(name), "type": str(column.dtype), "values": [*map(_from_any, column)]}
        for name, column in frame.items()
    ]


def _to_frame(content: Any) -> pd.DataFrame:
    columns = {_checked(part["name"], str | int): _column(part) for part in _checked(content, list)}
    if len(columns) < len(content) or len({*map(len, columns.values())}) > 1:
        raise ValueError("a table has columns of several lengths, or of one name")
    return pd.DataFrame(columns)


def _column(part: Any) -> "pd.Series[Any]":
    kind, values = part["type"], [*map(_to_any, _checked(part["values"], list))]
    if kind in ("float64", "float32"):
        _checked_all(values, int | float)
    elif kind in _WHOLE:
        _checked_all(values, int)
    elif kind == _NULLABLE:
        _checked_all([value for value in values if value is not None], int)
    elif kind == "bool":
        _checked_all(values, bool)
    elif kind == "str":
        _checked_all([value for value in values if not _is_nan(value)], str)
    elif kind == "object":
        _checked_all(values, _PLAIN)
    else:
        raise ValueError("a column is of no known type")
    column: pd.Series[Any] = pd.Series(values, dtype=kind)
    return column


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _from_any(value: Any) -> Any:
    """Turn a value into what JSON has, so that ``_to_any`` finds it again."""
    if value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {"dict": {str(key): _from_any(each) for key, each in value.items()}}
    if isinstance(value, list | tuple):
        return [*map(_from_any, value)]
    return value if isinstance(value, _PLAIN) else str(value)


def _to_any(value: Any) -> Any:
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "float":
            return _NOT_FINITE[inner]
        return {key: _to_any(each) for key, each in {"dict": inner}[kind].items()}
    return [*map(_to_any, value)] if isinstance(value, list) else value


def _checked(value: Any, kind: Any) -> Any:
    """Return a value of a type, and refuse others; a truth is no number."""
    numbers = kind in (int, int | float, int | float | None)
    if not isinstance(value, kind) or (numbers and isinstance(value, bool)):
        raise TypeError("a part of it is of another type")
    return value


def _checked_all(values: Sequence[Any], kind: Any) -> Sequence[Any]:
    return [_checked(value, kind) for value in values]


def _as_plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
