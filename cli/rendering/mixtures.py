"""The pictures of a mixing grid (Fig. 3, Karras et al. 2019): styles of rows and of columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from torch import Tensor

from cli.models import RenderingModel
from cli.projecting.saved_latents import latents_of_seeds
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import write_table
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import Generator
from latentlab.files import make_directory
from latentlab.images import save_image, save_picture
from latentlab.latents import load_ws, mix_styles
from latentlab.networks.synthesis import NoiseMode

TABLE = "mix.csv"


@dataclass(frozen=True)
class Source:
    """What a row or a column takes its styles from."""

    name: str  # in the names of files
    caption: str  # on the sheet
    ws: Tensor  # [1,num_ws,w_dim]
    seed: int  # of noise drawn at random


@dataclass(frozen=True)
class Grid:
    """A grid to draw."""

    rows: Sequence[Source]  # of the styles of all other layers
    columns: Sequence[Source]  # of the styles of ``layers``
    layers: list[int]
    text: str  # the layers for a person: "coarse" or "0-3,5"
    sheet: Path  # the file for all pictures together
    folder: Path  # for the pictures one by one


def sources(
    model: RenderingModel, seeds: Sequence[int] | None, path: Path | None, prefix: str
) -> list[Source]:
    """Return sources from a file, or from seeds.

    Latents are as ``latentlab project`` writes them; row i of the file is named PREFIX0i.
    """
    if path is None:
        latents = latents_of_seeds(model.g, seeds or [], model.c, model.truncation)
        pairs = zip(seeds or [], latents, strict=True)
        return [Source(str(seed), f"seed {seed}", latent.ws, seed) for seed, latent in pairs]
    rows = load_ws(path, model.g).split(1)
    return [Source(f"{prefix}{i:02d}", f"{prefix} {i}", ws, i) for i, ws in enumerate(rows)]


def planned_grids(
    folder: Path, chosen: dict[str, list[int]], rows: Sequence[Source], columns: Sequence[Source]
) -> list[Grid]:
    """Give a single grid the folder itself, and each of several a folder in it."""
    one = len(chosen) == 1
    return [
        Grid(rows, columns, layers, text, folder / ("grid.png" if one else f"grid-{text}.png"),
             folder if one else folder / text)
        for text, layers in chosen.items()
    ]  # fmt: skip


def picture_file(grid: Grid, row: Source, column: Source) -> Path:
    """Name a mixture's file as the published script does; a source alone is ROW-ROW.png."""
    return grid.folder / f"{row.name}-{column.name}.png"


def planned_files(grid: Grid) -> list[Path]:
    """Return the files that drawing the grid writes, each once."""
    files = [picture_file(grid, row, column) for row in grid.rows for column in grid.columns]
    alone = [picture_file(grid, source, source) for source in (*grid.rows, *grid.columns)]
    return list(dict.fromkeys([*files, *alone, grid.sheet]))


def draw(g: Generator, grids: Sequence[Grid], settings: dict[str, Any], folder: Path) -> None:
    """Draw the grids, and write the table of their mixtures with the settings beside."""
    make_directory(folder)
    count = sum((len(grid.rows) + 1) * (len(grid.columns) + 1) - 1 for grid in grids)
    report = []
    with ProgressBar(count, "mixing", unit="picture") as bar:
        for grid in grids:
            report += _draw_grid(g, grid, settings["noise_mode"], bar.advance)
    write_table(pd.DataFrame(report).assign(**settings), folder / TABLE)
    say(f"{counted(len(report), 'mixture')}; see {', '.join(str(grid.sheet) for grid in grids)}")


def _draw_grid(
    g: Generator, grid: Grid, noise_mode: NoiseMode, advance: Callable[[], None]
) -> list[dict[str, Any]]:
    """Render and write a grid's pictures and sheet; returns one table row for each mixture.

    Noise that is drawn at random goes with the row, as do the styles that are not mixed.
    """
    make_directory(grid.folder)
    rows, columns = grid.rows, grid.columns
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
