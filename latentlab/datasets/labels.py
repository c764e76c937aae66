"""Labels of pictures, as ADA's ``dataset.json`` has them: class numbers, or vectors."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.datasets.picture_files import LABEL_FILE, PictureFiles
from latentlab.errors import DataError, quoted
from latentlab.foreign_files.json_texts import JsonLimits, JsonTooLarge, parse_json

_FORM = "{'labels': [[name, label], ...]}"
_CONTAINERS = 500_000  # lists of a file that is of more pictures than are there
_DEPTH = 16
_MAX_CLASSES = 100_000  # as many as a network's config may have


def read_labels(files: PictureFiles) -> NDArray[np.float64]:
    """Return the class numbers [N], or the vectors [N,c_dim], of all pictures.

    Names in the file are relative to its folder, or all to the folder of the set. Numbers may be
    written as 1, 1.0 or "1", which ADA's code takes for the same; labels are a list of pairs or a
    dict, which it takes as well.

    Raises:
        DataError: If there is no such file, a picture has no label or two, or labels do not fit.
    """
    if files.label_file is None:
        raise DataError(
            f"{files.path}: labels were asked for, but it has no {LABEL_FILE}",
            advice=["leave `labels` out"],
        )
    where = f"{files.path}/{files.label_file}"
    folder = PurePosixPath(files.label_file).parent
    by_name = _by_name(files.bytes_of(files.label_file), where, len(files.names))
    placed = {str(folder / name): label for name, label in by_name.items()}
    fits = not placed.keys().isdisjoint(files.names)
    return _label_array(placed if fits else by_name, files.names, where)


def _by_name(content: bytes, where: str, pictures: int) -> dict[str, Any]:
    most = _CONTAINERS + 4 * pictures
    limits = JsonLimits(4 * len(content), most, len(content), _DEPTH)
    try:
        # NaN is left in: what is wrong with a label is told with the picture that it is of.
        text = content.decode(json.detect_encoding(content))
        labels = parse_json(text, limits, any_number=True)["labels"]
        pairs = labels.items() if isinstance(labels, dict) else labels
        entries = [(str(name), label) for name, label in pairs]
    except JsonTooLarge as error:
        advice = "" if "levels" in str(error) else "; leave those of other pictures out"
        raise DataError(f"{where}: expected {_FORM}, found {error}{advice}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: expected {_FORM}") from error
    by_name: dict[str, Any] = {}
    for written, label in entries:
        name = written.replace("\\", "/")
        # NaN, which is no label, differs from itself as well.
        if by_name.setdefault(name, label) is not label and by_name[name] != label:
            raise DataError(f"{where}: two labels for one picture, {quoted(name)}; keep one")
    return by_name


def _label_array(
    by_name: Mapping[str, Any], names: Sequence[str], where: str
) -> NDArray[np.float64]:
    """Return class numbers [N], or vectors [N,c_dim]."""
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"{where}: no label for {len(missing)} pictures, first {missing[0]}")
    labels = [_number(by_name[name]) for name in names]
    if all(_is_class(label) for label in labels):
        return np.array(labels, dtype=np.float64)
    try:
        matrix = np.array(labels, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.zeros(0)
    if matrix.ndim != 2 or matrix.shape[1] == 0 or not np.isfinite(matrix).all():
        wrong = next((name for name in names if not _is_class(_number(by_name[name]))), names[0])
        raise DataError(
            f"{where}: labels must be class numbers or finite vectors of one length, but "
            f"{quoted(wrong)} has {quoted(by_name[wrong])}"
        )
    return matrix


def _number(label: Any) -> Any:
    """Return a number that is written as text, alone or in a vector; anything else as it is."""
    if isinstance(label, list):
        return [_number(each) for each in label[:_MAX_CLASSES]]
    try:
        return float(label) if type(label) is str else label
    except ValueError:
        return label


def _is_class(label: Any) -> bool:
    whole = type(label) is int or (type(label) is float and label.is_integer())
    return whole and 0 <= label < _MAX_CLASSES
