"""What `latentlab generate` draws: a picture or a strip for each seed or latent, and a sheet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cli.models import RenderingModel
from cli.options.rendering import RenderingRequest
from cli.projecting.saved_latents import latents_of_seeds, read_saved
from cli.rendering.render import render_ws, render_z
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import LatentError
from latentlab.files import make_directory
from latentlab.images import grid, save_image, save_picture, shrink
from latentlab.latents import load_noise, z_from_seeds
from latentlab.networks.synthesis import NoiseMode
from latentlab.workers import computed

_COLUMNS = 8  # of the grid
_MOST = 64  # pictures in the grid, or strips on the sheet
_CLASSES, _PICTURES = 32, 256  # columns, and pictures, of a sheet of classes

Render = Callable[[], Tensor]  # to an image [C,R,R] on the CPU


@dataclass(frozen=True)
class Drawing:
    """One picture to draw, or a strip of it.

    Attributes:
        renders: One for each psi.
        row: What it is called beside a sheet: "seed 5".
        column: What it is called above one: "class 3"; "" where there is one class, or none.
    """

    renders: Sequence[Render]
    row: str = ""
    column: str = ""


def drawings_of_seeds(
    model: RenderingModel,
    seeds: Sequence[int],
    psis: Sequence[float],
    noise_mode: NoiseMode | Literal["seed"],
    anchor: bool = False,
) -> dict[str, Drawing]:
    """Return by name, "seed0005", what to draw for each seed; of several classes, for each.

    All functions of a drawing render with the same noise. ``anchor`` takes the place of all of
    them from the mean w.

    Raises:
        LatentError: If there is no W to truncate in.
    """
    if any(psi != 1 for psi in psis):
        _ = model.g.w_mean  # raises where there is no W, before anything is written
    classes = [(one, one.c) for one in model.by_class]
    several, found = len(classes) > 1, {}
    for seed in seeds:
        for one, c in classes:
            render = partial(_render_seed, one, c, noise_mode, seed, anchor)
            name = f"seed{seed:04d}" + (f"-class{one.labels[0]}" if several else "")
            column = one.class_caption if several else ""
            found[name] = Drawing([partial(render, psi) for psi in psis], f"seed {seed}", column)
    return found


def _render_seed(
    model: RenderingModel,
    c: Tensor | None,
    noise_mode: NoiseMode | Literal["seed"],
    seed: int,
    anchor: bool,
    psi: float,
) -> Tensor:
    z = z_from_seeds([seed], model.g.z_dim)
    if anchor:  # by StyleGAN3 alone, which has no noise
        (latent,) = latents_of_seeds(model.g, [seed], c, (psi, model.truncation[1]))
        return render_ws(model.g, model.g.anchored(latent.ws.to(model.g.device)))
    return render_z(model.g, z, c, (psi, model.truncation[1]), noise_mode, seed)


def drawings_of_latents(
    model: RenderingModel,
    path: Path,
    noise_file: Path | None,
    noise_mode: NoiseMode | None,
    request: RenderingRequest,
) -> dict[str, Drawing]:
    """Return by name what to draw for each saved latent: "proj00" for the first of an .npz file.

    Each is rendered with noise maps of its own where there are any and ``noise_mode`` is None,
    else with the generator's.
    """
    g, saved = model.g, read_saved([path], model, noise_file, request.any_checkpoint)
    maps = None if noise_file is None else load_noise(noise_file, g)
    if maps and len(maps[0]) != len(saved):
        raise LatentError(f"{noise_file}: maps for {len(maps[0])} images, but {len(saved)} latents")

    def render(row: int) -> Tensor:
        noise = None
        if maps is not None:
            noise = [level[row : row + 1].to(g.device) for level in maps]
        elif noise_mode is None:
            noise = saved[row].noise(g)
        ws = g.anchored(saved[row].ws.to(g.device)) if request.anchor else saved[row].ws
        return render_ws(g, ws, noise_mode or "const", noise, row)

    # Rows of a file without names were always called so.
    names = [one.name if one.named else f"proj{i:02d}" for i, one in enumerate(saved)]
    return {name: Drawing([partial(render, i)]) for i, name in enumerate(names)}


def planned_files(output: Path, names: Sequence[str], psis: Sequence[float]) -> list[Path]:
    """Return the file of each picture or strip, and that of the sheet, if there is one."""
    if len(psis) == 1:
        return [output / f"{name}.png" for name in [*names, "grid"]]
    files = [output / f"{name}-truncation.png" for name in names]
    return [*files, output / "truncation.png"] if len(files) > 1 else files


def draw(drawings: Mapping[str, Drawing], psis: Sequence[float], files: list[Path]) -> None:
    """Write the planned files: pictures for a single psi, strips for several."""
    make_directory(files[0].parent)
    if len(psis) > 1:
        _draw_strips(list(drawings.values()), psis, files)
    elif any(drawing.column for drawing in drawings.values()):
        _draw_classes(list(drawings.values()), files)
    else:
        _draw_pictures(list(drawings.values()), files)


def _pictures(drawings: Sequence[Drawing], files: Sequence[Path]) -> Iterator[Tensor]:
    """Render and write pictures, in several processes where that is faster; yield them in order."""

    def picture(number: int) -> NDArray[np.float32]:
        image = drawings[number].renders[0]()
        save_image(files[number], image)
        return image.numpy()

    ahead: dict[int, Tensor] = {}
    following = 0
    with ProgressBar(len(drawings), "rendering", unit="picture") as bar:
        for number, image in computed(picture, range(len(drawings))):
            ahead[number] = torch.from_numpy(image)
            bar.advance()
            while following in ahead:
                yield ahead.pop(following)
                following += 1


def _draw_pictures(drawings: Sequence[Drawing], files: Sequence[Path]) -> None:
    """Write one picture for each drawing, and the first of them on a grid."""
    *single, together = files
    small: list[Tensor] = []
    for image in _pictures(drawings, single):
        if len(small) < _MOST:
            small.append(shrink(image.unsqueeze(0), SCREEN)[0])
    save_image(together, grid(small, min(_COLUMNS, len(small))))
    say(f"{counted(len(single), 'picture')} and grid.png in {together.parent}")


def _draw_classes(drawings: Sequence[Drawing], files: Sequence[Path]) -> None:
    """Write one picture for each drawing, and a sheet: a row for each seed, a column a class."""
    *single, together = files
    rows, columns = ([*dict.fromkeys(each)] for each in zip(*((d.row, d.column) for d in drawings),
                                                            strict=True))  # fmt: skip
    above = columns[:_CLASSES]
    beside = rows[: max(_PICTURES // len(above), 1)]
    tiles: dict[tuple[str, str], Image.Image] = {}
    for drawing, image in zip(drawings, _pictures(drawings, single), strict=True):
        if drawing.row in beside and drawing.column in above:
            size = tile_size(image.shape[-1], len(above) * len(beside), SCREEN)
            tiles[drawing.row, drawing.column] = tile(image, size)
    lines = [[tiles[row, column] for column in above] for row in beside]
    save_picture(together, sheet(lines, above, beside))
    ends = ((beside, rows, "seeds"), (above, columns, "classes"))
    cut = [f"{len(some)} of {len(all_):,} {what}" for some, all_, what in ends if some != all_]
    shows = f", which shows {' and '.join(cut)}," if cut else ""
    say(f"{counted(len(single), 'picture')} and grid.png{shows} in {together.parent}")


def _draw_strips(drawings: Sequence[Drawing], psis: Sequence[float], files: Sequence[Path]) -> None:
    """Write one strip for each drawing, in the order of psi, and the first of them on a sheet."""
    above = [f"psi {psi:g}" for psi in psis]
    beside = [", ".join(filter(None, (d.row, d.column))) for d in drawings][:_MOST]
    lines: list[list[Image.Image]] = []
    with ProgressBar(len(drawings) * len(psis), "rendering", unit="picture") as bar:
        for path, drawing in zip(files, drawings, strict=False):  # the sheet comes last
            strip = []
            for render in drawing.renders:
                strip.append(render())
                bar.advance()
            size = tile_size(strip[0].shape[-1], len(strip))
            save_picture(path, sheet([[tile(image, size) for image in strip]], above, [""]))
            if len(lines) < len(beside):
                size = tile_size(strip[0].shape[-1], len(beside) * len(psis), SCREEN)
                lines.append([tile(image, size) for image in strip])
    if len(files) > len(drawings):
        save_picture(files[-1], sheet(lines, above, beside))
    say(f"{counted(len(drawings), 'strip')} in {files[0].parent}")
