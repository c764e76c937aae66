"""Where the faces of a picture are: from the user's landmarks, or found by a model."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.options import grouped_options
from cli.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL import Image

    from latentlab.face_geometry import FacePoints
    from latentlab.landmarks import Landmarks

_COUNT = re.compile("[1-9][0-9]{0,3}")
_HINT = (
    "give --landmarks FILE, or --face-model FILE (YuNet, from OpenCV's zoo; needs "
    "pip install 'latentlab[faces]')"
)


class FaceChoice(click.ParamType["Literal['largest'] | int"]):
    """The word largest, or a number from 1."""

    name = "face"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Literal["largest"] | int:
        """Parse the text."""
        if value == "largest" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not _COUNT.fullmatch(str(value)):
            self.fail(f"{value[:80]!r} is neither largest nor a number from 1", param, ctx)
        return int(value)


@dataclass(frozen=True)
class Found:
    """The chosen face of a picture, and what a user should know of the choice."""

    points: "FacePoints"
    note: str


class FaceSource:
    """Finds the face of a picture."""

    def __init__(
        self,
        find: "Callable[[Path, Image.Image], Sequence[FacePoints]]",
        nothing: str,
        choice: Literal["largest"] | int,
        landmarks: "Landmarks | None" = None,
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

    def find(self, path: Path, picture: "Image.Image") -> Found:
        """Return the chosen face.

        Args:
            path: The picture's file, by which landmarks are found.
            picture: Its upright pixels, in which a model looks.

        Raises:
            NoFaceError: If there is none, or fewer than the number asked for.
            ImageError: If it cannot be aligned.
            DataError: If it is unclear which landmarks are the picture's.
        """
        from latentlab.alignment import check_quad, face_quad
        from latentlab.errors import ImageError

        found = self._chosen(path, self._find(path, picture))
        try:
            check_quad(face_quad(found.points), picture.size)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        return found

    def check(self, pictures: "Iterable[Path]") -> None:
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

    def _chosen(self, path: Path, faces: "Sequence[FacePoints]") -> Found:
        from latentlab.errors import NoFaceError
        from latentlab.face_geometry import face_size

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
class FaceOrder:
    """What the command line says of faces."""

    landmarks: Path | None
    face_model: Path | None
    face: Literal["largest"] | int

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it: the files by their SHA-256."""
        from latentlab.files import sha256_of

        facts: dict[str, Any] = {"face": self.face}
        for name, file in (("landmarks", self.landmarks), ("face_model", self.face_model)):
            if file is not None:
                facts[name] = file.name
                facts[f"{name}_sha256"] = sha256_of(file)
        return facts

    def open(self) -> FaceSource:
        """Read the landmarks, or load the model.

        Raises:
            click.UsageError: If neither or both are given.
            DataError: If the landmarks cannot be used.
            SettingsError: If the model cannot be used.
        """
        if self.landmarks is not None and self.face_model is not None:
            raise click.UsageError("give either --landmarks or --face-model, not both")
        if self.landmarks is not None:
            from latentlab.landmarks import read_landmarks

            known = read_landmarks(self.landmarks)
            nothing = f"no face of it in {self.landmarks}"
            return FaceSource(lambda path, _: known.faces(path), nothing, self.face, known)
        if self.face_model is None:
            raise click.UsageError(f"to align faces, {_HINT}")
        from latentlab.face_detection import FaceDetector

        detector = FaceDetector(self.face_model)
        nothing = "no face found; if there is one, give its --landmarks"
        return FaceSource(lambda _, picture: detector(picture), nothing, self.face)


_FILE = click.Path(path_type=Path)

face_options = grouped_options("faces", FaceOrder, (
    click.option("--landmarks", type=_FILE, metavar="FILE",
                 help="Where faces are: CSV or JSON with 68 points, or eyes and mouth corners."),
    click.option("--face-model", type=_FILE, metavar="FILE",
                 help="Or find them: the YuNet model (ONNX); needs latentlab[faces]."),
    click.option("--face", type=FaceChoice(), default="largest", show_default=True,
                 metavar="largest|N",
                 help="Which of several faces; N counts landmarks in order, or by size."),
))  # fmt: skip
