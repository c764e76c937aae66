"""latentlab mix: grids of pictures with the styles of one seed in some layers of another."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options.common import (
    checkpoint_argument,
    class_option,
    cutoff_option,
    device_option,
    dry_run_option,
    given_options,
    noise_mode_option,
    output_option,
    overwrite_option,
    refuse_without_seeds,
)
from cli.options.values import AnyFloat, NumberList, StyleLayers
from cli.text import counted, number_ranges, plain_text, say

if TYPE_CHECKING:
    from cli.rendering.mixtures import Grid, Source
    from latentlab import Generator
    from latentlab.networks.synthesis import NoiseMode

_MOST_PICTURES = 10_000
_TABLE = "mix.csv"
_EITHER = (("rows", "row_w", "--rows or --row-w"), ("columns", "column_w", "--cols or --col-w"))


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--rows", type=NumberList(), metavar="SEEDS",
              help="Seeds of the rows, such as 0,3,8-15; they give the styles of all other layers.")
@click.option("--cols", "columns", type=NumberList(), metavar="SEEDS",
              help="Seeds of the columns; they give the styles of the chosen layers.")
@click.option("--layers", type=StyleLayers(), multiple=True, default=["coarse"],
              show_default="coarse", metavar="LAYERS",
              help="Layers that the columns give, see above; repeat for a grid each.")
@click.option("--row-w", type=click.Path(path_type=Path), metavar="FILE",
              help="Rows from saved latents (.npz with key w) instead of seeds.")
@click.option("--col-w", "column_w", type=click.Path(path_type=Path), metavar="FILE",
              help="Columns from saved latents instead of seeds.")
@click.option("--truncation-psi", type=AnyFloat(), default=1.0, show_default=True,
              metavar="PSI", help="Pull the w of seeds towards the mean w before mixing.")
@cutoff_option
@noise_mode_option()
@class_option("Class of a conditional generator.")
@dry_run_option
@output_option
@overwrite_option
@device_option
def mix(
    checkpoint: str,
    rows: list[int] | None,
    columns: list[int] | None,
    layers: tuple[str | list[int], ...],
    row_w: Path | None,
    column_w: Path | None,
    truncation_psi: float,
    truncation_cutoff: int | None,
    noise_mode: "NoiseMode",
    label: int | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Mix the styles of rows and columns.

    DIR receives grid.png, with the columns' own pictures on top, the rows' own at the left, and
    the mixtures between them; each picture as a file, 0-4.png being row 0 with styles of column 4;
    mix.csv with a line a mixture; and manifest.json. Several --layers give a grid-LAYERS.png and
    a folder LAYERS each.

    \b
    Layers:
      coarse    0-3: 4x4 and 8x8, pose and shape
      middle    4-7: 16x16 and 32x32, features
      fine      8 and up: from 64x64, colours and texture
      0-3,5     any numbers (the default of ADA's own script is 0-6)

    \b
    Examples:
      latentlab mix builtin:digits-stylegan2 --rows 0-3 --cols 4-9 \\
          --layers 0-1 -o mix
      latentlab mix model.safetensors --rows 0-3 --cols 4-9 \\
          --layers coarse --layers middle --layers fine -o mix
      latentlab mix model.safetensors --row-w out/projected_w.npz --cols 0-5 \\
          --layers 8-17 -o mix
    """
    from cli.models import resolve_device
    chosen = _named_layers(layers)
    _refuse_conflicts(click.get_current_context(), rows, columns, len(chosen))
    from cli.models import cutoff_of, label_of
    from cli.rendering.mixtures import (
        planned_files,
        planned_grids,
        sources_from_file,
        sources_from_seeds,
    )
    from cli.reports.tables import MANIFEST, refuse_existing, write_manifest
    from latentlab import load
    from latentlab.latents import style_layers

    opened = load(checkpoint)
    g = opened.generator.to(resolve_device(device))
    numbers = {text: style_layers(wanted, g.num_ws) for text, wanted in chosen.items()}
    cutoff = cutoff_of(opened, truncation_cutoff)
    c = label_of(g, label) if rows or columns else None

    def sources(seeds: list[int] | None, path: Path | None, name: str) -> "list[Source]":
        if path is not None:
            return sources_from_file(g, path, name)
        return sources_from_seeds(g, seeds or [], c, (truncation_psi, cutoff))

    ends = sources(rows, row_w, "row"), sources(columns, column_w, "column")
    _refuse_many(len(ends[0]), len(ends[1]), len(chosen))
    grids = planned_grids(output, numbers)
    files = [file for grid in grids for file in planned_files(grid, *ends)]
    refuse_existing([*files, output / _TABLE, output / MANIFEST], overwrite)
    settings = {
        "truncation_psi": truncation_psi, "truncation_cutoff": cutoff, "noise_mode": noise_mode,
        "class": label, "device": str(g.device), "checkpoint": plain_text(checkpoint),
        "sha256": opened.sha256,
    }
    which = {
        "rows": [end.name for end in ends[0]], "columns": [end.name for end in ends[1]],
        "layers": numbers,
    }
    if dry_run:
        click.echo(json.dumps({**which, **settings}, indent=1))
        return
    table = _draw(g, grids, *ends, settings, output / _TABLE)
    write_manifest(output, {**which, **settings}, [*files, table])
# fmt: on


def _named_layers(layers: tuple[str | list[int], ...]) -> dict[str, str | list[int]]:
    """Return what was asked for by its name: "coarse", or "0-3,5" for numbers."""
    named = [(each if isinstance(each, str) else number_ranges(each), each) for each in layers]
    if len(dict(named)) < len(named):
        raise click.UsageError("The same --layers twice.")
    return dict(named)


def _refuse_conflicts(
    ctx: click.Context, rows: list[int] | None, columns: list[int] | None, grids: int
) -> None:
    """Refuse options that exclude each other or would be ignored without a word."""
    given = given_options(ctx)
    for seeds, file, options in _EITHER:
        if (seeds in given) == (file in given):
            raise click.UsageError(f"Give either {options}.")
    if rows is None and columns is None:
        refuse_without_seeds(given, "seeds")
    _refuse_many(len(rows or [0]), len(columns or [0]), grids)


def _refuse_many(rows: int, columns: int, grids: int) -> None:
    pictures = (rows + 1) * (columns + 1) * grids
    if pictures > _MOST_PICTURES:
        raise click.UsageError(
            f"That makes {pictures:,} pictures, more than {_MOST_PICTURES:,}; take fewer seeds."
        )


def _draw(
    g: "Generator",
    grids: "list[Grid]",
    rows: "list[Source]",
    columns: "list[Source]",
    settings: dict[str, Any],
    table: Path,
) -> Path:
    """Draw the grids and write the table of their mixtures; returns the table's path."""
    import pandas as pd

    from cli.rendering.mixtures import draw_grid
    from cli.reports.tables import write_table
    from cli.running.progress import ProgressBar
    from latentlab.files import make_directory

    make_directory(table.parent)
    count = len(grids) * (len(rows) * len(columns) + len(rows) + len(columns))
    report = []
    with ProgressBar(count, "mixing", unit="picture") as bar:
        for grid in grids:
            report += draw_grid(g, grid, rows, columns, settings["noise_mode"], bar.advance)
    write_table(pd.DataFrame(report).assign(**settings), table)
    say(f"{counted(len(report), 'mixture')}; see {', '.join(str(grid.sheet) for grid in grids)}")
    return table
