"""The one reader of latents for all commands: rows of a file, of whatever kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cli.projecting.latent_table import is_table, read_latents
from cli.projecting.origin import UNKNOWN, Origin, origin_of
from latentlab import Generator, LatentError
from latentlab.errors import quoted
from latentlab.latent_files import FoundLatents, Part, arranged, arranged_shape, read_latent_file
from latentlab.latent_files.found import EITHER, W_KEYS, shape_error
from latentlab.latents import W_KEY, Z_KEY
from latentlab.tensor_files import MAX_BYTES

_TABLE_BYTES = 2**31

Size = tuple[int, int | None] | None
Noise = tuple[Tensor, ...]  # maps of one picture, one for each layer from the first


@dataclass(frozen=True)
class Rows:
    """The latents of one file.

    Attributes:
        values: One for each layer of each picture [N,num_ws,D], or one for all of them [N,1,D].
        key: Which array they were: "w" or "z".
        pictures: Their paths; None where the file does not name them.
        origin: The checkpoint that they belong to, as far as anything says.
        noise: The maps of each; empty where the file has none.
        settings: Of their projection; None where the file says nothing.
    """

    values: NDArray[Any]
    key: str = W_KEY
    pictures: tuple[str, ...] | None = None
    origin: Origin = UNKNOWN
    noise: Sequence[Noise] = ()
    settings: dict[str, Any] | None = None


def read_rows(
    path: Path,
    size: Size = None,
    keys: Sequence[str] = W_KEYS,
    max_bytes: int | None = None,
    rows_are_pictures: bool = False,
) -> Rows:
    """Read a file of latents of any kind.

    Args:
        path: The file.
        size: Layers of the generator and length of its w, as far as they are known.
        keys: Names that an array of latents may have, the likeliest first.
        max_bytes: Most bytes of one array; default: 256 MiB of a file that may have been packed
            small, and 2 GiB of tables.
        rows_are_pictures: Whether an array [N,D] is one w of each of N pictures, where the file
            does not say it; otherwise it is the layers of one.

    Raises:
        LatentError: If it cannot be read, or does not fit.
    """
    if is_table(path):
        return _of_table(path, size, max_bytes, rows_are_pictures)
    num_ws, w_dim = size or (None, None)

    def check(called: str, shape: Sequence[int]) -> None:
        if arranged_shape(tuple(shape), num_ws, w_dim, rows_are_pictures) is None:
            raise shape_error(called, shape, num_ws, w_dim)

    any_name, most = Z_KEY not in keys, max_bytes or MAX_BYTES
    found = read_latent_file(path, keys, most, any_name, check)
    parts = [_rows_of(part, found.key, size, rows_are_pictures, path) for part in found.parts]
    counts = [len(part) for part in parts]
    pictures, noise = _names(found, counts), _noise(found, counts, path)
    key = W_KEY if found.key in EITHER else found.key
    return Rows(_together(parts, found.key, num_ws, path), key, pictures, origin_of(path), noise)


def _together(
    parts: Sequence[NDArray[Any]], key: str, num_ws: int | None, path: Path
) -> NDArray[Any]:
    """Put the latents of a file together, one w being spread where others have layers."""
    if len({part.shape[1:] for part in parts}) > 1 and num_ws is not None:
        parts = [each.repeat(num_ws // each.shape[1], axis=1) for each in parts]
    if len({part.shape[1:] for part in parts}) > 1:
        raise LatentError(f"{path}: latents of different shapes")
    if key in EITHER and parts[0].shape[1] == 1:
        raise LatentError(
            f"{path}: the array {key} may be z or w, for it has no layers; save it as `{W_KEY}` "
            "if it is w"
        )
    return np.concatenate(parts)


def ws_of(path: Path, g: Generator) -> tuple[Tensor, Rows]:
    """Read latents [N,num_ws,w_dim] for a generator, float32, and what the file says of them.

    One w is spread over the layers. Of a generator without W, the file has z.

    Raises:
        LatentError: If they cannot be read, or are not for this generator.
    """
    if not g.has_w:
        return _without_w(path, g)
    rows = read_rows(path, (g.num_ws, g.w_dim))
    return _finite(rows, path).expand(-1, g.num_ws, -1).contiguous(), rows


def _without_w(path: Path, g: Generator) -> tuple[Tensor, Rows]:
    rows = read_rows(path, None, (Z_KEY, *W_KEYS))
    if rows.key != Z_KEY:
        raise LatentError(f"{path}: holds w, but this generator has no W; give z")
    if rows.values.shape[1:] != (1, g.z_dim):
        raise shape_error(f"{path}: `{Z_KEY}`", rows.values.shape, 1, g.z_dim)
    return g.latents(_finite(rows, path)[:, 0].to(g.device)).cpu(), rows


def _finite(rows: Rows, path: Path) -> Tensor:
    with np.errstate(over="ignore"):
        values = torch.from_numpy(rows.values.astype(np.float32))
    if not bool(torch.isfinite(values).all()):
        raise LatentError(f"{path}: `{rows.key}` holds NaN or infinity, or values beyond float32")
    return values


def noise_for(g: Generator, maps: Noise, where: str) -> list[Tensor]:
    """Return one map [1,1,h,w] for each layer; where there are fewer, the generator's own follow.

    Raises:
        LatentError: If there are more, or they have other shapes.
    """
    layers = g.synthesis.noise_layers
    if len(maps) > len(layers):
        raise LatentError(f"{where}: {len(maps)} noise maps, but this generator has {len(layers)}")
    found = []
    for i, layer in enumerate(layers):
        level = maps[i].to(layer.noise_const) if i < len(maps) else layer.noise_const
        want = layer.noise_const.shape
        if level.shape[-2:] != want or level.numel() != want.numel():
            shape = list(level.shape)
            raise LatentError(
                f"{where}: noise map {i} has shape {shape}, expected [1, 1, {want[0]}, {want[1]}] "
                "for this generator"
            )
        found.append(level.reshape(1, 1, *want))
    return found


def _of_table(path: Path, size: Size, max_bytes: int | None, rows_are_pictures: bool) -> Rows:
    table = read_latents(path, max_bytes or _TABLE_BYTES)
    said = Origin.of(table.settings)
    flat = rows_are_pictures or table.pictures is not None or bool(table.settings)
    values = _rows_of(Part(table.w), W_KEY, size, flat, path)
    origin = said if said.digests else origin_of(path)
    return Rows(values, W_KEY, table.pictures, origin, settings=dict(table.settings) or None)


def _rows_of(part: Part, key: str, size: Size, rows_are_pictures: bool, path: Path) -> NDArray[Any]:
    num_ws, w_dim = size or (None, None)
    values = arranged(part.values, num_ws, w_dim, rows_are_pictures)
    if values is None:
        called = f"`{key}`" if part.picture is None else quoted(part.picture)
        raise shape_error(f"{path}: {called}", part.values.shape, num_ws, w_dim)
    return values


def _names(found: FoundLatents, counts: Sequence[int]) -> tuple[str, ...] | None:
    names: list[str] = []
    for part, count in zip(found.parts, counts, strict=True):
        if part.picture is None:
            return None
        many = [f"{part.picture}-{i:02d}" for i in range(count)]
        names += [part.picture] if count == 1 else many
    return tuple(names)


def _noise(found: FoundLatents, counts: Sequence[int], path: Path) -> Sequence[Noise]:
    if not any(part.noise for part in found.parts):
        return ()
    for part, count in zip(found.parts, counts, strict=True):
        if part.noise and count != 1:
            called = quoted(part.picture or W_KEY)
            raise LatentError(f"{path}: {called} has the noise of one picture, but {count} latents")
    return [part.noise for part in found.parts]
