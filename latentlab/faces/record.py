"""Where an aligned picture came from: kept as a JSON file beside it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.checks import check, check_number, check_whole
from latentlab.errors import DataError, ImageError
from latentlab.faces.geometry import FacePoints, Point, Quad, face_quad
from latentlab.files import atomic_write
from latentlab.foreign_files.opening import read_regular

_LONGEST = 1_000_000  # bytes; ours have less than a thousand
_KEYS = ("picture", "points", "quad", "size")  # that there must be
_TOLERANCE = 1e-3  # pixels between the square as written and that of the points


@dataclass(frozen=True, eq=False)
class Alignment:
    """A face that was cut out of a picture.

    Attributes:
        picture: Path of the picture.
        points: The face, in pixels of the upright picture.
        quad: Its square [4,2], as ``face_quad`` gives it.
        size: Side of the aligned picture in pixels.
        sha256: Of the picture's file; "" where it is not known.
    """

    picture: str
    points: FacePoints
    quad: Quad
    size: int
    sha256: str = ""


def save_alignment(path: Path | str, alignment: Alignment) -> None:
    """Write an alignment as JSON, whole or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    content = {**asdict(alignment), "quad": np.asarray(alignment.quad).tolist()}
    if not alignment.sha256:
        del content["sha256"]
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def load_alignment(path: Path | str) -> Alignment:
    """Read what ``save_alignment`` has written.

    Raises:
        DataError: If the file is missing, damaged, or contradicts itself.
    """
    try:
        content = json.loads(read_regular(path, _LONGEST).decode("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        told = "is not the JSON of an alignment; align the picture again"
        raise DataError(f"{path}: {told}") from error
    try:
        return _alignment(content)
    except (ValueError, ImageError) as error:
        raise DataError(f"{path}: {error}; align the picture again") from error


def _alignment(content: Any) -> Alignment:
    digest = content.pop("sha256", "") if isinstance(content, dict) else ""
    picture, named, corners, size = _values(content, _KEYS, "an alignment")
    check(isinstance(picture, str) and picture != "", "picture", "a path", picture)
    check_whole(size, "size", 1)
    check(isinstance(digest, str), "sha256", "hex digits", digest)
    names = [each.name for each in fields(FacePoints)]
    values = _values(named, names, "`points`")
    points = FacePoints(*map(_point, values, names))
    check(isinstance(corners, list) and len(corners) == 4, "quad", "four points", corners)
    quad = np.array([_point(corner, "quad") for corner in corners])
    if np.abs(quad - face_quad(points)).max() > _TOLERANCE:
        raise ValueError("`quad` is not the square of `points`")
    return Alignment(picture, points, quad, size, digest)


def _values(content: Any, keys: Sequence[str], name: str) -> list[Any]:
    """Return the values of an object of JSON that has these keys and no other, in their order."""
    if not isinstance(content, dict) or set(content) != set(keys):
        raise ValueError(f"{name} has the keys {', '.join(keys)}")
    return [content[key] for key in keys]


def _point(value: Any, name: str) -> Point:
    check(isinstance(value, list) and len(value) == 2, name, "a pair of numbers", value)
    for number in value:
        check_number(number, name)
    x, y = map(float, value)
    return x, y
