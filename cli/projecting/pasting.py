"""Putting faces back into the photos that they were cut from."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from cli.pictures.choice import distinct
from cli.pictures.records import Source, opened_picture, read_record
from cli.projecting.files import ALIGNMENT, RECORD
from cli.projecting.returning_faces import Face
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.reports.tables import refuse_existing
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from cli.running.wording import told
from latentlab import DataError, ImageError
from latentlab.faces import Alignment, load_alignment, paste_back
from latentlab.files import is_file, make_directory
from latentlab.images import DecodePolicy, decode, read_picture, save_picture


class Pasting:
    """How faces are put back."""

    def __init__(self, photos: Path | None, feather: float, policy: DecodePolicy) -> None:
        """Take where photos are and how they are read.

        Args:
            photos: Folder to look for the photos in by name; None where they were projected from.
            feather: Share of the square's side along which the photo fades into the face.
            policy: How the photos are decoded.
        """
        self._photos, self._feather, self._policy = photos, feather, policy
        self._last: tuple[Path, Image.Image, str] | None = None

    def __call__(self, face: Face) -> Image.Image:
        """Return the photo of a face with the face in place.

        Raises:
            ImageError: If photo or face cannot be read, or the photo is no longer the one that was
                projected.
            DataError: If the alignment is damaged.
        """
        alignment = load_alignment(face.home / ALIGNMENT)
        path = self.photo(alignment)
        photo, digest = self._read(path)
        _check_same(face, alignment, path, digest)
        picture = read_picture(face.file, policy=DecodePolicy(background=None))
        if picture.width != picture.height:
            raise ImageError(f"{face.file}: {picture.width}x{picture.height} is not square")
        try:
            return paste_back(photo, picture, alignment.quad, self._feather)
        except ImageError as error:
            raise error.at(path) from error

    def check(self, face: Face) -> None:
        """Raise the errors of ``photo``, and those of a face or photo that is not there any more.

        Pictures are not decoded.
        """
        alignment = load_alignment(face.home / ALIGNMENT)
        path = self.photo(alignment)
        _check_same(face, alignment, path, Source.of(path).sha256)
        if not is_file(face.file):
            raise ImageError(f"{face.file}: no such file")

    def photo(self, alignment: Alignment) -> Path:
        """Return where the photo is.

        Raises:
            ImageError: If it is not there.
        """
        path = Path(alignment.picture)
        if self._photos is not None:
            path = self._photos / path.name
        if not is_file(path):
            raise ImageError(f"{path}: no such file; if the photos have moved, give --photos DIR")
        return path

    def _read(self, path: Path) -> tuple[Image.Image, str]:
        """Read a photo and its SHA-256, once for the frames of an edit, which come in a row."""
        if self._last is None or self._last[0] != path:
            with opened_picture(path) as (source, file):
                self._last = path, decode(file, str(path), self._policy).picture, source.sha256
        return self._last[1:]


def _check_same(face: Face, alignment: Alignment, photo: Path, digest: str) -> None:
    record = read_record(face.home / RECORD)
    projected = alignment.sha256 or (record.source.sha256 if record else digest)
    if digest != projected:
        raise ImageError(f"{photo}: is no longer the photo that was projected")


def files_for(
    faces: Sequence[Face], output: Path, paste: Pasting, overwrite: bool
) -> dict[Face, Path]:
    """Name a file for each face after its photo, or its folder where that is unknown.

    Raises:
        OutputError: If one is there already and may not be replaced; inputs never may.
    """
    names, inputs = [], []
    for face in faces:
        stem = face.home.resolve().name
        inputs.append(face.file)
        with suppress(DataError, ImageError):  # named when it is its turn
            alignment = load_alignment(face.home / ALIGNMENT)
            stem = Path(alignment.picture).stem
            inputs.append(paste.photo(alignment))
        names.append(f"{stem}-{face.label}" if face.label else stem)
    files = [output / f"{name}.png" for name in distinct(names, [])]
    refuse_existing(files, overwrite, keep=inputs)
    return dict(zip(faces, files, strict=True))


def paste_all(paste: Pasting, files: Mapping[Face, Path]) -> list[str]:
    """Write the photo of each face into its file; returns why others have none."""
    failures = []
    with ProgressBar(len(files), "pasting", unit="photo") as bar:
        for face, file in files.items():
            make_directory(file.parent)
            try:
                save_picture(file, paste(face))
            except (ImageError, DataError) as error:
                failures.append(told(error))
            bar.advance()
    return failures


def tell_pasting(
    paste: Pasting, files: Mapping[Face, Path], output: Path, asked: Mapping[str, Any]
) -> list[str]:
    """Print what a dry run has found; returns why some faces would have no photo."""
    refused = []
    for face in files:
        try:
            paste.check(face)
        except (ImageError, DataError) as error:
            refused.append(told(error))
    plan = DryRun([Task("Pasting", len(files) - len(refused), "face")], output,
                  list(files.values()), "cpu", refused=refused)  # fmt: skip
    tell_dry_run(plan, asked)
    return refused
