"""Where an aligned picture came from: kept as a JSON file beside it."""

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.errors import DataError, ImageError
from latentlab.faces.geometry import FacePoints, Point, Quad, face_quad
from latentlab.files import atomic_write

_KEYS = {"picture", "points", "quad", "size"}
_LONGEST = 1_000_000  # characters; ours have less than a thousand
_TOLERANCE = 1e-3  # pixels between the square as written and that of the points


@dataclass(frozen=True, eq=False)
class Alignment:
    """A face that was cut out of a picture.

    Attributes:
        picture: Path of the picture.
        points: The face, in pixels of the upright picture.
        quad: Its square [4,2], as ``face_quad`` gives it.
        size: Side of the aligned picture in pixels.
    """

    picture: str
    points: FacePoints
    quad: Quad
    size: int


def save_alignment(path: Path | str, alignment: Alignment) -> None:
    """Write an alignment as JSON, whole or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    points = {each.name: getattr(alignment.points, each.name) for each in fields(FacePoints)}
    content = {
        "picture": alignment.picture,
        "points": points,
        "quad": np.asarray(alignment.quad).tolist(),
        "size": alignment.size,
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def load_alignment(path: Path | str) -> Alignment:
    """Read what ``save_alignment`` has written.

    Raises:
        DataError: If the file is missing, damaged, or contradicts itself.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            content = json.loads(file.read(_LONGEST))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: is not the JSON of an alignment; align the picture again"
        ) from error
    try:
        return _alignment(content)
    except (ValueError, ImageError) as error:
        raise DataError(f"{path}: {error}; align the picture again") from error


def _alignment(content: Any) -> Alignment:
    if not isinstance(content, dict) or set(content) != _KEYS:
        raise ValueError(f"an alignment has the keys {', '.join(sorted(_KEYS))}")
    picture, size, named = content["picture"], content["size"], content["points"]
    if not isinstance(picture, str) or not picture:
        raise ValueError("`picture` is not a path")
    if type(size) is not int or size < 1:
        raise ValueError("`size` is not a positive whole number")
    names = [each.name for each in fields(FacePoints)]
    if not isinstance(named, dict) or set(named) != set(names):
        raise ValueError(f"`points` has the keys {', '.join(names)}")
    points = FacePoints(*(_point(named[name], name) for name in names))
    corners = content["quad"]
    if not isinstance(corners, list) or len(corners) != 4:
        raise ValueError("`quad` is not four points")
    quad = np.array([_point(corner, "quad") for corner in corners])
    if np.abs(quad - face_quad(points)).max() > _TOLERANCE:
        raise ValueError("`quad` is not the square of `points`")
    return Alignment(picture, points, quad, size)


def _point(value: Any, name: str) -> Point:
    numbers = value if isinstance(value, list) and len(value) == 2 else ()
    if not numbers or not all(type(each) in (int, float) for each in numbers):
        raise ValueError(f"`{name}` is not a pair of numbers")
    try:
        x, y = (float(each) for each in numbers)
    except OverflowError:  # a whole number of hundreds of digits
        x = y = math.inf
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"`{name}` is not finite")
    return x, y
