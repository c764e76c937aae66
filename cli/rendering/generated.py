"""What `latentlab generate` draws: a picture or a strip for each seed or latent, and a sheet."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor

from cli.models import RenderingModel
from cli.rendering.render import render_ws, render_z
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import Generator, LatentError
from latentlab.files import make_directory
from latentlab.images import grid, save_image, save_picture, shrink
from latentlab.latents import load_noise, load_ws, z_from_seeds
from latentlab.networks.synthesis import NoiseMode

_COLUMNS = 8  # of the grid
_MOST = 64  # pictures in the grid, or strips on the sheet

Render = Callable[[], Tensor]  # to an image [C,R,R] on the CPU


def renders_of_seeds(
    model: RenderingModel,
    seeds: Sequence[int],
    psis: Sequence[float],
    noise_mode: NoiseMode | Literal["seed"],
) -> dict[str, list[Render]]:
    """Return by name, "seed0005", one function per psi; all render with the same noise.

    Raises:
        LatentError: If there is no W to truncate in.
    """
    g, c, (_, cutoff) = model.g, model.c, model.truncation
    if any(psi != 1 for psi in psis):
        _ = g.w_mean  # raises where there is no W, before anything is written

    def render(seed: int, psi: float) -> Tensor:
        z = z_from_seeds([seed], g.z_dim)
        return render_z(g, z, c, (psi, cutoff), noise_mode, seed)

    return {f"seed{seed:04d}": [partial(render, seed, psi) for psi in psis] for seed in seeds}


def renders_of_latents(
    g: Generator, path: Path, noise_file: Path | None, noise_mode: NoiseMode
) -> dict[str, list[Render]]:
    """Return by name, "proj00", a function that renders one row of a file with its noise maps."""
    ws = load_ws(path, g)
    maps = None if noise_file is None else load_noise(noise_file, g)
    if maps and len(maps[0]) != len(ws):
        raise LatentError(f"{noise_file}: maps for {len(maps[0])} images, but {len(ws)} latents")

    def render(row: int) -> Tensor:
        noise = None
        if maps is not None:
            noise = [level[row : row + 1].to(g.device) for level in maps]
        return render_ws(g, ws[row : row + 1], noise_mode, noise, row)

    return {f"proj{row:02d}": [partial(render, row)] for row in range(len(ws))}


def planned_files(output: Path, names: list[str], psis: list[float]) -> list[Path]:
    """Return the file of each picture or strip, and that of the sheet, if there is one."""
    if len(psis) == 1:
        return [output / f"{name}.png" for name in [*names, "grid"]]
    files = [output / f"{name}-truncation.png" for name in names]
    return [*files, output / "truncation.png"] if len(files) > 1 else files


def draw(
    pictures: dict[str, list[Render]], seeds: list[int], psis: list[float], files: list[Path]
) -> None:
    """Write the planned files: pictures for a single psi, strips for several."""
    if len(psis) == 1:
        _draw_pictures([render for (render,) in pictures.values()], files)
    else:
        _draw_strips(pictures, seeds, psis, files)


def _draw_pictures(renders: list[Render], files: list[Path]) -> None:
    """Write one picture for each render, and the first of them on a grid."""
    *single, together = files
    make_directory(together.parent)
    small: list[Tensor] = []
    with ProgressBar(len(single), "rendering", unit="picture") as bar:
        for path, render in zip(single, renders, strict=True):
            image = render()
            save_image(path, image)
            if len(small) < _MOST:
                small.append(shrink(image.unsqueeze(0), SCREEN)[0])
            bar.advance()
    save_image(together, grid(small, min(_COLUMNS, len(small))))
    say(f"{counted(len(single), 'picture')} and grid.png in {together.parent}")


def _draw_strips(
    pictures: dict[str, list[Render]], seeds: list[int], psis: list[float], files: list[Path]
) -> None:
    """Write one strip for each seed, in the order of psi, and the first of them on a sheet."""
    above = [f"psi {psi:g}" for psi in psis]
    beside = [f"seed {seed}" for seed in dict.fromkeys(seeds)][:_MOST]
    lines: list[list[Image.Image]] = []
    make_directory(files[0].parent)
    with ProgressBar(len(pictures) * len(psis), "rendering", unit="picture") as bar:
        for path, renders in zip(files, pictures.values(), strict=False):  # the sheet comes last
            strip = []
            for render in renders:
                strip.append(render())
                bar.advance()
            size = tile_size(strip[0].shape[-1], len(strip))
            save_picture(path, sheet([[tile(image, size) for image in strip]], above, [""]))
            if len(lines) < len(beside):
                size = tile_size(strip[0].shape[-1], len(beside) * len(psis), SCREEN)
                lines.append([tile(image, size) for image in strip])
    if len(files) > len(pictures):
        save_picture(files[-1], sheet(lines, above, beside))
    say(f"{counted(len(pictures), 'strip')} in {files[0].parent}")
