"""The pictures of a mixing grid (Fig. 3, Karras et al. 2019): styles of rows and of columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cli.models import RenderingModel
from cli.projecting.saved_latents import SavedLatent, latents_of_seeds, read_saved
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import table_of, write_table
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import Generator
from latentlab.files import make_directory
from latentlab.images import save_image, save_picture
from latentlab.latents import mix_styles
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
    label: int | None  # the class of the seeds
    sheet: Path  # the file for all pictures together
    folder: Path  # for the pictures one by one


@dataclass(frozen=True)
class End:
    """The rows of a grid, or its columns: seeds, or latents that were saved."""

    seeds: Sequence[int] | None
    saved: Sequence[SavedLatent]
    numbered: bool  # whether the saved have no names of their own
    prefix: str  # "row" or "column"
    anchored: bool = False  # put where the mean picture is, see Generator

    def __len__(self) -> int:
        return len(self.saved) if self.seeds is None else len(self.seeds)

    def sources(self, model: RenderingModel) -> list[Source]:
        """Return what each takes its styles from; seeds are of the model's class."""
        if self.seeds is not None:
            latents = latents_of_seeds(model.g, self.seeds, model.c, model.truncation)
            pairs = zip(self.seeds, latents, strict=True)
            return [Source(str(seed), f"seed {seed}", self._placed(model, latent.ws), seed)
                    for seed, latent in pairs]  # fmt: skip
        if self.numbered:
            named = [(f"{self.prefix}{i:02d}", f"{self.prefix} {i}") for i in range(len(self))]
        else:
            named = [(latent.name, latent.name) for latent in self.saved]
        return [Source(*named[i], self._placed(model, latent.ws), i)
                for i, latent in enumerate(self.saved)]  # fmt: skip

    def _placed(self, model: RenderingModel, ws: Tensor) -> Tensor:
        return model.g.anchored(ws.to(model.place)).cpu() if self.anchored else ws


def end_of(
    model: RenderingModel,
    seeds: Sequence[int] | None,
    path: Path | None,
    prefix: str,
    any_checkpoint: bool = False,
    anchored: bool = False,
) -> End:
    """Return an end of a grid: seeds, or what is saved at a path.

    Row i of an .npz file is named PREFIX0i, pictures with names keep them.
    """
    if path is None:
        return End(seeds or [], [], False, prefix, anchored)
    saved = read_saved([path], model, None, any_checkpoint)
    return End(None, saved, not all(one.named for one in saved), prefix, anchored)


def planned_grids(
    model: RenderingModel, folder: Path, chosen: dict[str, list[int]], rows: End, columns: End
) -> list[Grid]:
    """Give a single grid the folder itself, and each of several a folder in it.

    There is one for each set of layers in each class.
    """
    grids, several = [], len(model.by_class) > 1
    for one in model.by_class:
        ends = _apart(rows, columns, one)
        label = next(iter(one.labels), None)
        for text, layers in chosen.items():
            parts = [f"class{label}"] * several + [text] * (len(chosen) > 1)
            sheet_file, place = "-".join(["grid", *parts]), "-".join(parts)
            grids.append(
                Grid(*ends, layers, text, label, folder / f"{sheet_file}.png", folder / place)
            )
    return grids


def _apart(rows: End, columns: End, model: RenderingModel) -> tuple[list[Source], list[Source]]:
    """Return the sources of both ends; where two files would have one name, by numbers."""
    ends = rows.sources(model), columns.sources(model)
    pairs = [(row.name, column.name) for row in ends[0] for column in ends[1]]
    pairs += [(each.name, each.name) for end in ends for each in end]
    by_name = {each.name: each.ws for each in ends[0]}
    same = all(torch.equal(by_name.get(each.name, each.ws), each.ws) for each in ends[1])
    if same and len({"-".join(pair) for pair in pairs}) == len(set(pairs)):
        return ends
    return replace(rows, numbered=True).sources(model), replace(columns, numbered=True).sources(
        model
    )


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
    alike = {name: value for name, value in settings.items() if name != "class"}
    write_table(table_of(report).assign(**alike), folder / TABLE)
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
            "class": grid.label,
        }
        for row in rows
        for column in columns
    ]
