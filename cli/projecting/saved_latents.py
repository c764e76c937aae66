"""Pictures as latents with a name: from files, from folders of `latentlab project`, from seeds.

Everything that takes latents takes them from here: a projection's folder, a folder of several, the
.safetensors or .parquet file that holds all of them, or a file that another tool wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import torch
from torch import Tensor

from cli.models import Model
from cli.pictures.choice import distinct
from cli.projecting.files import ALIGNMENT, NOISE, W, Z, latents_in, projections_in
from cli.projecting.latent_rows import Noise, noise_for, ws_of
from cli.projecting.origin import UNKNOWN, Origin, check_origins, origin_of
from cli.text import plain_text
from latentlab import Generator, LatentError
from latentlab.latents import load_noise, z_from_seeds
from latentlab.numerics import full_precision

# Names of results beside the pictures'.
_RESERVED = {"edits.csv", "frames.csv", "manifest.json", "grid", "truncation"}
_LONGEST = 100  # characters of a name, which ends up in those of files
_TABLES = ("latents.safetensors", "latents.parquet")


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
        maps: Its noise maps, where the file of the latent has them.
        named: Whether the name is a picture's, and not made of its number in a file.
    """

    name: str
    ws: Tensor
    noise_file: Path | None = None
    row: int = 0
    file: Path | None = None
    origin: Origin = UNKNOWN
    alignment: Path | None = None
    maps: Noise = ()
    named: bool = True

    def noise(self, g: Generator) -> list[Tensor] | None:
        """Read its noise maps, one [1,1,h,w] for each layer; None if it has none of its own.

        Raises:
            LatentError: If the file is missing, damaged, or does not fit.
        """
        if self.maps and self.noise_file is None:
            return noise_for(g, self.maps, str(self.file))
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


def latent_files(path: Path) -> list[LatentFile]:
    """Return the files of latents that a path stands for.

    Raises:
        LatentError: If it is a folder without any.
    """
    if not path.is_dir():
        return [LatentFile(path, None, path.stem)]
    folders = (
        [path] if latents_in(path).is_file() else projections_in(path) or projections_in(path, Z)
    )
    if folders:
        names = [folder.resolve().name or "picture" for folder in folders]
        pairs = zip(folders, names, strict=True)
        return [LatentFile(latents_in(folder), folder / NOISE, name) for folder, name in pairs]
    for table in (path / name for name in _TABLES):
        if table.is_file():
            return [LatentFile(table, None, table.stem)]
    raise LatentError(
        f"{path}: holds neither {W} nor NAME/{W} nor {' nor '.join(_TABLES)}, as `latentlab "
        "project` writes"
    )


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


def _saved(file: LatentFile, noise: Path | None, g: Generator) -> list[SavedLatent]:
    ws, rows = ws_of(file.path, g)
    named = rows.pictures is not None or file.noise is not None
    if rows.pictures is not None:
        names = [_plain(PurePath(picture).stem) for picture in rows.pictures]
    else:
        stem = _plain(file.name)
        names = [stem] if len(ws) == 1 else [f"{stem}-{i:02d}" for i in range(len(ws))]
    alignment = file.path.with_name(ALIGNMENT)
    known = alignment if len(ws) == 1 and alignment.is_file() else None
    maps = rows.noise or [()] * len(ws)
    return [
        SavedLatent(names[i], one, noise, i, file.path, rows.origin, known, maps[i], named)
        for i, one in enumerate(ws.split(1))
    ]


def _plain(name: str) -> str:
    return plain_text(name if name.strip(". ") else "picture")[:_LONGEST]
