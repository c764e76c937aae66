"""Reading a picture, and its mask, as a generator should see it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from cli.options.pictures import PictureOrder
from cli.pictures.faces import CutFace, cut_face, open_faces
from cli.pictures.records import Source
from cli.projecting.files import ALIGNMENT
from latentlab import DataError, Generator, ImageError
from latentlab.faces import Alignment, load_alignment
from latentlab.images import SUFFIXES, Crop, DecodePolicy, decode, fit, picture_to_tensor
from latentlab.projection.masks import BLACK, mask_from

_Cut = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Target:
    """A picture to project.

    Attributes:
        source: Its file.
        image: Its pixels [C,R,R] in [-1,1].
        note: What a user should know of how it was read.
        facts: What a report says of it: the size of the upright picture.
        alignment: Where its face was, if it was aligned.
        mask: What counts of it [1,R,R] in [0,1], if not everything.
    """

    source: Source
    image: Tensor
    note: str
    facts: dict[str, Any]
    alignment: Alignment | None = None
    mask: Tensor | None = None


class TargetReader:
    """Reads pictures at a generator's size."""

    def __init__(self, g: Generator, order: PictureOrder) -> None:
        """Open what finds faces, if faces are wanted.

        Raises:
            click.UsageError: If the order says where faces are, but does not want them, or the
                reverse.
        """
        self._resolution, self._channels = g.resolution, g.channels
        self._order, self._policy = order, order.policy()
        if order.crop != "face" and (order.faces.landmarks or order.faces.face_model):
            raise click.UsageError("--landmarks and --face-model go with --crop face.")
        self._faces = open_faces(order.faces) if order.crop == "face" else None

    def __call__(self, path: Path) -> Target:
        """Read a picture.

        Raises:
            ImageError: If it, or its mask, cannot be read or used; NoFaceError if it has no face.
        """
        decoded = decode(path, policy=self._policy)
        try:
            source = Source.of(path)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read any more ({error.strerror})") from error
        face = self._face(decoded.picture, path)
        cut = self._centre(path) if face is None else face.cut
        picture = cut(decoded.picture) if face is None else face.picture
        notes = [*decoded.notes, *([face.note] if face is not None and face.note else [])]
        width, height = decoded.picture.size
        return Target(
            source, picture_to_tensor(picture, self._channels), "; ".join(notes),
            {"width": width, "height": height}, None if face is None else face.alignment,
            self._mask(path, decoded.picture, cut),
        )  # fmt: skip

    def check(self, pictures: Iterable[Path]) -> None:
        """Raise DataError where landmarks could be of several of these pictures."""
        if self._faces is not None:
            self._faces.check(pictures)

    def is_current(self, picture: Path, folder: Path) -> bool:
        """Whether a picture's face is still where it was when it was projected."""
        try:
            found = None if self._faces is None else self._faces.recall(picture)
            return found is None or load_alignment(folder / ALIGNMENT).points == found.points
        except (DataError, ImageError):
            return False

    def _face(self, picture: Image.Image, path: Path) -> CutFace | None:
        if self._faces is None:
            return None
        try:
            return cut_face(picture, path, self._faces, self._resolution, self._order.max_upscale)
        except DataError as error:
            raise ImageError(f"{path}: {error}") from error

    def _centre(self, path: Path) -> _Cut:
        crop: Crop = "none" if self._order.crop == "none" else "center"
        return lambda whole: fit(whole, self._resolution, crop, self._order.max_upscale, str(path))

    def _mask(self, path: Path, picture: Image.Image, cut: _Cut) -> Tensor | None:
        file = self._order.mask
        if file is None:
            return None
        if file.is_dir():
            files = [file / f"{path.stem}{suffix}" for suffix in (path.suffix, *SUFFIXES)]
            file = next((each for each in files if each.is_file()), files[0])
        mask = decode(file, policy=DecodePolicy(background=BLACK)).picture
        if mask.size != picture.size:
            raise ImageError(
                f"{file}: {mask.width}x{mask.height}, but {path} is "
                f"{picture.width}x{picture.height}; a mask has the size of its picture"
            )
        return mask_from(cut(mask), str(file))
