"""Where the faces of a picture are: from the user's landmarks, or found by a model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image

from cli.options.pictures import FaceRequest
from cli.text import counted
from latentlab import ImageError, NoFaceError
from latentlab.faces import Alignment, FaceDetector, align, check_quad, read_landmarks
from latentlab.faces.geometry import FacePoints, face_quad, face_size, side_of


@dataclass(frozen=True)
class Found:
    """The chosen face of a picture, and what a user should know of the choice."""

    points: FacePoints
    note: str


class FaceSource:
    """Finds the face of a picture."""

    def __init__(self, request: FaceRequest) -> None:
        """Read the landmarks, or load the model.

        Raises:
            click.UsageError: If neither or both are given.
            DataError: If the landmarks cannot be used.
            SettingsError: If the model cannot be used.
        """
        self._choice, self._landmarks = request.face, None
        self._find: Callable[[Path, Image.Image], Sequence[FacePoints]]
        if request.landmarks is not None and request.face_model is not None:
            raise click.UsageError("give either --landmarks or --face-model, not both")
        if request.landmarks is not None:
            known = self._landmarks = read_landmarks(request.landmarks)
            self._find = lambda path, _: known.faces(path)
            self._nothing = f"no face of it in {request.landmarks}"
        elif request.face_model is not None:
            detector = FaceDetector(request.face_model)
            self._find = lambda _, picture: detector(picture)
            self._nothing = "no face found; if there is one, give its --landmarks"
        else:
            raise click.UsageError(
                "to align faces, give --landmarks FILE, or --face-model FILE (YuNet, from OpenCV's "
                "zoo; needs pip install 'latentlab[faces]')"
            )

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
            raise error.at(path) from error
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
        if not faces:
            raise NoFaceError(f"{path}: {self._nothing}")
        count = counted(len(faces), "face")
        if self._choice == "largest":
            chosen, which = max(faces, key=face_size), "the largest"
        elif self._choice > len(faces):
            raise NoFaceError(f"{path}: {count}; there is no number {self._choice}")
        else:
            chosen, which = faces[self._choice - 1], f"number {self._choice}"
        return Found(chosen, f"{count}; took {which}" if len(faces) > 1 else "")


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
            f"{path}: the face would be enlarged {scale:.1f} times",
            advice=["take a larger picture", f"allow more than {max_upscale:g} by `max_upscale`"],
        )
    face = align(picture, found.points, size)
    return CutFace(face, Alignment(str(path), found.points, quad, size), found.note)
