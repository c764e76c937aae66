"""Saved latents from which projections go on."""

from pathlib import Path

from cli.projection_files import FILES
from latentlab import Generator, ImageError, LatentError
from latentlab.latents import load_noise, load_ws
from latentlab.projection_start import ProjectionStart

_W, _NOISE = FILES[:2]


class SavedStarts:
    """The latents of a folder that ``latentlab project`` wrote, or of a file."""

    def __init__(self, path: Path, g: Generator) -> None:
        """Look at the path; nothing is read before it is needed."""
        self._path, self._g = path, g
        if not path.exists():
            raise LatentError(f"{path}: no such file or folder; give saved latents to start from")

    def of(self, name: str) -> ProjectionStart:
        """Return the latents of a picture, with their noise maps where they are saved beside.

        Args:
            name: Of the picture's folder.

        Raises:
            ImageError: If there are none that it could start from.
        """
        file = self._path
        if file.is_dir():
            places = [file / _W, file / name / _W]
            file = next((place for place in places if place.is_file()), places[-1])
        noise = file.with_name(_NOISE)
        has_noise = noise.is_file() and bool(self._g.synthesis.noise_shapes)
        try:
            ws = load_ws(file, self._g)
            maps = load_noise(noise, self._g) if has_noise else None
            if len(ws) != 1 or (maps and len(maps[0]) != 1):
                raise LatentError(f"{file}: holds {len(ws)} latents; a start is a single one")
        except LatentError as error:
            raise ImageError(f"no start for {name}: {error}") from error
        return ProjectionStart(ws, maps)


def together(starts: list[ProjectionStart]) -> ProjectionStart:
    """Return the starts of several pictures as one."""
    import torch

    noise = None
    if all(start.noise is not None for start in starts):
        levels = zip(*(start.noise or () for start in starts), strict=True)
        noise = [torch.cat(level) for level in levels]
    return ProjectionStart(torch.cat([start.ws for start in starts]), noise)
