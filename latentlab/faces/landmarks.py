"""Landmarks of faces that a user has: a CSV or JSON file, and which picture each is of."""

import json
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path, PurePath
from typing import Any

from latentlab.csv_files import number_hint, read_csv
from latentlab.errors import DataError, ImageError, SettingsError, quoted, reason
from latentlab.faces.geometry import FacePoints, face_points
from latentlab.foreign_files.opening import read_regular

_NAMES = tuple(each.name for each in fields(FacePoints))
_NAMED_COLUMNS = tuple(f"{name}_{axis}" for name in _NAMES for axis in "xy")
_ALL_COLUMNS = tuple(f"{axis}{i}" for i in range(68) for axis in "xy")
_EXPECTED = "68, 5 or 4 pairs [x, y], or an object with " + ", ".join(_NAMES)
_LARGEST = 2**28  # bytes
_COUNT = re.compile("[1-9][0-9]{0,3}")

Parts = tuple[str, ...]


class Landmarks:
    """Faces by the names of their pictures."""

    def __init__(self, path: Path, faces: Mapping[str, Sequence[FacePoints]]) -> None:
        """Take what a file says.

        Args:
            path: The file; names with ".." are relative to its folder.
            faces: The faces of each picture, by its path, the end of its path, or its stem.

        Raises:
            DataError: If two names are the same path.
        """
        self._path = path
        self._faces: dict[Parts, tuple[str, Sequence[FacePoints]]] = {}
        self._stems: dict[Parts, list[Parts]] = defaultdict(list)
        self._pictures: dict[Parts, str] = {}  # that were asked for, by what they were found under
        for name, found in faces.items():
            parts = _parts(name, path.parent)
            if parts in self._faces:
                raise DataError(f"{path}: {self._faces[parts][0]} and {name} are the same picture")
            self._faces[parts] = name, found
            self._stems[_without_suffix(parts)].append(parts)

    def faces(self, picture: Path) -> list[FacePoints]:
        """Return the faces of a picture, in the file's order; none if the file has none.

        The name with the most folders in common counts, by its stem if none has the file's name.

        Raises:
            DataError: If several names fit equally, or one fits several pictures.
        """
        whole = os.path.abspath(picture)
        parts = _parts(whole, self._path.parent)
        found = self._named(parts, picture)
        if found is None:
            return []
        other = self._pictures.setdefault(found, whole)
        name, faces = self._faces[found]
        if other != whole:
            raise DataError(
                f"{self._path}: {name} fits both {other} and {whole}; write it with its folder"
            )
        return list(faces)

    def _named(self, parts: Parts, picture: Path) -> Parts | None:
        for start in range(len(parts)):
            if parts[start:] in self._faces:
                return parts[start:]
        stems = _without_suffix(parts)
        for start in range(len(stems)):
            fitting = self._stems.get(stems[start:], [])
            if len(fitting) > 1:
                first, second = (self._faces[each][0] for each in fitting[:2])
                raise DataError(f"{self._path}: both {first} and {second} could be {picture}")
            if fitting:
                return fitting[0]
        return None


def read_landmarks(path: Path) -> Landmarks:
    """Read landmarks from CSV or JSON; coordinates are pixels (x, y) of the upright picture.

    CSV has one row for each face, with columns ``picture``; ``face``, a number from 1, if
    pictures have several; and x0,y0 to x67,y67, or left_eye_x,left_eye_y,right_eye_x,... as in
    FacePoints. Other columns are left alone. JSON has an object with a face, or a list of faces,
    for each picture: 68, 5 or 4 pairs as ``face_points`` takes them, or an object with the names
    of FacePoints. A row without any numbers, null, or an empty list is a picture without a face.

    Raises:
        DataError: If the file is missing, or its content is not that.
    """
    reader = {".csv": _read_csv, ".json": _read_json}.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: landmarks must be a .csv or .json file")
    try:
        return Landmarks(path, reader(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in UTF-8") from error


def _read_csv(path: Path) -> dict[str, list[FacePoints]]:
    faces: dict[str, dict[int, FacePoints]] = defaultdict(dict)
    seen: set[tuple[str, int]] = set()
    for where, row, columns in _rows(path):
        name, number = row["picture"], _face_number(row, where)
        if not name:
            raise DataError(f"{where}: the column picture is empty")
        if (name, number) in seen:
            advice = "number its faces in a column face"
            raise DataError(f"{where}: {name} appears twice; {advice}")
        seen.add((name, number))
        of_picture = faces[name]  # known even without a face
        if any(row[column].strip() for column in columns):
            numbers = [_number(row, column, where) for column in columns]
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
            of_picture[number] = _reduced(pairs, where)
    return {name: [found[i] for i in sorted(found)] for name, found in faces.items()}


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str], Sequence[str]]]:
    """Yield what to call a row in errors, the row, and the columns of its numbers."""
    table = read_csv(path)
    columns = _number_columns(table.columns, path)
    for line, cells in zip(table.lines, table.rows, strict=True):
        yield f"{path}, line {line}", dict(zip(table.columns, cells, strict=True)), columns


def _number_columns(columns: Sequence[str], path: Path) -> Sequence[str]:
    wanted = _ALL_COLUMNS if _ALL_COLUMNS[0] in columns else _NAMED_COLUMNS
    missing = [name for name in ("picture", *wanted) if name not in columns]
    if missing:
        raise DataError(
            f"{path}: has no column {missing[0]}; expected picture, and x0,y0,...,x67,y67 or "
            f"{_NAMED_COLUMNS[0]},{_NAMED_COLUMNS[1]},...,{_NAMED_COLUMNS[-1]}"
        )
    doubled = {name for name in columns if columns.count(name) > 1} & {"picture", "face", *wanted}
    if doubled:
        raise DataError(f"{path}: has the column {min(doubled)} twice")
    return wanted


def _face_number(row: Mapping[str, str], where: str) -> int:
    text = row.get("face", "").strip() or "1"
    if not _COUNT.fullmatch(text):
        raise DataError(f"{where}: the column face has {quoted(text)}, not a number from 1")
    return int(text)


def _number(row: Mapping[str, str], column: str, where: str) -> float:
    try:
        return float(row[column])
    except ValueError as error:
        text = f"{quoted(row[column])}, not a number{number_hint(row[column])}"
        raise DataError(f"{where}: the column {column} has {text}") from error


def _read_json(path: Path) -> dict[str, list[FacePoints]]:
    text = read_regular(path, _LARGEST).decode("utf-8-sig")
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON ({reason(error)})") from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: expected an object, {{"picture.jpg": face or faces, ...}}')
    return {name: _faces(value, f"{path}, {name!r}") for name, value in content.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name, value in pairs:
        if name in names:
            raise ValueError(f"{name!r} appears twice")
        names[name] = value
    return names


def _faces(value: Any, where: str) -> list[FacePoints]:
    if value is None:
        return []
    if isinstance(value, list) and not (value and _is_pair(value[0])):
        return [_face(each, f"{where}, face {i + 1}") for i, each in enumerate(value)]
    return [_face(value, where)]


def _face(value: Any, where: str) -> FacePoints:
    pairs = value
    if isinstance(value, dict):
        missing = [name for name in _NAMES if name not in value]
        if missing:
            raise DataError(f"{where}: has no {missing[0]}; expected {_EXPECTED}")
        pairs = [value[name] for name in _NAMES]
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise DataError(f"{where}: expected {_EXPECTED}")
    return _reduced(pairs, where)


def _is_pair(value: Any) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2
    return is_pair and all(type(each) in (int, float) for each in value)


def _reduced(pairs: Sequence[Any], where: str) -> FacePoints:
    try:
        return face_points(pairs)
    except OverflowError as error:
        raise DataError(f"{where}: a number is too large") from error
    except (ImageError, SettingsError) as error:
        raise DataError(f"{where}: {error}") from error


def _parts(name: str, folder: Path) -> Parts:
    """Take a path apart; one that leads out of the folder becomes a whole path."""
    text = unicodedata.normalize("NFC", name)  # macOS takes letters and accents apart
    path = PurePath(text)
    if ".." in path.parts:
        path = PurePath(os.path.abspath(folder / path))
    return path.parts


def _without_suffix(parts: Parts) -> Parts:
    return (*parts[:-1], PurePath(parts[-1]).stem) if parts else parts
