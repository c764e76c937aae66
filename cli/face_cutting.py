"""Cutting the face out of a photo, with the reasons why a photo cannot be used."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cli.face_source import FaceSource
from latentlab import ImageError
from latentlab.alignment import Alignment, align, face_quad, side_of


@dataclass(frozen=True)
class CutFace:
    """An aligned face [size,size], where it was, and what a user should know of it."""

    picture: Image.Image
    alignment: Alignment
    note: str

    def cut(self, other: Image.Image) -> Image.Image:
        """Cut the same out of another picture of the photo's size, such as its mask."""
        return align(other, self.alignment.points, self.alignment.size)

    @property
    def scale(self) -> float:
        """Pixels of the aligned picture for one of the photo."""
        return self.alignment.size / side_of(self.alignment.quad)


def cut_face(
    picture: Image.Image, path: Path, faces: FaceSource, size: int, max_upscale: float
) -> CutFace:
    """Align the chosen face of a photo.

    Args:
        picture: Upright RGB photo.
        path: Its file.
        faces: Where its faces are.
        size: Side of the result in pixels.
        max_upscale: Refuse faces that would be enlarged more.

    Raises:
        NoFaceError: If it has no face.
        ImageError: If its face cannot be aligned.
    """
    found = faces.find(path, picture)
    quad = face_quad(found.points)
    scale = size / side_of(quad)
    if scale > max_upscale:
        raise ImageError(
            f"{path}: the face would be enlarged {scale:.1f} times; take a larger picture, or "
            f"allow more than {max_upscale:g}"
        )
    face = align(picture, found.points, size)
    return CutFace(face, Alignment(str(path), found.points, quad, size), found.note)
