"""Pictures as latents with a name: from files, from folders of `latentlab project`, from seeds.

Everything that takes latents takes them from here: a projection's folder, a folder of several, the
.safetensors or .parquet file that holds all of them, or a single .npz file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cli.models import Model
from cli.pictures.choice import distinct
from cli.projecting.files import ALIGNMENT, NOISE, W, projections_in
from cli.projecting.latent_table import is_table, read_latents
from cli.projecting.origin import UNKNOWN, Origin, check_origins, origin_of
from cli.text import plain_text
from latentlab import Generator, LatentError
from latentlab.errors import shown
from latentlab.latents import W_KEY, load_noise, z_from_seeds
from latentlab.numerics import full_precision
from latentlab.tensor_files import Shape, npz_names, read_npz

# Names of results beside the pictures'.
_RESERVED = {"edits.csv", "frames.csv", "manifest.json", "grid", "truncation"}
_TABLES = ("latents.safetensors", "latents.parquet")
_NPZ_BYTES, _TABLE_BYTES = 2**28, 2**31

Shapes = Mapping[str, Sequence[Shape]]  # that each array may have, by its name


@dataclass(frozen=True)
class SavedLatent:
    """A picture as it was saved.

    Attributes:
        name: Good for a file or folder.
        ws: Its latent [1,num_ws,w_dim].
        noise_file: Where its noise maps are; None if it has none of its own.
        row: Which of the maps there.
        file: Where it was read; None if it was not saved.
        origin: The checkpoint that it belongs to, as far as anything says.
        alignment: Where it is said which square of a photo it shows; None if nobody knows.
    """

    name: str
    ws: Tensor
    noise_file: Path | None = None
    row: int = 0
    file: Path | None = None
    origin: Origin = UNKNOWN
    alignment: Path | None = None

    def noise(self, g: Generator) -> list[Tensor] | None:
        """Read its noise maps, one [1,1,h,w] for each layer; None if it has none of its own.

        Raises:
            LatentError: If the file is missing, damaged, or does not fit.
        """
        if self.noise_file is None or not g.synthesis.noise_shapes:
            return None
        maps = load_noise(self.noise_file, g)
        if self.row >= len(maps[0]):
            raise LatentError(
                f"{self.noise_file}: maps for {len(maps[0])} images, but the latent is number "
                f"{self.row + 1}"
            )
        return [level[self.row : self.row + 1].to(g.device) for level in maps]


@dataclass(frozen=True)
class LatentFile:
    """A file of latents, the noise maps beside it, and what its pictures are called after."""

    path: Path
    noise: Path | None
    name: str


@dataclass(frozen=True)
class Rows:
    """The latents of one file.

    Attributes:
        values: [N,D], or one for each layer [N,num_ws,D].
        key: Which array they were: "w" or "z".
        pictures: Their paths; None where the file does not name them.
        origin: The checkpoint that they belong to, as far as anything says.
        flat: Whether they are known to be one w for all layers of each picture [N,w_dim].
    """

    values: NDArray[Any]
    key: str
    pictures: tuple[str, ...] | None
    origin: Origin
    flat: bool = False


def latent_files(path: Path) -> list[LatentFile]:
    """Return the files of latents that a path stands for.

    Raises:
        LatentError: If it is a folder without any.
    """
    if not path.is_dir():
        return [LatentFile(path, None, path.stem)]
    folders = [path] if (path / W).is_file() else projections_in(path)
    if folders:
        names = [folder.resolve().name or "picture" for folder in folders]
        pairs = zip(folders, names, strict=True)
        return [LatentFile(folder / W, folder / NOISE, name) for folder, name in pairs]
    for table in (path / name for name in _TABLES):
        if table.is_file():
            return [LatentFile(table, None, table.stem)]
    raise LatentError(
        f"{path}: holds neither {W} nor NAME/{W} nor {' nor '.join(_TABLES)}, as `latentlab "
        "project` writes"
    )


def has_names(path: Path) -> bool:
    """Whether the latents at a path have names: a row of an .npz file has none."""
    return path.is_dir() or is_table(path)


def read_rows(path: Path, shapes: Shapes, use: str = "", max_bytes: int | None = None) -> Rows:
    """Read a file of latents of any kind.

    Args:
        path: The file.
        shapes: Those that arrays of an .npz may have; the first that is there is read.
        use: What the shapes are needed for, to end the sentence that refuses another.
        max_bytes: Most bytes of one array; default: 256 MiB of an .npz, which may have been packed
            small, and 2 GiB of others.

    Raises:
        LatentError: If it cannot be read, or does not fit.
    """
    if is_table(path):
        table = read_latents(path, max_bytes or _TABLE_BYTES)
        said = Origin.of(table.settings)
        flat = table.w.ndim == 2 and (table.pictures is not None or bool(table.settings))
        origin = said if said.digests else origin_of(path)
        return Rows(table.w, W_KEY, table.pictures, origin, flat)
    names = npz_names(path)
    key = next((key for key in shapes if key in names), None)
    if key is None:
        wanted = " or ".join(f"`{each}`" for each in shapes)
        raise LatentError(f"{path}: no array {wanted} inside, only {shown(names) or 'nothing'}")
    values = read_npz(path, {key: shapes[key]}, use, max_bytes=max_bytes or _NPZ_BYTES)[key]
    return Rows(values, key, None, origin_of(path))


def read_saved(
    paths: Sequence[Path],
    model: Model,
    noise_file: Path | None = None,
    any_checkpoint: bool = False,
) -> list[SavedLatent]:
    """Read pictures in the given order, each with a unique name that is good for files.

    A folder that project wrote gives its picture, or those of its folders by name, with their
    noise maps. A file gives its rows, with the maps of ``noise_file``, or without.

    Args:
        paths: Files and folders.
        model: What they are to be used with.
        noise_file: Noise maps of a file.
        any_checkpoint: Whether those of another checkpoint are taken all the same.

    Raises:
        LatentError: If something is missing, damaged, does not fit the generator, or belongs to
            another checkpoint.
    """
    found: list[SavedLatent] = []
    for path in paths:
        if path.is_dir() and noise_file is not None:
            raise LatentError(f"{path}: a folder brings its own noise maps; leave --noise out")
        for file in latent_files(path):
            found += _saved(file, file.noise or noise_file, model.g)
    origins = {latent.file: latent.origin for latent in found if latent.file is not None}
    if noise_file is not None:
        origins[noise_file] = origin_of(noise_file)
    check_origins(origins, model, any_checkpoint)
    names = distinct([latent.name for latent in found], _RESERVED)
    return [replace(latent, name=name) for latent, name in zip(found, names, strict=True)]


def origins_of(latents: Sequence[SavedLatent]) -> dict[Path, Origin]:
    """Return what is said of each file that latents were read from."""
    return {latent.file: latent.origin for latent in latents if latent.file is not None}


@torch.no_grad()
@full_precision()
def latents_of_seeds(
    g: Generator,
    seeds: Sequence[int],
    c: Tensor | None,
    truncation: tuple[float, int | None] = (1.0, None),
) -> list[SavedLatent]:
    """Map seeds to latents one by one, so that the others never change one; "seed0005"."""
    rows = [(seed, z_from_seeds([seed], g.z_dim).to(g.device)) for seed in seeds]
    return [SavedLatent(f"seed{seed:04d}", g.mapping(z, c, *truncation).cpu()) for seed, z in rows]


def ws_of(path: Path, g: Generator) -> tuple[Tensor, Rows]:
    """Read latents [N,num_ws,w_dim] for a generator, float32, and what the file says of them.

    Raises:
        LatentError: If they cannot be read, or are not for this generator.
    """
    use, size = " for this generator", (g.num_ws, g.w_dim)
    rows = read_rows(path, {W_KEY: [("N", *size)]}, use)
    with np.errstate(over="ignore"):
        ws = torch.from_numpy(rows.values.astype(np.float32))
    if not bool(torch.isfinite(ws).all()):
        raise LatentError(f"{path}: `{W_KEY}` holds NaN or infinity, or values beyond float32")
    if rows.flat and ws.shape[1:] == size[1:]:
        ws = ws[:, None].repeat(1, g.num_ws, 1)
    if ws.shape[1:] != size:
        either = f"[N, {size[0]}, {size[1]}], or [N, {size[1]}] of space w"
        raise LatentError(f"{path}: `{W_KEY}` has shape {list(ws.shape)}, expected {either}{use}")
    return ws, rows


def _saved(file: LatentFile, noise: Path | None, g: Generator) -> list[SavedLatent]:
    ws, rows = ws_of(file.path, g)
    if rows.pictures is not None:
        names = [_plain(PurePath(picture).stem) for picture in rows.pictures]
    else:
        stem = _plain(file.name)
        names = [stem] if len(ws) == 1 else [f"{stem}-{i:02d}" for i in range(len(ws))]
    alignment = file.path.with_name(ALIGNMENT)
    known = alignment if len(ws) == 1 and alignment.is_file() else None
    return [
        SavedLatent(names[i], one, noise, i, file.path, rows.origin, known)
        for i, one in enumerate(ws.split(1))
    ]


def _plain(name: str) -> str:
    return plain_text(name if name.strip(". ") else "picture")
