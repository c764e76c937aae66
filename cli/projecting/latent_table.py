"""Latents of many pictures in one file, for other tools."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cli.text import plain_text
from latentlab.files import atomic_write
from latentlab.latents import W_KEY

_FORMAT = "latents 1"
_KEY = "latentlab"  # of the metadata
_ROW_GROUP = 1000


def write_latents(path: Path, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
    """Collect the latents of projected pictures, whole or not at all.

    ``.safetensors`` has an array ``w`` and, in its metadata's ``latentlab`` (JSON), the list of
    ``pictures``; ``.parquet`` has one row for each picture, with columns ``picture`` and ``w``,
    flattened. In space "w" a picture has one w [w_dim], in "w+" one for each layer [num_ws,w_dim].

    Args:
        path: The file to write.
        files: The ``projected_w.npz`` of each picture, by its path.
        facts: The settings of the projection; they include ``space``.
    """
    pictures = [plain_text(picture) for picture in files]
    rows = _rows(files.values(), facts["space"])
    about = {"format": _FORMAT, "settings": dict(facts)}
    with atomic_write(path) as temporary:
        if path.suffix == ".parquet":
            _write_parquet(temporary, pictures, rows, about)
        else:
            w = np.stack(list(rows))
            # One key: safetensors writes several in an order that changes.
            save_file({W_KEY: w}, temporary, {_KEY: json.dumps({**about, "pictures": pictures})})


def _rows(files: Any, space: str) -> Iterator[NDArray[np.float32]]:
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            ws = arrays[W_KEY][0]
        yield ws if space == "w+" else ws[0]


def _write_parquet(
    path: Path, pictures: list[str], rows: Iterator[NDArray[np.float32]], about: dict[str, Any]
) -> None:
    """Write in groups of rows, so that the latents are never in memory all at once."""
    first = next(rows)
    w_type = pa.list_(pa.float32(), first.size)
    metadata = {_KEY: json.dumps({**about, "w_shape": list(first.shape)})}
    schema = pa.schema([("picture", pa.string()), (W_KEY, w_type)], metadata)
    with pq.ParquetWriter(path, schema) as writer:
        group = [first]
        for start in range(0, len(pictures), _ROW_GROUP):
            names = pictures[start : start + _ROW_GROUP]
            group += [next(rows) for _ in range(len(names) - len(group))]
            w = pa.FixedSizeListArray.from_arrays(np.concatenate([r.ravel() for r in group]),
                                                  type=w_type)  # fmt: skip
            writer.write_table(pa.table([pa.array(names), w], schema=schema))
            group = []
