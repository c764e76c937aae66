"""Training sets: a folder, a zip, or the built-in digits."""

import io
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.datasets.content import content_of
from latentlab.datasets.digits import CLASSES, RESOLUTION, Split, digits
from latentlab.datasets.labels import read_labels
from latentlab.datasets.picture_files import PictureFiles
from latentlab.errors import DataError, LatentlabError

BUILTIN_DIGITS = "builtin:digits"


class Dataset(Protocol):
    """Pictures of one size, with labels of one length (0 for none)."""

    resolution: int
    channels: int
    c_dim: int
    left_out: int  # files beside the pictures, that are none

    @property
    def fingerprint(self) -> str:
        """Equal for equal sets alone; to find it, all pictures may have to be read."""
        ...

    def __len__(self) -> int: ...

    def image(self, index: int) -> Tensor:
        """Return picture ``index`` as [channels,R,R] in [-1,1]."""
        ...

    def label(self, index: int) -> Tensor:
        """Return the label of picture ``index`` as [c_dim]."""
        ...

    def problems(self, count: int | None = None) -> Iterator[LatentlabError]:
        """Yield why some of the first ``count`` pictures (None: of all) cannot be used.

        Headers alone are read: a picture that is damaged further on may be missed.
        """
        ...


class DigitsDataset:
    """The handwritten digits inside scikit-learn; labels are one-hot."""

    resolution = RESOLUTION
    left_out = 0

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

    def problems(self, count: int | None = None) -> Iterator[LatentlabError]:
        """All of them can be used."""
        return iter(())


class PictureDataset:
    """Picture files of a folder or zip, in sorted order; ADA's ``dataset.json`` gives labels."""

    def __init__(
        self, path: Path, resolution: int | None = None, channels: int = 3, labels: bool = False
    ) -> None:
        self.path, self.channels = path, channels
        self._files = PictureFiles(path)
        self._names, self.left_out = self._files.names, self._files.left_out
        self.resolution = resolution or self._size_of_first()
        self._labels = read_labels(self._files) if labels else np.zeros([len(self._names), 0])
        one_hot = self._labels.ndim == 1  # class numbers: rows are made when asked for
        self.c_dim = int(self._labels.max()) + 1 if one_hot else self._labels.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """What the names, pictures and labels are, see ``content_of``."""
        return content_of(self._files, self._labels)

    def __len__(self) -> int:
        return len(self._names)

    def image(self, index: int) -> Tensor:
        """Return picture ``index``, centre-cropped and resized, as [channels,R,R] in [-1,1]."""
        where, file = self._open(index)
        picture = images.read_picture(file, where, images.policy_for(self.channels))
        picture = images.fit(picture, self.resolution, where=where)
        return images.picture_to_tensor(picture, self.channels)

    def label(self, index: int) -> Tensor:
        """Return the label of picture ``index``."""
        if self._labels.ndim == 2:
            return torch.from_numpy(self._labels[index]).to(torch.float32)
        return _one_hot(self._labels[index], self.c_dim)

    def problems(self, count: int | None = None) -> Iterator[LatentlabError]:
        """Yield why some of the first ``count`` pictures cannot be used, by their headers."""
        for index in range(len(self))[:count]:
            try:
                where, file = self._open(index)
                images.check_size(images.size_of(file, where), self.resolution, where=where)
            except LatentlabError as error:
                yield error

    def _open(self, index: int) -> tuple[str, io.BytesIO]:
        """Return what messages call a picture, and its bytes."""
        name = self._names[index]
        return f"{self.path}/{name}", io.BytesIO(self._files.bytes_of(name))

    def _size_of_first(self) -> int:
        where, file = self._open(0)
        width, height = images.size_of(file, where)
        if width != height or width & (width - 1) or width < 4:
            raise DataError(
                f"{self.path}: the first picture is {width}x{height}, not a square whose side is a "
                "power of two",
                advice=["give `resolution` to crop and resize all pictures"],
            )
        return width


def open_dataset(
    source: str, resolution: int | None = None, channels: int = 3, labels: bool = False
) -> Dataset:
    """Open a training set.

    Args:
        source: A folder, a zip, or "builtin:digits".
        resolution: Size to bring pictures to; None takes the size of the first.
        channels: 3 for colour, 1 for grey, 4 for colour with alpha.
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
