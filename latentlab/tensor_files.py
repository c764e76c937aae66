"""Files of arrays, which hold no code: safetensors and .npz.

Both come from anywhere. What a file announces is compared with what it has, or may have, before
memory is taken for it.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latentlab.errors import CheckpointError, LatentError, TruncatedCheckpoint, quoted, shown
from latentlab.files import atomic_write

Shape = Sequence[int | str]  # a name, such as "N", stands for any size above 0

_MAX_HEADER = 100_000_000  # bytes, the safetensors library's own limit
MAX_BYTES = 2**28  # of one array in an .npz: 7,000 latents of a 1024x1024 generator
_WAY_OUT = (
    "where you trust it, save its numbers: d = numpy.load(file, allow_pickle=True).item(); "
    "numpy.savez('latents.npz', **{k: numpy.array(v).reshape(-1, *numpy.shape(v)[-2:])[-1] "
    "for k, v in d.items()})"
)
_MAX_ARRAY_HEADER = 2**16  # bytes; numpy refuses more than 10,000 characters


def write_safetensors(tensors: dict[str, Tensor], path: Path, header: dict[str, str]) -> None:
    """Write tensors and header strings as one safetensors file, whole or not at all.

    Tensors that share memory, as those of networks with common layers do, are written each.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_write(path, sum(tensor.nbytes for tensor in tensors.values())) as temporary:
        try:
            save_file(_apart(tensors), temporary, header)
        except SafetensorError as error:  # a full disk arrives under this name
            raise OSError(str(error)) from error


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy the tensors whose memory is that of another: safetensors refuses them."""
    taken, found = set[int](), dict[str, Tensor]()
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if memory in taken else tensor
        taken.add(memory)
    return found


def read_safetensors(
    path: Path, check: Callable[[dict[str, list[int]]], None] = lambda _shapes: None
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header's metadata and all tensors of a safetensors file.

    Args:
        path: The file.
        check: Called with the shapes before any tensor is read; raises CheckpointError for those
            that are not wanted.

    Raises:
        CheckpointError: If the file is damaged, or names a tensor twice.
    """
    try:
        _refuse_twins(path)
        with safe_open(path, "pt") as file:
            check({key: file.get_slice(key).get_shape() for key in file.keys()})  # noqa: SIM118 - no mapping
            return dict(file.metadata() or {}), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, OverflowError, RuntimeError) as error:
        raise TruncatedCheckpoint(f"{path}: damaged safetensors file ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _refuse_twins(path: Path) -> None:
    """Refuse a header that names a tensor twice: readers would disagree on which one counts."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_MAX_HEADER, path.stat().st_size):
            raise TruncatedCheckpoint(f"{path}: the header is longer than the file or 100 MB")
        text = file.read(length)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise CheckpointError(f"{path}: the header names {quoted(key)} twice")
            found[key] = value
        return found

    try:
        json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise TruncatedCheckpoint(f"{path}: the header is not valid JSON ({error})") from error


def write_npz(path: Path | str, arrays: Mapping[str, Tensor]) -> None:
    """Write tensors by name as one .npz file, whole or not at all.

    Raises:
        OutputError: If it cannot be written.
    """
    values = {key: tensor.detach().cpu().numpy() for key, tensor in arrays.items()}
    size = sum(value.nbytes for value in values.values())
    with atomic_write(path, size) as temporary, temporary.open("wb") as file:
        np.savez(file, **values)  # type: ignore[arg-type]


def npz_names(path: Path | str) -> list[str]:
    """Return the names of the arrays in an .npz file.

    Raises:
        LatentError: If the file is missing or damaged.
    """
    with _open_npz(path) as archive:
        return _names(archive)


def npz_shapes(path: Path | str) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the arrays in an .npz file announce.

    Raises:
        LatentError: If the file is missing or damaged.
    """
    with _open_npz(path) as archive:
        shapes = {}
        for key in _names(archive):
            with _refuse_damage(path), archive.open(f"{key}.npy") as member:
                shapes[key] = _array_header(member)[0]
        return shapes


def read_npy(
    path: Path | str, fitting: Sequence[Shape], use: str = "", max_bytes: int = MAX_BYTES
) -> NDArray[np.floating]:
    """Read the array of finite floats in an .npy file, as ``read_npz`` does those of an archive.

    Raises:
        LatentError: If the file is missing or damaged, or the array does not fit.
    """
    where = f"{path}: the array"
    with _refuse_damage(path, ".npy of plain numbers"), Path(path).open("rb") as file:
        shape, dtype = _array_header(file)
        if dtype.kind == "O":
            raise LatentError(f"{where} has type object, and pickles are never run; {_WAY_OUT}")
        _check_array(shape, dtype, fitting, where, use, max_bytes)
        there = Path(path).stat().st_size - file.tell()
        if there != math.prod(shape) * dtype.itemsize:
            raise LatentError(f"{path}: {there} bytes of numbers do not make {list(shape)}")
        file.seek(0)
        array: NDArray[np.floating] = np.lib.format.read_array(file, allow_pickle=False)
    if not np.isfinite(array).all():
        raise LatentError(f"{where} holds NaN or infinity")
    return array


def read_npz(
    path: Path | str,
    shapes: Mapping[str, Sequence[Shape]],
    use: str = "",
    dtype: type[np.floating] | None = None,
    max_bytes: int = MAX_BYTES,
) -> dict[str, NDArray[np.floating]]:
    """Read arrays of finite floats; shape, type and size are checked before any is unpacked.

    Args:
        path: The file.
        shapes: The shapes that each array may have, by its name; other arrays are left alone.
        use: What the shapes are needed for, to end the sentence that refuses another.
        dtype: Type to return; None keeps the one in the file.
        max_bytes: Most bytes of one array.

    Raises:
        LatentError: If the file is missing or damaged, or an array is missing or does not fit.
    """
    with _open_npz(path) as archive:
        for key, fitting in shapes.items():
            _check_header(archive, key, fitting, use, max_bytes)
        return {key: _read_array(archive, key, dtype) for key in shapes}


def _open_npz(path: Path | str) -> zipfile.ZipFile:
    with _refuse_damage(path):
        return zipfile.ZipFile(path)


@contextmanager
def _refuse_damage(path: Path | str | None, kind: str = ".npz of plain arrays") -> Iterator[None]:
    """Turn what zipfile and numpy raise into LatentError; only for their calls."""
    try:
        yield
    except LatentError:
        raise
    except FileNotFoundError as error:
        raise LatentError(f"{path}: no such file") from error
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for damaged files
        raise LatentError(f"{path}: not a readable {kind} ({error})") from error


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist()]


def _check_header(
    archive: zipfile.ZipFile, key: str, fitting: Sequence[Shape], use: str, max_bytes: int
) -> None:
    path, where = archive.filename, f"{archive.filename}: `{key}`"
    if f"{key}.npy" not in archive.NameToInfo:  # looked up, where a list is searched
        found = shown(_names(archive)) or "nothing"
        raise LatentError(f"{path}: no array `{key}` inside, only {found}")
    with _refuse_damage(path), archive.open(f"{key}.npy") as member:
        have, dtype = _array_header(member)
    _check_array(have, dtype, fitting, where, use, max_bytes)


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and type that an array announces; the file ends up behind the header."""
    header = io.BytesIO(file.read(_MAX_ARRAY_HEADER))
    layout = np.lib.format
    is_first = layout.read_magic(header) == (1, 0)
    read = layout.read_array_header_1_0 if is_first else layout.read_array_header_2_0
    shape, _, dtype = read(header)
    file.seek(header.tell())
    return shape, dtype


def _check_array(
    have: tuple[int, ...], dtype: np.dtype[Any], fitting: Sequence[Shape], where: str, use: str,
    max_bytes: int,
) -> None:  # fmt: skip
    if dtype.kind != "f":
        raise LatentError(f"{where} has type {dtype}, expected floats")
    if not any(_fits(have, shape) for shape in fitting):
        wanted = " or ".join(f"[{', '.join(map(str, shape))}]" for shape in fitting)
        raise LatentError(f"{where} has shape {list(have)}, expected floats {wanted}{use}")
    if math.prod(have) * dtype.itemsize > max_bytes:
        raise LatentError(f"{where} holds over {max_bytes:,} bytes; split the file")


def _fits(have: tuple[int, ...], shape: Shape) -> bool:
    return len(have) == len(shape) and all(
        size > 0 if isinstance(want, str) else size == want
        for size, want in zip(have, shape, strict=True)
    )


def _read_array(
    archive: zipfile.ZipFile, key: str, dtype: type[np.floating] | None
) -> NDArray[np.floating]:
    # Not by numpy.load, which takes a member `w` for `w.npy`: the one checked would not be read.
    with _refuse_damage(archive.filename), archive.open(f"{key}.npy") as member:
        array: NDArray[np.floating] = np.lib.format.read_array(member, allow_pickle=False)
    if dtype is not None:
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    if not np.isfinite(array).all():
        beyond = "" if dtype is None else f", or values beyond {dtype.__name__}"
        raise LatentError(f"{archive.filename}: `{key}` holds NaN or infinity{beyond}")
    return array
