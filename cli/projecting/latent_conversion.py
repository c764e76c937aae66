"""Latents of one kind written as another, with all that the other can hold."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cli.pictures.choice import distinct
from cli.projecting.latent_rows import Noise, Rows, read_rows
from cli.projecting.latent_table import write_table
from cli.projecting.saved_latents import latent_files
from cli.text import counted, plain_text, say
from latentlab import LatentError
from latentlab.files import atomic_write, make_directory
from latentlab.latents import W_KEY
from latentlab.tensor_files import npz_names, read_npz, write_npz

_MAP_SHAPES = (("N", 1, "height", "width"),)
_MOST_LAYERS = 64  # more rows are no layers
_NAMED, _NOISY = {"rosinality", "safetensors", "parquet"}, {"rosinality"}


@dataclass(frozen=True)
class Collected:
    """Latents to write.

    Attributes:
        ws: One for each layer of each picture [N,num_ws,D], or one for all of them [N,1,D].
        names: Of the pictures.
        named: Whether these are their own, and not made of the file's.
        noise: The maps of each picture; none where there are none.
        settings: What is known of their projection.
    """

    ws: NDArray[np.float32]
    names: Sequence[str]
    named: bool
    noise: Sequence[Noise]
    settings: Mapping[str, Any]


def collected(path: Path, num_ws: int | None) -> Collected:
    """Read latents of a file or folder.

    Args:
        path: The file or folder.
        num_ws: Layers over which one w is spread; None leaves it alone.

    Raises:
        LatentError: If they cannot be read, or have another number of layers.
    """
    parts, names, noise, named = list[Rows](), list[str](), list[Noise](), True
    for file in latent_files(path):
        rows = read_rows(file.path, None if num_ws is None else (num_ws, None))
        _check_layers(rows, file.path)
        parts.append(rows)
        count = len(rows.values)
        many = [f"{file.name}-{i:02d}" for i in range(count)]
        names += rows.pictures or ([file.name] if count == 1 else many)
        named = named and (rows.pictures is not None or file.noise is not None)
        noise += rows.noise or _maps_in(file.noise, count)
    shapes = {part.values.shape[1:] for part in parts}
    if len(shapes) > 1 and num_ws is None:
        raise LatentError(f"{path}: latents of different shapes", advice=["give `num_ws`"])
    layers = num_ws or parts[0].values.shape[1]
    try:
        values = [part.values.repeat(layers // part.values.shape[1], axis=1) for part in parts]
        with np.errstate(over="ignore"):
            ws = np.concatenate(values).astype(np.float32)
    except ValueError as error:
        raise LatentError(f"{path}: latents of different lengths") from error
    if not np.isfinite(ws).all():
        raise LatentError(f"{path}: latents hold values beyond float32")
    return Collected(ws, distinct(names, ()), named, noise, _settings(parts, layers))


def write(found: Collected, out: Path, kind: str) -> None:
    """Write latents, whole or not at all, and say what was left out.

    Args:
        found: The latents.
        out: The file.
        kind: One of ``LATENT_KINDS``.

    Raises:
        OutputError: If it cannot be written.
    """
    make_directory(out.parent)
    ws = torch.from_numpy(found.ws)
    if kind == "npz":
        write_npz(out, {W_KEY: ws})
    elif kind in ("safetensors", "parquet"):
        single = found.ws.shape[1] == 1
        rows = iter(row[0] if single else row for row in found.ws)
        write_table(out, [plain_text(name) for name in found.names], rows, found.settings, kind)
    else:
        with atomic_write(out) as temporary, temporary.open("wb") as file:
            if kind == "npy":
                np.save(file, found.ws)
            else:
                _save(_as_projections(found) if kind == "rosinality" else ws, file)
    _, layers, w_dim = found.ws.shape
    each = f"{layers} layers of {w_dim}" if layers > 1 else f"one w of {w_dim}"
    say(f"Saved {out}: {counted(len(ws), 'picture')}, {each}")
    _say_left_out(found, kind)


def _say_left_out(found: Collected, kind: str) -> None:
    lost = []
    if found.named and kind not in _NAMED:
        lost.append("the names of the pictures")
    if any(found.noise) and kind not in _NOISY:
        lost.append("their noise maps")
    if lost:
        say(f"Left out: {' and '.join(lost)}, which {kind} does not hold.")
    if found.ws.shape[1] == 1 and kind in ("npy", "npz", "pt"):
        say("--num-ws spreads the w over a generator's layers, as other scripts may need it.")


def _save(content: object, file: Any) -> None:
    """Write by torch.save into memory first: its own errors are not those of a full disk."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    file.write(buffer.getvalue())


def _as_projections(found: Collected) -> dict[str, dict[str, Any]]:
    """Return what rosinality's projector saves, without the pictures themselves."""
    projections: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(found.names):
        rows = torch.from_numpy(found.ws[i].copy())
        projections[name] = {"latent": rows[0] if len(rows) == 1 else rows}
        if found.noise and found.noise[i]:
            projections[name]["noise"] = [level.clone() for level in found.noise[i]]
    return projections


def _check_layers(rows: Rows, path: Path) -> None:
    layers = rows.values.shape[1]
    if layers > _MOST_LAYERS:
        raise LatentError(
            f"{path}: {layers} rows are more than a generator has layers; save one w of each "
            f"picture as [{layers}, 1, {rows.values.shape[2]}]"
        )


def _maps_in(file: Path | None, count: int) -> list[Noise]:
    """Return the noise maps in a projection's folder, for each of its latents."""
    if file is None or not file.is_file():
        return [()] * count
    names = npz_names(file)
    found = read_npz(file, dict.fromkeys(names, _MAP_SHAPES), dtype=np.float32)
    maps = [torch.from_numpy(found[f"noise_{i}"]) for i in range(len(names))
            if f"noise_{i}" in found]  # fmt: skip
    if any(len(level) != count for level in maps):
        raise LatentError(f"{file}: maps for another number of pictures than {count}")
    return [_of_picture(maps, i) for i in range(count)]


def _of_picture(maps: Sequence[Tensor], number: int) -> Noise:
    return tuple(level[number : number + 1] for level in maps)


def _settings(parts: Sequence[Rows], layers: int) -> dict[str, Any]:
    """Return what all files say alike of their projection: its settings, or its checkpoint."""
    space = {"space": "w" if layers == 1 else "w+"}
    said = [part.settings for part in parts]
    if len(parts) == 1 and said[0] is not None:
        return {**said[0], **space}
    origins = {part.origin for part in parts}
    origin = next(iter(origins))
    if len(origins) > 1 or not origin.digests:
        return space
    digests = dict(zip(("sha256", "converted_from"), sorted(origin.digests), strict=False))
    return {**digests, "checkpoint": origin.checkpoint, **space}
