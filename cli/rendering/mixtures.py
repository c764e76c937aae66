"""The pictures of a mixing grid (Fig. 3, Karras et al. 2019): styles of rows and of columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from latentlab import Generator
from latentlab.files import make_directory
from latentlab.images import save_image, save_picture
from latentlab.latents import load_ws, mix_styles, z_from_seeds
from latentlab.networks.synthesis import NoiseMode
from latentlab.numerics import full_precision


@dataclass(frozen=True)
class Source:
    """What a row or a column takes its styles from.

    Attributes:
        name: In the names of files.
        caption: On the sheet.
        ws: Latents [1,num_ws,w_dim].
        seed: Of noise drawn at random.
    """

    name: str
    caption: str
    ws: Tensor
    seed: int


@dataclass(frozen=True)
class Grid:
    """A grid to draw: the layers that come from the columns, and where its files go."""

    layers: list[int]
    text: str  # the layers for a person: "coarse" or "0-3,5"
    sheet: Path
    folder: Path


@torch.no_grad()
@full_precision()
def sources_from_seeds(
    g: Generator, seeds: Sequence[int], c: Tensor | None, truncation: tuple[float, int | None]
) -> list[Source]:
    """Map seeds to latents one by one, so that the others never change one."""
    sources = []
    for seed in seeds:
        ws = g.mapping(z_from_seeds([seed], g.z_dim).to(g.device), c, *truncation)
        sources.append(Source(str(seed), f"seed {seed}", ws, seed))
    return sources


def sources_from_file(g: Generator, path: Path, prefix: str) -> list[Source]:
    """Read latents as project writes them; row i of the file is named PREFIX0i."""
    rows = load_ws(path, g).to(g.device).split(1)
    return [Source(f"{prefix}{i:02d}", f"{prefix} {i}", ws, i) for i, ws in enumerate(rows)]


def planned_grids(folder: Path, chosen: dict[str, list[int]]) -> list[Grid]:
    """Give one grid the folder itself, and each of several a folder in it."""
    if len(chosen) == 1:
        ((text, layers),) = chosen.items()
        return [Grid(layers, text, folder / "grid.png", folder)]
    return [
        Grid(layers, text, folder / f"grid-{text}.png", folder / text)
        for text, layers in chosen.items()
    ]


def picture_file(grid: Grid, row: Source, column: Source) -> Path:
    """Name a mixture's file as the published script does; a source alone is ROW-ROW.png."""
    return grid.folder / f"{row.name}-{column.name}.png"


def planned_files(grid: Grid, rows: Sequence[Source], columns: Sequence[Source]) -> list[Path]:
    """Return the files that drawing the grid writes, each once."""
    files = [picture_file(grid, row, column) for row in rows for column in columns]
    alone = [picture_file(grid, source, source) for source in (*rows, *columns)]
    return list(dict.fromkeys([*files, *alone, grid.sheet]))


def draw_grid(
    g: Generator,
    grid: Grid,
    rows: Sequence[Source],
    columns: Sequence[Source],
    noise_mode: NoiseMode,
    advance: Callable[[], None],
) -> list[dict[str, Any]]:
    """Render and write a grid's pictures and its sheet; returns a report row a mixture.

    Noise that is drawn at random goes with the row, as the styles do that are not mixed.
    """
    make_directory(grid.folder)
    size = tile_size(g.resolution, (len(rows) + 1) * (len(columns) + 1), SCREEN)

    def picture(row: Source, column: Source) -> Image.Image:
        ws = mix_styles(row.ws, column.ws, grid.layers)
        image = render_ws(g, ws, noise_mode, seed=row.seed)
        save_image(picture_file(grid, row, column), image)
        advance()
        return tile(image, size)

    tiles: list[list[Image.Image | None]] = [[None, *(picture(c, c) for c in columns)]]
    tiles += [[picture(row, row), *(picture(row, c) for c in columns)] for row in rows]
    above = ["", *(column.caption for column in columns)]
    beside = ["", *(row.caption for row in rows)]
    save_picture(grid.sheet, sheet(tiles, above, beside, header=True))
    return [
        {
            "picture": str(picture_file(grid, row, column).relative_to(grid.sheet.parent)),
            "row": row.name,
            "column": column.name,
            "layers": grid.text,
        }
        for row in rows
        for column in columns
    ]
