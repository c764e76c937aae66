"""The picture files of a folder or a zip, in a fixed order, and the bytes of each."""

from pathlib import Path, PurePosixPath

from latentlab.errors import DataError, ImageError
from latentlab.files import is_file
from latentlab.foreign_files.opening import open_regular
from latentlab.foreign_files.zip_files import ZipArchive
from latentlab.images import SUFFIXES
from latentlab.images.listing import files_under

LABEL_FILE = "dataset.json"

_MOST_BYTES = 2**28  # of one file: an uncompressed picture of 64 megapixels
# Pictures are packed already; plain ones of one colour, which are not, are small.
_GROWTH, _MAY_GROW_TO = 10, 2**24
_SHORT_LABELS = 2**22  # bytes, when the set itself is smaller than that


class PictureFiles:
    """Pictures by name, with "/" between folders and file.

    Attributes:
        path: The folder or zip.
        names: Of the pictures, sorted.
        label_file: Name of the file of labels, at the top or in the one folder that is there; None
            if there is none.
        left_out: How many other files there are that are not hidden.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = _open_archive(path) if is_file(path) else None
        every = self._in_folder() if self._archive is None else _in_archive(self._archive)
        self.names = sorted(name for name in every if self._is_picture(name))
        if not self.names:
            raise DataError(f"{path}: no pictures found (looked for {', '.join(SUFFIXES)})")
        others = sorted({*every} - {*self.names})
        self.label_file = _label_file(others, path)
        self.left_out = len(others) - (self.label_file is not None)

    def bytes_of(self, name: str) -> bytes:
        """Read a file.

        Raises:
            DataError: If it cannot be read, or is larger than a picture, or labels, can be.
        """
        try:
            if self._archive is not None:
                return self._archive.read(name, self._most_of(name, self._archive))
            with open_regular(self.path / name) as file:
                found = file.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}/{name}: cannot be read ({error})") from error
        if len(found) > _MOST_BYTES:
            raise DataError(f"{self.path}/{name}: larger than {_MOST_BYTES:,} bytes")
        return found

    def _most_of(self, name: str, archive: ZipArchive) -> int:
        """Return the bytes that a member may unpack to."""
        most = max(_MAY_GROW_TO, _GROWTH * archive.size_of(name)[1])
        if name == self.label_file:  # which repeat themselves, but are less than their pictures
            most = max(_SHORT_LABELS, archive.size)
        return min(_MOST_BYTES, most)

    def _is_picture(self, name: str) -> bool:
        """Whether it has a picture's suffix; a link that leads nowhere has no picture."""
        there = self._archive is not None or (self.path / name).is_file()
        return there and PurePosixPath(name).suffix.lower() in SUFFIXES

    def _in_folder(self) -> list[str]:
        """List a folder as ``project`` does: links are followed once, hidden files left out."""
        try:
            return [file.relative_to(self.path).as_posix() for file in files_under(self.path)]
        except ImageError as error:
            raise DataError(error.message) from error


def _in_archive(archive: ZipArchive) -> list[str]:
    found = [name for name in archive.names() if not name.endswith("/")]
    # Such as __MACOSX/._a.png in zips made by macOS.
    return [name for name in found if not _is_hidden(name)]


def _open_archive(path: Path) -> ZipArchive:
    try:
        return ZipArchive(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: neither a folder nor a readable zip ({error})") from error


def _label_file(names: list[str], path: Path) -> str | None:
    found = sorted((name for name in names if PurePosixPath(name).name == LABEL_FILE), key=_depth)
    found = [name for name in found if _depth(name) <= 1]
    if not found or _depth(found[0]) == 0:
        return found[0] if found else None
    if len(found) > 1:
        raise DataError(
            f"{path}: {found[0]} and {found[1]} are both there; put one {LABEL_FILE} at the top"
        )
    return found[0]


def _depth(name: str) -> int:
    return name.count("/")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
