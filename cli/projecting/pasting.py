"""Finding the photo that a projected face was cut from, and putting the face back into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cli.pictures.choice import distinct
from cli.pictures.records import RECORD, read_record
from cli.projecting.files import ALIGNMENT
from cli.reports.tables import refuse_existing
from latentlab import DataError, ImageError
from latentlab.faces import Alignment, load_alignment, paste_back
from latentlab.files import is_file
from latentlab.images import DecodePolicy, decode, read_picture


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
            ImageError: If photo or face cannot be read, or the photo is not the one of then.
            DataError: If the alignment is damaged.
        """
        alignment = load_alignment(folder / ALIGNMENT)
        path = self.photo(alignment)
        _refuse_another(path, folder)
        photo = decode(path, policy=self.policy).picture
        face = read_picture(folder / self.face)
        if face.width != face.height:
            raise ImageError(f"{folder / self.face}: {face.width}x{face.height} is not square")
        try:
            return paste_back(photo, face, alignment.quad, self.feather)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error

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


def _refuse_another(path: Path, folder: Path) -> None:
    record = read_record(folder / RECORD)
    if record is not None and not record.source.is_still(path):
        raise ImageError(f"{path}: is not the photo any more that was projected")


def projections(source: Path) -> list[Path]:
    """Return the folders of projected faces: the one given, or those inside.

    Raises:
        DataError: If there are none.
    """
    if (source / ALIGNMENT).exists():
        return [source]
    found = sorted(path.parent for path in source.glob(f"[!.]*/{ALIGNMENT}"))
    if not found:
        raise DataError(
            f"{source}: no {ALIGNMENT} in it; give the output of latentlab project --crop face"
        )
    return found


def files_for(folders: Sequence[Path], output: Path, paste: Pasting, overwrite: bool) -> list[Path]:
    """Name a file for each projection after its photo, or its folder where that is unknown.

    Raises:
        OutputError: If one is there already and may not be replaced; photos never may.
    """
    stems, photos = [], []
    for folder in folders:
        try:
            alignment = load_alignment(folder / ALIGNMENT)
            stems.append(Path(alignment.picture).stem)
            photos.append(paste.photo(alignment))
        except DataError:
            stems.append(folder.name)
        except ImageError:
            continue  # named when it is its turn
    files = [output / f"{name}.png" for name in distinct(stems, [])]
    refuse_existing(files, overwrite, keep=photos)
    return files
