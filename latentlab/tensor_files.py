"""Files of arrays, which hold no code: safetensors and .npz.

Both come from anywhere. What a file announces is compared with what it has, or may have, before
memory is taken for it.
"""

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from latentlab.errors import (
    CheckpointError,
    LatentError,
    OutputError,
    TruncatedCheckpoint,
    quoted,
    reason,
    shown,
)
from latentlab.files import atomic_write
from latentlab.foreign_files.opening import open_regular, size_of
from latentlab.foreign_files.safetensors_form import Shapes, read_header, stream_safetensors
from latentlab.foreign_files.zip_files import ZipArchive

Shape = Sequence[int | str]  # a name, such as "N", stands for any size above 0

MAX_BYTES = 2**28  # of one array in an .npz: 7,000 latents of a 1024x1024 generator
_WAY_OUT = (
    "where you trust it, save its numbers: d = numpy.load(file, allow_pickle=True).item(); "
    "numpy.savez('latents.npz', **{k: numpy.array(v).reshape(-1, *numpy.shape(v)[-2:])[-1] "
    "for k, v in d.items()})"
)
_GROWTH, _MAY_GROW_TO = 32, 2**26  # of an array that is packed: equal rows get small, floats do not
_MAX_ARRAY_HEADER = 2**16  # bytes; numpy refuses more than 10,000 characters


def write_safetensors(
    tensors: Mapping[str, Tensor], path: Path | str, header: Mapping[str, str]
) -> None:
    """Write tensors and header strings as one safetensors file, whole or not at all.

    Equal content gives equal bytes. Tensors are copied one at a time, and those that share memory,
    as those of networks with common layers do, are written each.

    Raises:
        OutputError: If it cannot be written, or could not be read again.
    """
    size = sum(tensor.nbytes for tensor in tensors.values())
    with atomic_write(path, size) as temporary, temporary.open("wb") as file:
        try:
            stream_safetensors(tensors, file, header)
        except CheckpointError as error:
            raise OutputError(f"{path}: could not be read again: {error.message}") from error


def read_safetensors(
    path: Path, check: Callable[[dict[str, list[int]]], None] = lambda _shapes: None
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header's metadata and all tensors of a safetensors file.

    Args:
        path: The file.
        check: Called with the shapes before any tensor is read; raises CheckpointError for those
            that are not wanted.

    Raises:
        CheckpointError: If the file is damaged, names a tensor twice, or has a header beyond what
            any network needs.
    """
    try:
        texts, shapes = _header_of(path)
        with safe_open(path, "pt") as file:
            check(shapes)
            return texts, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, OverflowError, RuntimeError) as error:
        raise TruncatedCheckpoint(f"{path}: damaged safetensors file ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _header_of(path: Path) -> tuple[dict[str, str], Shapes]:
    with open_regular(path) as file:
        try:
            return read_header(file, size_of(file))
        except CheckpointError as error:
            raise error.at(path) from error


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
    return _names(_open_npz(path))


def npz_shapes(path: Path | str) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the arrays in an .npz file announce.

    Raises:
        LatentError: If the file is missing or damaged.
    """
    archive = _open_npz(path)
    return {key: _announced(archive, key)[0] for key in _names(archive)}


def read_npy(
    path: Path | str, fitting: Sequence[Shape], use: str = "", max_bytes: int = MAX_BYTES
) -> NDArray[np.floating]:
    """Read the array of finite floats in an .npy file, as ``read_npz`` does those of an archive.

    Raises:
        LatentError: If the file is missing or damaged, or the array does not fit.
    """
    where = f"{path}: the array"
    with _refuse_damage(path, ".npy of plain numbers"), open_regular(path) as file:
        shape, dtype, length = _array_header(file)
        if dtype.kind == "O":
            raise LatentError(f"{where} has type object, and pickles are never run; {_WAY_OUT}")
        _check_array(shape, dtype, fitting, where, use, max_bytes)
        there = size_of(file) - length
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
    archive = _open_npz(path)
    for key, fitting in shapes.items():
        where = f"{path}: `{key}`"
        if f"{key}.npy" not in archive:
            found = shown(_names(archive)) or "nothing"
            raise LatentError(f"{path}: no array `{key}` inside, only {found}")
        _check_array(*_announced(archive, key), fitting, where, use, max_bytes)
    return {key: _floats(archive, key, dtype) for key in shapes}


def read_all_npz(path: Path | str) -> dict[str, NDArray[Any]]:
    """Read all arrays of numbers, truth values and texts in an .npz that is not compressed.

    Raises:
        LatentError: If the file is missing or damaged, or has anything else in it.
    """
    archive = _open_npz(path)
    found = {}
    for key in _names(archive):
        dtype = _announced(archive, key)[1]
        size, packed = archive.size_of(f"{key}.npy")
        if dtype.kind not in "fiubU" or size != packed:
            raise LatentError(f"{path}: `{key}` is no plain array")
        found[key] = _array(archive, key)
    return found


def _open_npz(path: Path | str) -> ZipArchive:
    with _refuse_damage(path):
        return ZipArchive(Path(path))


@contextmanager
def _refuse_damage(path: Path | str | None, kind: str = ".npz of plain arrays") -> Iterator[None]:
    """Turn what zip_files and numpy raise into LatentError; only for their calls."""
    try:
        yield
    except LatentError:
        raise
    except FileNotFoundError as error:
        raise LatentError(f"{path}: no such file") from error
    except Exception as error:  # numpy raises a dozen kinds for damaged files
        raise LatentError(f"{path}: not a readable {kind} ({reason(error)})") from error


def _names(archive: ZipArchive) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.names()]


def _announced(archive: ZipArchive, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and type of an array, which its bytes fit."""
    # By its whole name: numpy.load takes a member `w` for `w.npy`.
    with _refuse_damage(archive.path):
        with _member(archive, key) as member:
            shape, dtype, length = _array_header(member)
        there = archive.size_of(f"{key}.npy")[0] - length
        if dtype.kind != "O" and there != math.prod(shape) * dtype.itemsize:
            raise LatentError(
                f"{archive.path}: {there} bytes of numbers do not make {list(shape)} in `{key}`"
            )
    return shape, dtype


def _member(archive: ZipArchive, key: str) -> BinaryIO:
    name = f"{key}.npy"
    if name not in archive:
        raise LatentError(f"{archive.path}: {quoted(key)} is no array")
    return archive.open(name, _MAY_GROW_TO + _GROWTH * archive.size_of(name)[1])


def _array_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return the shape and type that an array announces, and the length of what says so."""
    header = io.BytesIO(file.read(_MAX_ARRAY_HEADER))
    layout = np.lib.format
    is_first = layout.read_magic(header) == (1, 0)
    read = layout.read_array_header_1_0 if is_first else layout.read_array_header_2_0
    shape, _, dtype = read(header)
    return shape, dtype, header.tell()


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


def _floats(archive: ZipArchive, key: str, dtype: type[np.floating] | None) -> NDArray[np.floating]:
    array: NDArray[np.floating] = _array(archive, key)
    if dtype is not None:
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    if not np.isfinite(array).all():
        beyond = "" if dtype is None else f", or values beyond {dtype.__name__}"
        raise LatentError(f"{archive.path}: `{key}` holds NaN or infinity{beyond}")
    return array


def _array(archive: ZipArchive, key: str) -> NDArray[Any]:
    with _refuse_damage(archive.path), _member(archive, key) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array
