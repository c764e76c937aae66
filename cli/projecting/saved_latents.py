"""Pictures as latents with a name: from files, from folders of `latentlab project`, from seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cli.pictures.choice import distinct
from cli.projecting.files import ALIGNMENT, FILES, projections_in
from cli.text import plain_text
from latentlab import Generator, ImageError, LatentError
from latentlab.latents import load_noise, load_ws, z_from_seeds
from latentlab.numerics import full_precision
from latentlab.projection.start import ProjectionStart

_RESERVED = {"edits.csv", "frames.csv", "manifest.json"}  # names of results beside the pictures'
_W, _NOISE = FILES[:2]


@dataclass(frozen=True)
class SavedLatent:
    """A picture as it was saved.

    Attributes:
        name: Good for a file or folder.
        ws: Its latent [1,num_ws,w_dim].
        noise_file: Where its noise maps are; None if it has none of its own.
        row: Which of the maps there.
        alignment: Where it is said which square of a photo it shows; None if nobody knows.
    """

    name: str
    ws: Tensor
    noise_file: Path | None = None
    row: int = 0
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


def read_saved(
    paths: Sequence[Path], g: Generator, noise_file: Path | None = None
) -> list[SavedLatent]:
    """Read pictures in the given order, each with a unique name that is good for files.

    A folder that project wrote gives its picture, or those of its folders by name, with their
    noise maps. A file gives its rows, with the maps of ``noise_file``, or without.

    Raises:
        LatentError: If something is missing, damaged, or does not fit the generator.
    """
    found: list[SavedLatent] = []
    for path in paths:
        if not path.is_dir():
            found += _of_file(path, noise_file, path.stem, g)
            continue
        if noise_file is not None:
            raise LatentError(f"{path}: a folder brings its own noise maps; leave --noise out")
        folders = [path] if (path / _W).is_file() else projections_in(path)
        if not folders:
            raise LatentError(
                f"{path}: holds neither {_W} nor NAME/{_W}, as `latentlab project` writes"
            )
        for folder in folders:
            name = folder.resolve().name or "picture"
            found += _of_file(folder / _W, folder / _NOISE, name, g)
    names = distinct([latent.name for latent in found], _RESERVED)
    return [replace(latent, name=name) for latent, name in zip(found, names, strict=True)]


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


def _of_file(path: Path, noise_file: Path | None, name: str, g: Generator) -> list[SavedLatent]:
    rows = load_ws(path, g).split(1)
    stem = plain_text(name if name.strip(". ") else "picture")
    names = [stem] if len(rows) == 1 else [f"{stem}-{i:02d}" for i in range(len(rows))]
    alignment = path.with_name(ALIGNMENT) if len(rows) == 1 else None
    alignment = alignment if alignment and alignment.is_file() else None
    return [SavedLatent(names[i], ws, noise_file, i, alignment) for i, ws in enumerate(rows)]


def saved_start(file: Path, name: str, g: Generator) -> ProjectionStart:
    """Return where a picture starts, with noise maps where those are saved beside the latents.

    Args:
        file: Of latents, or a folder that ``latentlab project`` wrote.
        name: Of the picture's folder.
        g: The generator.

    Raises:
        ImageError: If there are none that it could start from.
    """
    if file.is_dir():
        places = [file / _W, file / name / _W]
        file = next((place for place in places if place.is_file()), places[-1])
    noise = file.with_name(_NOISE)
    has_noise = noise.is_file() and bool(g.synthesis.noise_shapes)
    try:
        ws = load_ws(file, g)
        maps = load_noise(noise, g) if has_noise else None
        if len(ws) != 1 or (maps and len(maps[0]) != 1):
            raise LatentError(f"{file}: holds {len(ws)} latents; a start is a single one")
    except LatentError as error:
        raise ImageError(f"no start for {name}: {error.message}", advice=error.advice) from error
    return ProjectionStart(ws, maps)


def together(starts: list[ProjectionStart]) -> ProjectionStart:
    """Return the starts of several pictures as one."""
    maps = [start.noise for start in starts if start.noise is not None]
    noise = [torch.cat(level) for level in zip(*maps, strict=True)]
    ws = torch.cat([start.ws for start in starts])
    return ProjectionStart(ws, noise if len(maps) == len(starts) else None)
