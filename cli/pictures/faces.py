"""Where the faces of a picture are: from the user's landmarks, or found by a model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
from PIL import Image

from cli.options.pictures import FaceRequest
from cli.text import counted
from latentlab import ImageError, NoFaceError
from latentlab.faces import (
    Alignment,
    FaceDetector,
    FacePoints,
    Landmarks,
    align,
    check_quad,
    face_quad,
    read_landmarks,
    side_of,
)
from latentlab.faces.geometry import face_size

_HINT = (
    "give --landmarks FILE, or --face-model FILE (YuNet, from OpenCV's zoo; needs "
    "pip install 'latentlab[faces]')"
)


@dataclass(frozen=True)
class Found:
    """The chosen face of a picture, and what a user should know of the choice."""

    points: FacePoints
    note: str


class FaceSource:
    """Finds the face of a picture."""

    def __init__(
        self,
        find: Callable[[Path, Image.Image], Sequence[FacePoints]],
        nothing: str,
        choice: Literal["largest"] | int,
        landmarks: Landmarks | None = None,
    ) -> None:
        """Take what finds faces, or landmarks.

        Args:
            find: Lists the faces of a picture.
            nothing: What to say where there are none.
            choice: Which one is wanted.
            landmarks: Where ``find`` has them from, if it does not look at the picture.
        """
        self._find, self._nothing, self._choice = find, nothing, choice
        self._landmarks = landmarks

    def find(self, path: Path, picture: Image.Image) -> Found:
        """Return the chosen face.

        Args:
            path: The picture's file, by which landmarks are found.
            picture: Its upright pixels, in which a model looks.

        Raises:
            NoFaceError: If there is none, or fewer than the number asked for.
            ImageError: If it cannot be aligned.
            DataError: If it is unclear which landmarks are the picture's.
        """
        found = self._chosen(path, self._find(path, picture))
        try:
            check_quad(face_quad(found.points), picture.size)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        return found

    def check(self, pictures: Iterable[Path]) -> None:
        """Refuse landmarks that could be of several of these pictures, before any is used.

        Raises:
            DataError: If it is unclear which landmarks are a picture's.
        """
        if self._landmarks is not None:
            for path in pictures:
                self._landmarks.faces(path)

    def recall(self, path: Path) -> Found | None:
        """Return the chosen face without looking at the picture; None where a model has to look.

        Raises:
            NoFaceError, DataError: As ``find``.
        """
        if self._landmarks is None:
            return None
        return self._chosen(path, self._landmarks.faces(path))

    def _chosen(self, path: Path, faces: Sequence[FacePoints]) -> Found:
        several = len(faces) > 1
        if not faces:
            raise NoFaceError(f"{path}: {self._nothing}")
        if self._choice == "largest":
            note = f"{len(faces)} faces; took the largest" if several else ""
            return Found(max(faces, key=face_size), note)
        if self._choice > len(faces):
            count = counted(len(faces), "face")
            raise NoFaceError(f"{path}: {count}; there is no number {self._choice}")
        note = f"{len(faces)} faces; took number {self._choice}" if several else ""
        return Found(faces[self._choice - 1], note)


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


def open_faces(request: FaceRequest) -> FaceSource:
    """Read the landmarks, or load the model.

    Raises:
        click.UsageError: If neither or both are given.
        DataError: If the landmarks cannot be used.
        SettingsError: If the model cannot be used.
    """
    if request.landmarks is not None and request.face_model is not None:
        raise click.UsageError("give either --landmarks or --face-model, not both")
    if request.landmarks is not None:
        known = read_landmarks(request.landmarks)
        nothing = f"no face of it in {request.landmarks}"
        return FaceSource(lambda path, _: known.faces(path), nothing, request.face, known)
    if request.face_model is None:
        raise click.UsageError(f"to align faces, {_HINT}")
    detector = FaceDetector(request.face_model)
    nothing = "no face found; if there is one, give its --landmarks"
    return FaceSource(lambda _, picture: detector(picture), nothing, request.face)
