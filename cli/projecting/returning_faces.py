"""Which pictures of faces are to go back into photos: projections, tunings, frames of edits."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from cli.projecting.files import ALIGNMENT, PROJECTED, TUNED, projections_in
from latentlab import DataError
from latentlab.files import is_file

_FRAME = re.compile(r"\d+_([+-].+)\.png")  # as `latentlab edit` calls them: 03_+1.5.png


@dataclass(frozen=True)
class Face:
    """A picture of a face.

    Attributes:
        file: The picture.
        home: The folder whose alignment.json says where in which photo it belongs.
        label: What has been done to it, for the name of the result; "" for a projection.
        direction: Of an edit: the name of its folder.
        strength: Of an edit, as the frame's name has it: "+1.5".
    """

    file: Path
    home: Path
    label: str
    direction: str | None = None
    strength: str | None = None


@dataclass(frozen=True)
class FaceChoice:
    """Which pictures of a folder to take.

    Attributes:
        name: Of the file; None takes projected.png, tuned.png, or the frames of an edit.
        directions: Of edits, by the names of their folders; none takes all.
        strengths: Of edits; none takes all.
    """

    name: str | None = None
    directions: Sequence[str] = ()
    strengths: Sequence[float] = ()

    def faces_in(self, home: Path) -> list[Face]:
        """Return what a folder with alignment.json offers.

        Raises:
            DataError: If there is nothing to take.
        """
        if self.name is not None:
            inside = (
                [] if is_file(home / self.name) else sorted(home.glob(f"*/{escape(self.name)}"))
            )
            return [_face(file, home) for file in inside] or [Face(home / self.name, home, "")]
        for name in (PROJECTED, TUNED):
            if is_file(home / name):
                return [_face(home / name, home)]
        frames = [frame for folder in sorted(home.iterdir()) for frame in _frames(folder, home)]
        if not frames:
            raise DataError(
                f"{home}: holds no {PROJECTED}, {TUNED} or frames of an edit; name its picture "
                "with --face-file"
            )
        return self.among(frames, home)

    def among(self, frames: Sequence[Face], where: Path) -> list[Face]:
        """Return the frames of the wanted directions and strengths.

        Raises:
            DataError: If there are none; it says what there is.
        """
        found = [
            face for face in frames if not self.directions or face.direction in self.directions
        ]
        if not found:
            there = ", ".join(dict.fromkeys(str(face.direction) for face in frames))
            raise DataError(f"{where}: no such direction; there are {there}")
        strengths = [f"{strength:+g}" for strength in self.strengths]
        chosen = [face for face in found if not strengths or face.strength in strengths]
        if not chosen:
            there = ", ".join(dict.fromkeys(str(face.strength) for face in found))
            raise DataError(f"{where}: no frame of such a strength; there are {there}")
        return chosen


def find_faces(sources: Iterable[Path], choice: FaceChoice) -> list[Face]:
    """Return the faces at the given places, each once.

    A place is a picture, or a folder: of a projection, a tuning or an edit, or of several.

    Raises:
        DataError: If a place holds no face of which it is known where it was.
    """
    found = [face for source in sources for face in _at(source, choice)]
    return list({face.file.absolute(): face for face in found}.values())


def _at(source: Path, choice: FaceChoice) -> Iterator[Face]:
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if not source.is_dir():
        yield _of_file(source)
        return
    homes = [source] if _is_home(source) else projections_in(source, ALIGNMENT)
    if homes:
        for home in homes:
            yield from choice.faces_in(home)
        return
    above = Path(os.path.abspath(source)).parent
    frames = list(_frames(source, above)) if _is_home(above) else []
    if not frames:
        raise _unknown(source, "in it")
    yield from choice.among(frames, source)


def _of_file(file: Path) -> Face:
    for folder in list(Path(os.path.abspath(file)).parents)[:2]:
        if _is_home(folder):
            return _face(file, folder)
    if _is_home(strip := file.with_suffix("")):
        raise DataError(f"{file}: is a filmstrip; give its frames, which are in {strip}")
    raise _unknown(file, "beside it")


def _unknown(place: Path, where: str) -> DataError:
    return DataError(
        f"{place}: no {ALIGNMENT} {where} says where in its photo the face was; project the photo "
        "with `latentlab project --crop face`, and edit or tune that projection's folder"
    )


def _is_home(folder: Path) -> bool:
    return is_file(folder / ALIGNMENT)


def _frames(folder: Path, home: Path) -> Iterator[Face]:
    for file in sorted(folder.glob("*.png")):
        if _FRAME.fullmatch(file.name):
            yield _face(file, home)


def _face(file: Path, home: Path) -> Face:
    """Return a picture of a home, or of a folder in it, with a label that tells it apart."""
    frame = _FRAME.fullmatch(file.name)
    folder = Path(os.path.abspath(file)).parent
    if folder == Path(os.path.abspath(home)):
        return Face(file, home, "" if file.name == PROJECTED else file.stem)
    if frame is None:
        return Face(file, home, f"{folder.name}-{file.stem}")
    return Face(file, home, f"{folder.name}_{frame[1]}", folder.name, frame[1])
