"""latentlab mix: grids of pictures with the styles of one seed in some layers of another."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import common
from cli.options.rendering import RenderingRequest, rendering_options
from cli.options.values import layer_list, number_list
from cli.text import number_ranges

if TYPE_CHECKING:
    from latentlab.networks.synthesis import NoiseMode

_MOST_PICTURES = 10_000
_EITHER = (("rows", "row_w", "--rows or --row-w"), ("columns", "column_w", "--cols or --col-w"))


# fmt: off
@click.command()
@rendering_options(
    click.option("--rows", type=number_list, metavar="SEEDS",
                 help="Seeds of the rows, such as 0,3,8-15; they give the styles of all other "
                 "layers."),
    click.option("--cols", "columns", type=number_list, metavar="SEEDS",
                 help="Seeds of the columns; they give the styles of the chosen layers."),
    click.option("--layers", type=layer_list, multiple=True, default=["coarse"],
                 show_default=True, metavar="LAYERS",
                 help='Layers that the columns give, see "Layers" above. Repeat the option '
                 "for more grids."),
    click.option("--row-w", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="Rows from saved latents instead of seeds: a folder of `latentlab project`, "
                 "its latents.safetensors or .parquet, or an .npz, .npy or .pt."),
    click.option("--col-w", "column_w", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="Columns from saved latents instead of seeds."),
    common.any_checkpoint_option,
    common.truncation_option(" before mixing"),
    common.cutoff_option,
    common.noise_mode_option(),
    common.anchor_option,
    common.classes_option("Classes of a conditional generator, one grid for each: 3, 0-4, all, or "
                          "their names."),
)
def mix(
    request: RenderingRequest,
    rows: list[int] | None,
    columns: list[int] | None,
    layers: tuple[str | list[int], ...],
    row_w: Path | None,
    column_w: Path | None,
    noise_mode: "NoiseMode",
) -> None:
    """Mix the styles of rows and columns.

    DIR receives grid.png, with the columns' own pictures on top, the rows' own at the left, and
    the mixtures between them; each picture as a file, 0-4.png being row 0 with styles of column 4;
    mix.csv with one row for each mixture; and manifest.json. Several --layers each give a
    grid-LAYERS.png and a folder LAYERS, several classes a grid-class3.png and a folder class3.

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
      latentlab mix model.safetensors --row-w projections --cols 0-5 \\
          --layers 8-17 -o mix
    """
    chosen = _named_layers(layers)
    _refuse_conflicts(click.get_current_context(), len(chosen))
    from cli.projecting.origin import told
    from cli.projecting.saved_latents import origins_of
    from cli.rendering.mixtures import TABLE, draw, end_of, planned_files, planned_grids
    from cli.rendering.results import draw_or_tell
    from cli.running.estimates import Task
    from latentlab.latents import style_layers

    model = request.open()
    request.placed(model.g)
    numbers = {text: style_layers(wanted, model.g.num_ws) for text, wanted in chosen.items()}
    ends = [end_of(model, *given, request.any_checkpoint, request.anchor)
            for given in ((rows, row_w, "row"), (columns, column_w, "column"))]
    _refuse_many(len(ends[0]), len(ends[1]), len(chosen) * len(model.by_class))
    grids = planned_grids(model, request.output, numbers, *ends)
    files = [*(file for grid in grids for file in planned_files(grid)), request.output / TABLE]
    settings = {
        "truncation_psi": request.truncation_psi, "truncation_cutoff": model.truncation[1],
        "noise_mode": noise_mode, **request.placement(), **model.settings(),
    }
    del settings["tuning"]  # no --tuning here
    saved = [latent for end in ends for latent in end.saved]
    names = [[one.name for one in end] for end in (grids[0].rows, grids[0].columns)]
    which = {
        "rows": names[0], "columns": names[1], "layers": numbers,
        "latents": told(origins_of(saved), model),
    }
    draw_or_tell(request, files, {**which, **settings},
                 partial(draw, model.g, grids, settings, request.output),
                 task=Task("Rendering", len(files) - len(grids) - 1, "picture", model.g),
                 first=grids[0].sheet)
# fmt: on


def _named_layers(layers: tuple[str | list[int], ...]) -> dict[str, str | list[int]]:
    """Return what was asked for by its name: "coarse", or "0-3,5" for numbers."""
    named = [(each if isinstance(each, str) else number_ranges(each), each) for each in layers]
    if len(dict(named)) < len(named):
        raise click.UsageError("The same --layers twice.")
    return dict(named)


def _refuse_conflicts(ctx: click.Context, grids: int) -> None:
    given, rows, columns = common.given_options(ctx), ctx.params["rows"], ctx.params["columns"]
    for seeds, file, options in _EITHER:
        if (seeds in given) == (file in given):
            raise click.UsageError(f"Give either {options}.")
    if rows is None and columns is None:
        common.refuse_without_seeds(given, "seeds")
    _refuse_many(len(rows or [0]), len(columns or [0]), grids)


def _refuse_many(rows: int, columns: int, grids: int) -> None:
    pictures = (rows + 1) * (columns + 1) * grids
    if pictures > _MOST_PICTURES:
        raise click.UsageError(
            f"That makes {pictures:,} pictures, more than {_MOST_PICTURES:,}; take fewer seeds."
        )
