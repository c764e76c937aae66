"""Training sets: a folder, a zip, or the built-in digits."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latentlab import images
from latentlab.datasets.digits import CLASSES, RESOLUTION, Split, digits
from latentlab.errors import DataError

BUILTIN_DIGITS = "builtin:digits"
LABEL_FILE = "dataset.json"

_MAX_CLASSES = 100_000  # as many as a network's config may have


class Dataset(Protocol):
    """Pictures of one size, with labels of one length (0 for none)."""

    resolution: int
    channels: int
    c_dim: int
    fingerprint: str  # equal for equal sets

    def __len__(self) -> int: ...

    def image(self, index: int) -> Tensor:
        """Return picture ``index`` as [channels,R,R] in [-1,1]."""
        ...

    def label(self, index: int) -> Tensor:
        """Return the label of picture ``index`` as [c_dim]."""
        ...


class DigitsDataset:
    """The handwritten digits inside scikit-learn; labels are one-hot."""

    resolution = RESOLUTION

    def __init__(self, split: Split = "train", channels: int = 3, labels: bool = False) -> None:
        self.channels, self.c_dim = channels, len(CLASSES) if labels else 0
        self.fingerprint = f"{BUILTIN_DIGITS} {split}"
        self._pixels, self._digits = digits(split)

    def __len__(self) -> int:
        return len(self._pixels)

    def image(self, index: int) -> Tensor:
        """Return picture ``index`` as [channels,32,32] in [-1,1]."""
        return images.pixels_to_tensor(self._pixels[index : index + 1], self.channels)[0]

    def label(self, index: int) -> Tensor:
        """Return the one-hot digit of picture ``index``, or an empty label."""
        return _one_hot(self._digits[index], self.c_dim) if self.c_dim else torch.zeros(0)


class PictureDataset:
    """Picture files of a folder or zip, in sorted order; ADA's ``dataset.json`` gives labels."""

    def __init__(
        self, path: Path, resolution: int | None = None, channels: int = 3, labels: bool = False
    ) -> None:
        self.path, self.channels = path, channels
        self._archive = _open_archive(path) if path.is_file() else None
        if self._archive is not None:
            found = [info.filename for info in self._archive.infolist() if not info.is_dir()]
        else:
            files = filter(Path.is_file, path.rglob("*"))
            found = [file.relative_to(path).as_posix() for file in files]
        # Names with a leading dot, such as __MACOSX/._a.png in zips made by macOS, are hidden.
        names = [n for n in found if not any(part.startswith(".") for part in n.split("/"))]
        self._names = sorted(n for n in names if Path(n).suffix.lower() in images.SUFFIXES)
        if not self._names:
            raise DataError(f"{path}: no pictures found (looked for {', '.join(images.SUFFIXES)})")
        self.resolution = resolution or self._size_of_first()
        self.fingerprint = hashlib.sha256("\n".join(self._names).encode()).hexdigest()
        self._labels = self._read_labels(names) if labels else np.zeros([len(self._names), 0])
        one_hot = self._labels.ndim == 1  # class numbers: rows are made when asked for
        self.c_dim = int(self._labels.max()) + 1 if one_hot else self._labels.shape[1]

    def __len__(self) -> int:
        return len(self._names)

    def image(self, index: int) -> Tensor:
        """Return picture ``index``, centre-cropped and resized, as [channels,R,R] in [-1,1]."""
        where, picture = self._picture(index)
        picture = images.fit(picture, self.resolution, where=where)
        return images.picture_to_tensor(picture, self.channels)

    def label(self, index: int) -> Tensor:
        """Return the label of picture ``index``."""
        if self._labels.ndim == 2:
            return torch.from_numpy(self._labels[index]).to(torch.float32)
        return _one_hot(self._labels[index], self.c_dim)

    def _picture(self, index: int) -> tuple[str, Image.Image]:
        name = self._names[index]
        where = f"{self.path}/{name}"
        return where, images.read_picture(io.BytesIO(self._bytes(name)), where)

    def _bytes(self, name: str) -> bytes:
        try:
            return self._archive.read(name) if self._archive else (self.path / name).read_bytes()
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self.path}/{name}: cannot be read ({error})") from error

    def _size_of_first(self) -> int:
        width, height = self._picture(0)[1].size
        if width != height or width & (width - 1) or width < 4:
            raise DataError(
                f"{self.path}: the first picture is {width}x{height}, not a square whose side is a "
                "power of two",
                advice=["give `resolution` to crop and resize all pictures"],
            )
        return width

    def _read_labels(self, names: list[str]) -> NDArray[np.float64]:
        if LABEL_FILE not in names:
            raise DataError(
                f"{self.path}: labels were asked for, but it has no {LABEL_FILE}",
                advice=["leave `labels` out"],
            )
        where = f"{self.path}/{LABEL_FILE}"
        content = self._bytes(LABEL_FILE)
        try:
            entries = json.loads(content)["labels"]
            by_name = {str(name).replace("\\", "/"): label for name, label in entries}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where}: expected {{'labels': [[name, label], ...]}}") from error
        return _label_array(by_name, self._names, where)


def open_dataset(
    source: str, resolution: int | None = None, channels: int = 3, labels: bool = False
) -> Dataset:
    """Open a training set.

    Args:
        source: A folder, a zip, or "builtin:digits".
        resolution: Size to bring pictures to; None takes the size of the first.
        channels: 3 for colour, 1 for grey.
        labels: Read labels for a conditional model.

    Raises:
        DataError: If it is missing, empty, or its labels do not fit.
    """
    if source == BUILTIN_DIGITS:
        if resolution not in (None, RESOLUTION):
            raise DataError(
                f"{source} has pictures of {RESOLUTION}x{RESOLUTION}, not of "
                f"{resolution}x{resolution}",
                advice=["leave `resolution` out", "take another `source`"],
            )
        return DigitsDataset("train", channels, labels)
    if not Path(source).exists():
        raise DataError(f"{source}: no such folder or zip; the built-in set is {BUILTIN_DIGITS}")
    return PictureDataset(Path(source), resolution, channels, labels)


def _one_hot(number: float, length: int) -> Tensor:
    row = torch.zeros(length)
    row[int(number)] = 1
    return row


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: neither a folder nor a readable zip ({error})") from error


def _label_array(by_name: Mapping[str, Any], names: list[str], where: str) -> NDArray[np.float64]:
    """Return class numbers [N], or vectors [N,c_dim]."""
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"{where}: no label for {len(missing)} pictures, first {missing[0]}")
    labels = [by_name[name] for name in names]
    if all(type(label) is int and 0 <= label < _MAX_CLASSES for label in labels):
        return np.array(labels, dtype=np.float64)
    try:
        matrix = np.array(labels, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.zeros(0)
    if matrix.ndim != 2 or matrix.shape[1] == 0 or not np.isfinite(matrix).all():
        raise DataError(f"{where}: labels must be class numbers or finite vectors of one length")
    return matrix
