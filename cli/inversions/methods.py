"""What a report compares: the pairs of pictures of each method, and what is known of them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cli.text import plain_text
from latentlab.files import sha256_of
from latentlab.images import DecodePolicy, read_picture

WRITTEN_BY = {"project": "latentlab project", "tune": "latentlab tune", "pictures": "another tool"}

_NUMBER = re.compile(r"\d+")
_OPAQUE = 255


@dataclass(frozen=True)
class PicturePair:
    """A target, and what a method made of it.

    Attributes:
        name: What tables call the picture.
        target: The file.
        result: The file.
        seconds: That the result took; None where that is not known.
        diverged: Whether its loss became NaN or infinite.
        masked: Whether it was projected within a mask.
    """

    name: str
    target: Path
    result: Path
    seconds: float | None = None
    diverged: bool = False
    masked: bool = False


@dataclass(frozen=True)
class Inversions:
    """The results of one method.

    Attributes:
        place: As the command line names it.
        kind: What wrote it, of ``WRITTEN_BY``.
        pairs: Its pictures.
        notes: What there is to say of the folder.
        doubts: What there is to doubt about it.
        left_out: What cannot be used, with the reason.
        distances: By which results were brought near their targets.
        devices: That results were computed on.
    """

    place: str
    kind: str
    pairs: list[PicturePair]
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    distances: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """Results, as the report calls them, with what else a measurement asks of a model.

    Attributes:
        short_name: What titles, tables and plots call it.
        found: The results.
        place: The device that measures.
        sha256: Of all its pictures and their names.
    """

    short_name: str
    found: Inversions
    place: str
    sha256: str

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        return {"name": self.short_name, "checkpoint": plain_text(self.found.place),
                "kind": self.found.kind, "pictures": len(self.found.pairs),
                "sha256": self.sha256}  # fmt: skip

    def about(self) -> pd.DataFrame:
        """Return what is known of each pair, by the columns of pictures.csv."""
        pairs = self.found.pairs
        return pd.DataFrame({
            "picture": [plain_text(pair.name) for pair in pairs],
            "target": [plain_text(pair.target) for pair in pairs],
            "result": [plain_text(pair.result) for pair in pairs],
            "diverged": [pair.diverged for pair in pairs],
            "masked": [pair.masked for pair in pairs],
            "seconds": pd.Series([pair.seconds for pair in pairs], dtype=float),
        })  # fmt: skip


class PictureFiles(Sequence[Tensor]):
    """Pictures that are read when they are asked for: bytes [C,H,W], with alpha if any is seen."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return read_bytes(self.files[index])


def read_bytes(file: Path) -> Tensor:
    """Read a picture as bytes [3,H,W], or [4,H,W] where parts of it are transparent.

    Raises:
        ImageError: If it cannot be read.
    """
    picture = read_picture(file, policy=DecodePolicy(background=None))
    pixels = np.array(picture)
    if pixels.shape[2] > 3 and (pixels[:, :, 3] == _OPAQUE).all():
        pixels = pixels[:, :, :3]
    return torch.from_numpy(pixels).permute(2, 0, 1)


def name_of(file: PurePath) -> str:
    """Name a picture by its path within a folder, as `latentlab project` names its folders."""
    return "-".join(file.with_suffix("").parts)


def unpadded(name: str) -> str:
    """Return a name by which two are the same, however their numbers are padded.

    >>> unpadded("IMG_0012") == unpadded("img_12")
    True
    """
    return _NUMBER.sub(lambda found: found[0].lstrip("0") or "0", name.casefold())


def digest_of(pairs: Sequence[PicturePair]) -> str:
    """Return the SHA-256 of the names and contents of all pairs."""
    found, known = hashlib.sha256(), cache(_content)
    for pair in pairs:
        parts = (pair.name, known(pair.target), known(pair.result), repr(pair.seconds))
        found.update("\0".join(map(plain_text, parts)).encode())
    return found.hexdigest()


def _content(file: Path) -> str:
    """Return the SHA-256 of a file; one that cannot be read is told when its turn comes."""
    try:
        return sha256_of(file)
    except OSError:
        return ""
