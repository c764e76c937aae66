"""latentlab generate: pictures from seeds or from saved latents."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cli.options import common
from cli.options.rendering import RenderingRequest, placement_options, rendering_options
from cli.options.values import FiniteFloat, float_list, number_list
from cli.text import plain_text

if TYPE_CHECKING:
    from latentlab.networks.synthesis import NoiseMode


# fmt: off
@click.command()
@rendering_options(
    click.option("--seeds", type=number_list, metavar="LIST",
                 help="Seeds such as 0,3,8-15; seed s is numpy's RandomState(s), as in other "
                 "tools."),
    click.option("--projected-w", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="Render saved latents instead of seeds: a folder of `latentlab project`, "
                 "whose noise maps are used as well; its latents.safetensors or .parquet; or an "
                 ".npz, .npy or .pt, also of other tools."),
    click.option("--noise", "noise_file", type=click.Path(path_type=Path), metavar="FILE",
                 help="Noise maps saved by project, for --projected-w FILE. Default: those in "
                 "the generator."),
    common.any_checkpoint_option,
    click.option("--truncation-psi", "psis", type=float_list, default="1", show_default=True,
                 metavar="PSI[,PSI...]",
                 help="Pull w towards its mean; 1 leaves it, 0 gives the mean image. Several "
                 "values give a strip of pictures for each seed."),
    common.cutoff_option,
    common.noise_mode_option("seed", text="the stored ones, new ones that the seed decides, no "
                             "noise, or those that NVIDIA's TensorFlow script draws for the seed"),
    click.option("--lod", type=FiniteFloat(min=0), metavar="LOD",
                 help="Of a growing generator: 0 is fully grown, 1 half the resolution, and so "
                 "on."),
    common.classes_option("Classes of a conditional generator: 3, 0-4, all, or their names; each "
                          "seed is rendered in each of them."),
    *placement_options,
    common.tuning_option,
    common.workers_option,
)
def generate(
    request: RenderingRequest,
    seeds: list[int] | None,
    projected_w: Path | None,
    noise_file: Path | None,
    psis: list[float],
    noise_mode: "NoiseMode | Literal['seed']",
    lod: float | None,
) -> None:
    """Render pictures, and a sheet of them.

    DIR receives seed0005.png for seed 5, NAME.png for a saved latent (proj00.png for the first
    of an .npz file), and grid.png with the first 64. Of several classes it receives
    seed0005-class3.png and so on, and in grid.png one row for each seed and one column for each
    class. Several values of --truncation-psi give seed0005-truncation.png instead, with one
    picture for each value, and for several seeds truncation.png with all of them.

    \b
    Examples:
      latentlab generate builtin:digits-stylegan2 --seeds 0-31 -o out
      latentlab generate model.safetensors --seeds 5 --truncation-psi 0.7 -o out
      latentlab generate model.safetensors --seeds 0-3 \\
          --truncation-psi 1,0.7,0.5,0,-0.5,-1 -o strips
      latentlab generate model.safetensors --projected-w out -o again
      latentlab generate classes.pkl --seeds 0-7 --class all -o classes
      latentlab generate stylegan3-r.pkl --seeds 0-7 --translate 0.25,0 \\
          --rotate 30 -o moved
    """
    given = _refuse_conflicts(click.get_current_context())
    from cli.rendering.generated import (
        draw,
        drawings_of_latents,
        drawings_of_seeds,
        planned_files,
    )
    from cli.rendering.results import tell_rendering
    from cli.reports.tables import refuse_existing
    from cli.running.announcement import announce, open_first
    from cli.running.estimates import Task
    from cli.running.folder_lock import claimed

    model = request.open()
    if lod is not None:
        model.g.synthesis.set_lod(lod)
    placed = request.placed(model.g)
    if projected_w is not None and noise_mode != "seed":
        mode = noise_mode if "noise_mode" in given else None
        pictures = drawings_of_latents(model, projected_w, noise_file, mode, request)
    else:
        pictures = drawings_of_seeds(model, seeds or [], psis, noise_mode, request.anchor)
    files = planned_files(request.output, list(pictures), psis)
    task = Task("Rendering", len(pictures) * len(psis), "picture", model.g)
    with claimed(request.output, dry_run=request.dry_run):
        refuse_existing(files, request.overwrite)
        if request.dry_run:
            tell_rendering(request, files, {
                "pictures": len(pictures), "first": plain_text(files[0]),
                "truncation_psi": psis, "truncation_cutoff": model.truncation[1],
                "noise_mode": noise_mode, "lod": lod, **request.placement(), **model.settings(),
            }, task)
            return
        announce([task], model.place)
        with placed:
            draw(pictures, psis, files)
        open_first(files[-1])
# fmt: on


def _refuse_conflicts(ctx: click.Context) -> set[str]:
    """Refuse options that do not go together; returns those that are given."""
    given, noise_file = common.given_options(ctx), ctx.params["noise_file"]
    if ("seeds" in given) == ("projected_w" in given):
        raise click.UsageError("Give either --seeds or --projected-w.")
    if noise_file is not None and "projected_w" not in given:
        raise click.UsageError("--noise goes with --projected-w.")
    if "projected_w" in given:
        common.refuse_without_seeds(given)
        if ctx.params["noise_mode"] == "seed":
            raise click.UsageError("--noise-mode seed goes with --seeds.")
    if noise_file is not None and "noise_mode" in given:
        raise click.UsageError("Give either --noise or --noise-mode.")
    return given
