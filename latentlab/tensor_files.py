"""Files of arrays, which hold no code: safetensors and .npz."""

import json
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latentlab.errors import (
    CheckpointError,
    LatentError,
    TruncatedCheckpoint,
)
from latentlab.files import atomic_write

_MAX_HEADER = 100_000_000  # bytes, the safetensors library's own limit


def write_safetensors(tensors: dict[str, Tensor], path: Path, header: dict[str, str]) -> None:
    """Write tensors and header strings as one safetensors file, whole or not at all."""
    with atomic_write(path) as temporary:
        try:
            save_file(tensors, temporary, header)
        except SafetensorError as error:  # a full disk arrives under this name
            raise OSError(str(error)) from error


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
            check({key: file.get_slice(key).get_shape() for key in file.keys()})  # noqa: SIM118
            return dict(file.metadata() or {}), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
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
                raise CheckpointError(f"{path}: the header names {key!r} twice")
            found[key] = value
        return found

    try:
        json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise TruncatedCheckpoint(f"{path}: the header is not valid JSON ({error})") from error


_MAX_BYTES = 2**28  # of one array in a latent file: 7,000 latents of a 1024x1024 generator


def _save_npz(path: Path | str, arrays: dict[str, Tensor]) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        values = {key: tensor.detach().cpu().numpy() for key, tensor in arrays.items()}
        np.savez(file, **values)  # type: ignore[arg-type]


def _load_npz(path: Path | str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read arrays [N,*shape] by name; shape, type and size are checked before any is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            for key, shape in shapes.items():
                _check_header(archive, key, shape, path)
        with np.load(path, allow_pickle=False) as file:
            return {key: _to_tensor(file[key], f"{path}: `{key}`") for key in shapes}
    except FileNotFoundError as error:
        raise LatentError(f"{path}: no such file") from error
    except LatentError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for damaged files
        raise LatentError(f"{path}: not a readable .npz of plain arrays ({error})") from error


def _check_header(
    archive: zipfile.ZipFile, key: str, shape: tuple[int, ...], path: Path | str
) -> None:
    names, where = archive.namelist(), f"{path}: `{key}`"
    if f"{key}.npy" not in names:
        found = ", ".join(name.removesuffix(".npy") for name in names) or "nothing"
        raise LatentError(f"{path}: no array `{key}` inside, only {found}")
    with archive.open(f"{key}.npy") as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            have, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            have, _, dtype = np.lib.format.read_array_header_2_0(member)
    if dtype.kind != "f":
        raise LatentError(f"{where} has type {dtype}, expected floats")
    if len(have) != len(shape) + 1 or have[1:] != shape or have[0] < 1:
        wanted = ", ".join(str(size) for size in ("N", *shape))
        raise LatentError(f"{where} has shape {list(have)}, but this generator takes [{wanted}]")
    if math.prod(have) * dtype.itemsize > _MAX_BYTES:
        raise LatentError(f"{where} holds over {_MAX_BYTES:,} bytes; split the file")


def _to_tensor(array: NDArray[np.floating], where: str) -> Tensor:
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise LatentError(f"{where} holds NaN or infinity, or values beyond float32")
    return torch.from_numpy(array)
