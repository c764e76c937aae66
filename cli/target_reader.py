"""Reading a picture as a generator should see it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.alignment import Alignment, align, face_quad
from PIL import Image
from torch import Tensor

from cli.picture_options import PictureOrder
from cli.projection_records import Source
from latentlab import Generator, ImageError
from latentlab.images import decode, fit, picture_to_tensor


@dataclass(frozen=True)
class Target:
    """A picture to project.

    Attributes:
        source: Its file.
        image: Its pixels [C,R,R] in [-1,1].
        note: What a user should know of how it was read.
        facts: What a report says of it: the size of the upright picture, and the scale.
        alignment: Where its face was, if it was aligned.
    """

    source: Source
    image: Tensor
    note: str
    facts: dict[str, Any]
    alignment: Alignment | None = None


class TargetReader:
    """Reads pictures at a generator's size."""

    def __init__(self, g: Generator, order: PictureOrder) -> None:
        """Open what finds faces, if faces are wanted."""
        self._resolution, self._channels = g.resolution, g.channels
        self._order, self._policy = order, order.policy()
        self._faces = order.faces.open() if order.crop == "face" else None

    def __call__(self, path: Path) -> Target:
        """Read a picture.

        Raises:
            ImageError: If it cannot be read or used; NoFaceError if it has no face.
        """
        decoded = decode(path, policy=self._policy)
        square, alignment, notes = self._cropped(decoded.picture, path)
        try:
            source = Source.of(path)
        except OSError as error:
            raise ImageError(f"{path}: cannot be read any more ({error.strerror})") from error
        width, height = decoded.picture.size
        image = picture_to_tensor(square, self._channels)
        facts = {"width": width, "height": height}
        return Target(source, image, "; ".join([*decoded.notes, *notes]), facts, alignment)

    def _cropped(
        self, picture: Image.Image, path: Path
    ) -> tuple[Image.Image, Alignment | None, list[str]]:
        size, limit = self._resolution, self._order.max_upscale
        if self._faces is None:
            crop = "none" if self._order.crop == "none" else "center"
            return fit(picture, size, crop, limit, str(path)), None, []
        found = self._faces.find(path, picture)
        quad = face_quad(found.points)
        side = math.hypot(*(quad[3] - quad[0]))
        if size > side * limit:
            raise ImageError(
                f"{path}: the face would be enlarged {size / side:.1f} times; take a larger "
                f"picture, or allow more than {limit:g}"
            )
        alignment = Alignment(str(path), found.points, quad, size)
        return align(picture, found.points, size), alignment, [found.note] if found.note else []
