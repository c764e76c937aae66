"""Files of torch.save as plain data: the zip archives of today, and the streams before 2020.

A zip archive holds a pickle ``data.pkl`` and a member ``data/N`` for each storage that it names. A
stream holds the pickle, the list of its storages' keys, and for each storage the number of its
elements and their bytes. Nothing in either is imported, called or executed.
"""

import io
from collections.abc import Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.checkpoints.pickles import tensors
from latentlab.checkpoints.pickles.language import Global, Language, Names
from latentlab.checkpoints.pickles.limits import BoundedFile, Budget
from latentlab.checkpoints.pickles.machine import PickleMachine
from latentlab.checkpoints.pickles.reader import ATTRIBUTES, COMMON_NAMES
from latentlab.checkpoints.pickles.stored_zip import Section, contents, read_directory
from latentlab.checkpoints.pickles.strangers import stranger
from latentlab.checkpoints.pickles.tensors import PLAIN, Storage, StorageId
from latentlab.errors import CheckpointError, UnsafeCheckpoint, UnsupportedCheckpoint, quoted
from latentlab.foreign_files.opening import open_regular, size_of
from latentlab.torchscript import is_program

ZIP_START = b"PK\x03\x04"
STREAM_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9"  # torch.save's magic number as a pickle

_MAX_PICKLE = 2**26  # bytes; a training run at 1024 px has less than 2**20

# A pickle whose tensors lie beside it.
NAMES: Names = MappingProxyType({**COMMON_NAMES, **tensors.STORAGE_NAMES})


def _nothing(_: tuple[Any, ...], __: Budget) -> None:
    return None


# The same for a first look at a stream, whose tensors come after its pickle.
_NAMES_ALONE: Names = MappingProxyType(
    {
        **{key: _nothing if key[0] == "torch._utils" else value for key, value in NAMES.items()},
        ("torch._tensor", "_rebuild_from_type_v2"): tensors.check_attributed,
    }
)


def read_torch(path: Path) -> Any:
    """Read a whole file of torch.save as data; nothing in it is run.

    Returns:
        What ``read_pickle`` does.

    Raises:
        CheckpointError: Naming the file and the byte: UnsafeCheckpoint where it asks for code,
            TruncatedCheckpoint where it ends too early, UnsupportedCheckpoint where it is of
            another kind, CheckpointError where it is damaged.
    """
    try:
        with open_regular(path) as file:
            size = size_of(file)
            is_zip = file.read(len(ZIP_START)) == ZIP_START
            file.seek(0)
            return _read_zip(file, size) if is_zip else _read_stream(file, size)
    except CheckpointError as error:
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_zip(file: BufferedReader, size: int) -> Any:
    members, end = read_directory(file, size)
    root = _root([member.name for member in members])
    language = Language(NAMES, None, ATTRIBUTES, stranger)
    return read_members(file, contents(file, end, members), root, language, size)


def read_members(
    file: BufferedReader, sections: Mapping[str, Section], root: str, language: Language, size: int
) -> Any:
    """Return what the pickle ``root/data.pkl`` of an archive of ``size`` bytes describes.

    Tensors are those of ``root/data/N``; ``language`` says what else there may be.

    Raises:
        CheckpointError: As ``read_torch``, without the file.
    """
    order = sections.get(f"{root}/byteorder")
    if order is not None and _section_bytes(file, order) != b"little":
        raise UnsupportedCheckpoint("written on a big-endian machine; save it again on another")

    def resolve(value: object) -> Storage:
        named = tensors.storage_id(value, 5)
        section = sections.get(f"{root}/data/{named.key}")
        if section is None or section.size != named.size:
            have = "no bytes" if section is None else f"{section.size} bytes"
            said = f"the storage {quoted(named.key)} of {named.size} bytes"
            raise CheckpointError(f"{said} has {have} in the archive")
        return _storage(file, named, section.start)

    view = _pickle_of(file, sections[f"{root}/data.pkl"])
    found = PickleMachine(view, replace(language, persistent=resolve), Budget(2 * size)).run()
    if view.left:
        raise CheckpointError(f"byte {view.position}: {view.left} bytes follow the pickle")
    return found


def _root(names: list[str]) -> str:
    """Return the folder that everything in a torch.save archive is in."""
    root = names[0].split("/")[0] if names else ""
    if is_program(names):
        raise UnsupportedCheckpoint(
            "a TorchScript archive, which is a program; expected the weights as torch.save writes "
            "a state dict"
        )
    if f"{root}/data.pkl" not in names:
        raise UnsupportedCheckpoint(
            "a zip archive, but not of torch.save (no data.pkl inside); latents in .npz go to "
            "`latentlab generate --projected-w`"
        )
    strays = [name for name in names if not name.startswith(f"{root}/")]
    if strays:
        raise UnsafeCheckpoint(f"the zip member {quoted(strays[0])} is outside {quoted(root)}")
    return root


def _read_stream(file: BufferedReader, size: int) -> Any:
    view = BoundedFile(file, size)
    first_look = Budget(2 * size)
    tensors.check_stream(view, first_look)
    named: dict[str, StorageId] = {}

    def note(value: object) -> StorageId | Global:
        if (kind := _class_of_module(value)) is not None:
            return kind
        found = tensors.storage_id(value)
        if named.setdefault(found.key, found) != found:
            raise CheckpointError(f"the storage {quoted(found.key)} is described in two ways")
        return found

    start = view.position
    PickleMachine(view, Language(_NAMES_ALONE, note, ATTRIBUTES, stranger), first_look).run()
    source = Section(start, view.position - start)
    keys = PickleMachine(view, PLAIN, first_look).run()
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise CheckpointError(f"byte {view.position}: storages without a list of their keys")
    if len(set(keys)) != len(keys) or set(keys) != named.keys():
        raise CheckpointError(f"byte {view.position}: the storages are not those of the pickle")
    starts = {key: tensors.skip_storage(view, named[key]) for key in keys}
    if view.left:
        raise CheckpointError(f"byte {view.position}: {view.left} bytes follow the last storage")

    def resolve(value: object) -> Storage | Global:
        if (kind := _class_of_module(value)) is not None:
            return kind
        found = tensors.storage_id(value)
        return _storage(file, found, starts[found.key])

    view = _pickle_of(file, source)
    return PickleMachine(
        view, Language(NAMES, resolve, ATTRIBUTES, stranger), Budget(2 * size)
    ).run()


def _class_of_module(value: object) -> Global | None:
    """Return the class in ("module", class, file, source): it comes with its text, never read.

    Streams have it where a module is pickled, of a class that is not here.
    """
    if type(value) is not tuple or len(value) != 4 or type(value[1]) is not Global:
        return None
    word, kind, *texts = value
    known = (kind.module, kind.name) in NAMES
    named = type(word) is str and word == "module"
    return kind if named and not known and all(type(t) is str for t in texts) else None


def _pickle_of(file: BufferedReader, source: Section) -> BoundedFile:
    """Return a pickle for reading while the storages are read from the file itself."""
    if source.size > _MAX_PICKLE:
        found = f"byte {source.start}: a pickle of {source.size} bytes"
        raise CheckpointError(f"{found}, more than any network has")
    raw = _section_bytes(file, source)
    # Positions count from the start of the file, so that messages can name them.
    return BoundedFile(io.BytesIO(raw), source.start + len(raw), source.start)


def _section_bytes(file: BufferedReader, section: Section) -> bytes:
    file.seek(section.start)
    return file.read(section.size)


def _storage(file: BufferedReader, named: StorageId, start: int) -> Storage:
    """Return a storage whose elements are at byte ``start``, to be read when asked for."""

    def read(first: int, count: int) -> NDArray[Any]:
        elements: NDArray[Any] = np.empty(count, named.kind)
        file.seek(start + first * named.kind.itemsize)
        # Straight into the array that the tensor will be: no second copy.
        if file.readinto(elements.view(np.uint8).data) != elements.nbytes:
            raise CheckpointError("the file became shorter while it was read")
        return elements

    return Storage(named, read)
