"""Finding the photo that a projected face was cut from, and putting the face back into it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cli.pictures.choice import distinct
from cli.pictures.records import read_record
from cli.projecting.files import ALIGNMENT, RECORD, projections_in
from cli.reports.tables import refuse_existing
from cli.running.wording import told
from latentlab import DataError, ImageError
from latentlab.faces import Alignment, load_alignment, paste_back
from latentlab.files import is_file, make_directory
from latentlab.images import DecodePolicy, decode, read_picture, save_picture


@dataclass(frozen=True)
class Pasting:
    """How faces are put back.

    Attributes:
        face: Which file of a projection's folder is the face.
        photos: Folder to look for the photos in by name; None where they were projected from.
        feather: Share of the square's side along which the photo fades into the face.
        policy: How the photos are decoded.
    """

    face: str
    photos: Path | None
    feather: float
    policy: DecodePolicy

    def __call__(self, folder: Path) -> Image.Image:
        """Return the photo of a projection with its face in place.

        Raises:
            ImageError: If photo or face cannot be read, or the photo is no longer the one that was
                projected.
            DataError: If the alignment is damaged.
        """
        alignment = load_alignment(folder / ALIGNMENT)
        path = self.photo(alignment)
        record = read_record(folder / RECORD)
        if record is not None and not record.source.is_still(path):
            raise ImageError(f"{path}: is no longer the photo that was projected")
        photo = decode(path, policy=self.policy).picture
        face = read_picture(folder / self.face)
        if face.width != face.height:
            raise ImageError(f"{folder / self.face}: {face.width}x{face.height} is not square")
        try:
            return paste_back(photo, face, alignment.quad, self.feather)
        except ImageError as error:
            raise error.at(path) from error

    def photo(self, alignment: Alignment) -> Path:
        """Return where the photo is.

        Raises:
            ImageError: If it is not there.
        """
        path = Path(alignment.picture)
        if self.photos is not None:
            path = self.photos / path.name
        if not is_file(path):
            raise ImageError(f"{path}: no such file; if the photos have moved, give --photos DIR")
        return path


def projections(sources: Iterable[Path]) -> list[Path]:
    """Return the folders of projected faces, each once: those given, or those inside.

    Raises:
        DataError: If there are none in one of them.
    """
    found: list[Path] = []
    for source in sources:
        inside = [source] if (source / ALIGNMENT).exists() else projections_in(source, ALIGNMENT)
        if not inside:
            raise DataError(
                f"{source}: no {ALIGNMENT} in it; give the output of "
                "`latentlab project --crop face`"
            )
        found += inside
    return list(dict.fromkeys(found))


def files_for(
    folders: Sequence[Path], output: Path, paste: Pasting, overwrite: bool
) -> dict[Path, Path]:
    """Name a file for each projection after its photo, or its folder where that is unknown.

    Raises:
        OutputError: If one is there already and may not be replaced; photos never may.
    """
    stems, photos = [folder.name for folder in folders], []
    for i, folder in enumerate(folders):
        with suppress(DataError, ImageError):  # named when it is its turn
            alignment = load_alignment(folder / ALIGNMENT)
            stems[i] = Path(alignment.picture).stem
            photos.append(paste.photo(alignment))
    files = [output / f"{name}.png" for name in distinct(stems, [])]
    refuse_existing(files, overwrite, keep=photos)
    return dict(zip(folders, files, strict=True))


def paste_all(paste: Pasting, files: Mapping[Path, Path]) -> list[str]:
    """Write the photo of each projection into its file; returns why others have none."""
    failures = []
    for folder, file in files.items():
        make_directory(file.parent)
        try:
            save_picture(file, paste(folder))
        except (ImageError, DataError) as error:
            failures.append(told(error))
    return failures
