"""Reading a picture, and its mask, as a generator should see it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from cli.picture_options import PictureOrder
from cli.projection_files import ALIGNMENT
from cli.projection_records import Source
from latentlab import DataError, Generator, ImageError
from latentlab.alignment import Alignment, align, face_quad, load_alignment
from latentlab.face_geometry import side_of
from latentlab.images import SUFFIXES, Crop, decode, fit, picture_to_tensor
from latentlab.masks import mask_from

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

    def __init__(self, g: Generator, order: PictureOrder, masks: Path | None = None) -> None:
        """Open what finds faces, if faces are wanted.

        Args:
            g: The generator.
            order: How pictures are read.
            masks: A mask for all pictures, or a folder with one of each picture's name.

        Raises:
            click.UsageError: If the order says where faces are, but does not want them, or the
                reverse.
        """
        self._resolution, self._channels = g.resolution, g.channels
        self._order, self._policy, self._masks = order, order.policy(), masks
        if order.crop != "face" and (order.faces.landmarks or order.faces.face_model):
            raise click.UsageError("--landmarks and --face-model go with --crop face.")
        self._faces = order.faces.open() if order.crop == "face" else None

    def __call__(self, path: Path) -> Target:
        """Read a picture.

        Raises:
            ImageError: If it, or its mask, cannot be read or used; NoFaceError if it has no face.
        """
        decoded = decode(path, policy=self._policy)
        cut, alignment, notes = self._cut(decoded.picture, path)
        image = picture_to_tensor(cut(decoded.picture), self._channels)
        try:
            source = Source.of(path)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read any more ({error.strerror})") from error
        width, height = decoded.picture.size
        return Target(
            source, image, "; ".join([*decoded.notes, *notes]), {"width": width, "height": height},
            alignment, self._mask(path, decoded.picture, cut),
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

    def _cut(self, picture: Image.Image, path: Path) -> tuple[_Cut, Alignment | None, list[str]]:
        """Return what cuts out the part that counts, and scales it."""
        size, limit = self._resolution, self._order.max_upscale
        if self._faces is None:
            crop: Crop = "none" if self._order.crop == "none" else "center"
            return lambda whole: fit(whole, size, crop, limit, str(path)), None, []
        try:
            found = self._faces.find(path, picture)
            quad = face_quad(found.points)
        except DataError as error:
            raise ImageError(f"{path}: {error}") from error
        side = side_of(quad)
        if size > side * limit:
            raise ImageError(
                f"{path}: the face would be enlarged {size / side:.1f} times; take a larger "
                f"picture, or allow more than {limit:g}"
            )
        alignment = Alignment(str(path), found.points, quad, size)
        notes = [found.note] if found.note else []
        return lambda whole: align(whole, found.points, size), alignment, notes

    def _mask(self, path: Path, picture: Image.Image, cut: _Cut) -> Tensor | None:
        if self._masks is None:
            return None
        file = self._masks
        if file.is_dir():
            files = [file / f"{path.stem}{suffix}" for suffix in (path.suffix, *SUFFIXES)]
            file = next((each for each in files if each.is_file()), files[0])
        mask = decode(file).picture
        if mask.size != picture.size:
            raise ImageError(
                f"{file}: {mask.width}x{mask.height}, but {path} is "
                f"{picture.width}x{picture.height}; a mask has the size of its picture"
            )
        return mask_from(cut(mask), str(file))
