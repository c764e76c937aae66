"""Latents of many pictures in one file: written for other tools, and read from them."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cli.projecting.files import Z
from cli.text import plain_text
from latentlab import CheckpointError, LatentError
from latentlab.errors import quoted, reason, shown
from latentlab.files import atomic_write
from latentlab.foreign_files.json_texts import parse_json
from latentlab.foreign_files.opening import open_regular
from latentlab.latents import W_KEY, Z_KEY
from latentlab.tensor_files import Shape, read_npz, read_safetensors, write_safetensors

_FORMAT = "latents 1"
_KEY = "latentlab"  # of the metadata
_PICTURE = "picture"  # a column
_ROW_GROUP = 1000
_SAVED: Mapping[str, Sequence[Shape]] = {
    Z_KEY: [("N", "z_dim")],
    W_KEY: [("N", "num_ws", "w_dim")],
}  # shapes
_LONGEST = 2**15  # bytes of a picture's path
_PARQUET = b"PAR1"  # how a file of it begins

# Latents, the paths of their pictures, and what the file says of them.
_Read = tuple[NDArray[np.float32], tuple[str, ...] | None, dict[str, Any]]


@dataclass(frozen=True)
class LatentTable:
    """Latents out of one file.

    Attributes:
        w: One for each picture [N,w_dim], or one for each of its layers [N,num_ws,w_dim].
        pictures: Their paths; None where the file does not name them.
        settings: Of the projection; empty where the file says nothing.
    """

    w: NDArray[np.float32]
    pictures: tuple[str, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def is_table(path: Path) -> bool:
    """Whether a file is safetensors or Parquet, by its first bytes."""
    try:
        with open_regular(path) as file:
            start = file.read(9)
    except OSError:
        return False
    return start.startswith(_PARQUET) or start[8:9] == b"{"


def read_latents(path: Path, max_bytes: int) -> LatentTable:
    """Read a file that ``write_latents`` wrote, or one like it: an array or a column ``w``.

    Args:
        path: The file.
        max_bytes: Most bytes of all latents in float32.

    Raises:
        LatentError: If it is damaged, holds something else, or is too large.
    """
    with open_regular(path) as file:
        parquet = file.read(4) == _PARQUET
    w, pictures, about = (_read_parquet if parquet else _read_safetensors)(path, max_bytes)
    if not np.isfinite(w).all():
        raise LatentError(f"{path}: `{W_KEY}` holds NaN or infinity, or values beyond float32")
    if pictures is not None and len(pictures) != len(w):
        raise LatentError(f"{path}: names {len(pictures)} pictures, but has {len(w)} latents")
    settings = about.get("settings")
    return LatentTable(w, pictures, settings if isinstance(settings, dict) else {})


def write_latents(path: Path, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
    """Collect the latents of projected pictures, whole or not at all.

    ``.safetensors`` has an array ``w`` and, in its metadata's ``latentlab`` (JSON), the list of
    ``pictures``; ``.parquet`` has one row for each picture, with columns ``picture`` and ``w``,
    flattened. In spaces "w" and "z" a picture has one w [w_dim], in "w+" one for each layer
    [num_ws,w_dim]. Generators without W have z [z_dim] under the name ``z`` in its place.

    Args:
        path: The file to write.
        files: The ``projected_w.npz`` or, without W, ``projected_z.npz`` of each picture, by its
            path.
        facts: The settings of the projection; they include ``space``.
    """
    pictures = [plain_text(picture) for picture in files]
    key = Z_KEY if all(file.name == Z for file in files.values()) else W_KEY
    rows = _rows(files.values(), key, facts["space"])
    write_table(path, pictures, rows, facts, path.suffix.removeprefix("."), key)


def write_table(
    path: Path,
    pictures: Sequence[str],
    rows: Iterator[NDArray[np.float32]],
    facts: Mapping[str, Any],
    kind: str,
    key: str = W_KEY,
) -> None:
    """Write latents with names as ``write_latents`` does.

    Args:
        path: The file to write.
        pictures: The names.
        rows: For each of them [w_dim] or [num_ws,w_dim].
        facts: What is known of their projection.
        kind: "safetensors" or "parquet".
        key: What they are: "w" or "z".
    """
    about = {"format": _FORMAT, "settings": dict(facts)}
    if kind == "parquet":
        with atomic_write(path) as temporary:
            _write_parquet(temporary, list(pictures), rows, about, key)
    else:
        import torch  # not for the sake of a usage error

        latents = torch.from_numpy(np.stack(list(rows)))
        told = json.dumps({**about, "pictures": list(pictures)})
        write_safetensors({key: latents}, path, {_KEY: told})


def _rows(files: Iterable[Path], key: str, space: str) -> Iterator[NDArray[np.float32]]:
    for file in files:
        latents = read_npz(file, {key: _SAVED[key]})[key][0]
        yield latents[0] if key == W_KEY and space != "w+" else latents


def _write_parquet(
    path: Path,
    pictures: list[str],
    rows: Iterator[NDArray[np.float32]],
    about: dict[str, Any],
    key: str,
) -> None:
    """Write in groups of rows, so that the latents are never in memory all at once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(rows)
    kind = pa.list_(pa.float32(), first.size)
    metadata = {_KEY: json.dumps({**about, "w_shape": list(first.shape)})}
    schema = pa.schema([(_PICTURE, pa.string()), (key, kind)], metadata)
    with pq.ParquetWriter(path, schema) as writer:
        group = [first]
        for start in range(0, len(pictures), _ROW_GROUP):
            names = pictures[start : start + _ROW_GROUP]
            group += [next(rows) for _ in range(len(names) - len(group))]
            flat = np.concatenate([row.ravel() for row in group])
            latents = pa.FixedSizeListArray.from_arrays(flat, type=kind)
            writer.write_table(pa.table([pa.array(names), latents], schema=schema))
            group = []


def _about(text: str | bytes | None, path: Path) -> dict[str, Any]:
    """Return what the metadata of a file says; nothing if it has none of ours."""
    try:
        about = parse_json(text or "{}")
    except ValueError as error:
        raise LatentError(f"{path}: the header is not valid JSON ({error})") from error
    if not isinstance(about, dict):
        raise LatentError(f"{path}: the header must hold a JSON object")
    return about


def _read_safetensors(path: Path, max_bytes: int) -> _Read:
    def check(shapes: dict[str, list[int]]) -> None:
        shape = shapes.get(W_KEY)
        if shape is None:
            found = shown(list(shapes)) or "nothing"
            raise CheckpointError(f"{path}: no array `{W_KEY}` inside, only {found}")
        if len(shape) not in (2, 3) or not math.prod(shape):
            wanted = "floats [N, w_dim] or [N, num_ws, w_dim]"
            raise CheckpointError(f"{path}: `{W_KEY}` has shape {shape}, expected {wanted}")
        _refuse_large(math.prod(shape), max_bytes, path)

    try:
        header, tensors = read_safetensors(path, check)
    except CheckpointError as error:
        raise LatentError(str(error)) from error
    if not tensors[W_KEY].is_floating_point():
        raise LatentError(f"{path}: `{W_KEY}` has type {tensors[W_KEY].dtype}, expected floats")
    about = _about(header.get(_KEY), path)
    pictures = about.get("pictures")
    if pictures is not None and not isinstance(pictures, list):
        raise LatentError(f"{path}: the names of its pictures are no list")
    w = tensors[W_KEY].float().numpy()
    return w, None if pictures is None else tuple(map(str, pictures)), about


def _refuse_large(numbers: int, max_bytes: int, path: Path) -> None:
    if numbers * 4 > max_bytes:
        raise LatentError(f"{path}: `{W_KEY}` holds over {max_bytes:,} bytes; split the file")


def _read_parquet(path: Path, max_bytes: int) -> _Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [each.name for each in file.schema_arrow if pa.types.is_string(each.type)]
        # Texts once each: a few bytes in a file may stand for many.
        once = [_PICTURE] if _PICTURE in names else []
        with pq.ParquetFile(path, read_dictionary=once) as file:
            return _of_parquet(file, path, max_bytes)
    except LatentError:
        raise
    except Exception as error:  # pyarrow raises a dozen kinds for damaged files
        raise LatentError(f"{path}: not a readable Parquet file ({reason(error)})") from error


def _of_parquet(file: Any, path: Path, max_bytes: int) -> _Read:
    """Read the columns that count; sizes are compared before any row is read."""
    import pyarrow as pa

    schema = file.schema_arrow
    kind = schema.field(W_KEY).type if W_KEY in schema.names else None
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if kind is None or not any(each(kind) for each in lists):
        found = shown(schema.names) or "nothing"
        raise LatentError(f"{path}: no column `{W_KEY}` of lists inside, only {found}")
    if not pa.types.is_floating(kind.value_type):
        raise LatentError(f"{path}: `{W_KEY}` has lists of {kind.value_type}, expected floats")
    groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    numbers = sum(c.num_values for c in columns if c.path_in_schema.split(".")[0] == W_KEY)
    _refuse_large(numbers, max_bytes, path)
    named = _PICTURE in schema.names
    table = file.read(columns=[W_KEY, *([_PICTURE] if named else [])], use_threads=False)
    about = _about((schema.metadata or {}).get(_KEY.encode()), path)
    w = _rows_of(table[W_KEY].combine_chunks(), about.get("w_shape"), path)
    return w, _names_of(table[_PICTURE], path) if named else None, about


def _names_of(column: Any, path: Path) -> tuple[str, ...]:
    """Return the texts of a column, none of them very long."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
        if (pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0) > _LONGEST:
            raise LatentError(f"{path}: `{_PICTURE}` has names of over {_LONGEST:,} bytes")
    return tuple(map(str, column.to_pylist()))


def _rows_of(column: Any, shape: Any, path: Path) -> NDArray[np.float32]:
    """Return a column of lists of one length as an array of the shape that the file says."""
    import pyarrow.compute as pc

    lengths = np.unique(pc.list_value_length(column).to_numpy(zero_copy_only=False))
    values = column.flatten()
    if len(lengths) != 1 or column.null_count or values.null_count or not lengths[0] > 0:
        raise LatentError(f"{path}: `{W_KEY}` has lists of different lengths, or empty cells")
    with np.errstate(over="ignore"):
        w = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float32)
    rows = w.reshape(len(column), -1)
    if shape is None:
        return rows
    fits = isinstance(shape, list) and len(shape) in (1, 2) and all(type(n) is int for n in shape)
    if not fits or min(shape) < 1 or math.prod(shape) != rows.shape[1]:
        raise LatentError(f"{path}: w_shape {quoted(shape)} is not that of {rows.shape[1]} numbers")
    return rows.reshape(len(rows), *shape)
