"""latentlab edit: pictures moved along directions in W."""

from functools import partial
from pathlib import Path

import click

from cli.options import common
from cli.options.rendering import RenderingRequest, options_of_seeds, rendering_options
from cli.options.values import float_list, layer_list, number_list
from cli.text import plain_text

_PATH = click.Path(path_type=Path)


# fmt: off
@click.command()
@rendering_options(
    common.tuning_option,
    click.option("--projected-w", "sources", type=_PATH, multiple=True, metavar="FILE|DIR",
                 help="Saved latents: a folder of `latentlab project`, whose noise maps are used "
                 "as well; its latents.safetensors or .parquet; or an .npz, .npy or .pt. Repeat "
                 "the option for more."),
    click.option("--noise", "noise_file", type=_PATH, metavar="FILE",
                 help="Noise maps saved by project, for --projected-w FILE. Default: those in "
                 "the generator."),
    click.option("--seeds", type=number_list, metavar="LIST",
                 help="Edit the pictures of seeds such as 0,3,8-15 instead."),
    click.option("--directions", "file", type=_PATH, required=True, metavar="FILE|DIR",
                 help="Directions, as `latentlab directions` writes them: its folder, or the file "
                 "in it."),
    common.any_checkpoint_option,
    click.option("--direction", "wanted", multiple=True, required=True, metavar="NAME|'#N'",
                 help="Which of them: its name, or its number from 0 as '#N', quoted. Repeat the "
                 "option for more rows."),
    click.option("--strengths", type=float_list, default="-3,-1.5,0,1.5,3", show_default=True,
                 metavar="LIST",
                 help="How far, in standard deviations of w along the direction."),
    click.option("--layers", type=layer_list, metavar="LAYERS",
                 help="Layers to move: coarse, middle, fine, or numbers such as 0-3,5. Default: "
                 "as the directions say, or all."),
    *options_of_seeds,
    common.anchor_option,
    *common.video_options("Also write a video of each row, from the lowest strength to the highest "
                          "and back"),
    click.option("--frames", type=click.IntRange(min=2), default=60, show_default=True,
                 metavar="N", help="Frames of the video from one end to the other."),
)
def edit(
    request: RenderingRequest,
    sources: tuple[Path, ...],
    noise_file: Path | None,
    seeds: list[int] | None,
    file: Path,
    wanted: tuple[str, ...],
    strengths: list[float],
    layers: str | list[int] | None,
    frames: int,
) -> None:
    """Edit pictures along directions.

    Moves the latent of a projected picture, or of a seed, along directions in W and renders it
    with its own noise; strength 0 is the picture itself. DIR receives NAME.png, a filmstrip with
    one row for each direction; in NAME/DIRECTION/ each frame, the edited latents (w.npz, one row
    for each strength) and the video; and edits.csv, which says where each frame is on its
    direction: in deviations from the mean of w, or from the boundary of an attribute.

    \b
    Examples:
      latentlab edit model.safetensors --projected-w out \\
          --directions directions --direction pca0 -o edit
      latentlab edit builtin:digits-stylegan2 --seeds 0-3 \\
          --directions svm --direction 7 --direction 2 \\
          --strengths 0,1,2,3,4 --video walk.gif -o edit
      latentlab edit model.safetensors --projected-w out/projected_w.npz \\
          --noise out/projected_noise.npz --layers coarse \\
          --directions directions --direction '#0' -o edit
    """
    _refuse_conflicts(click.get_current_context())
    from cli.projecting.origin import told
    from cli.projecting.saved_latents import origins_of
    from cli.rendering.edits import Edits, anchored, draw, planned_files, read_directions
    from cli.rendering.render import latents_to_render
    from cli.rendering.results import draw_or_tell
    from cli.running.estimates import Task
    from latentlab.latents import style_layers

    model = request.open()
    file, directions, digest = read_directions(file, model, request.any_checkpoint)
    chosen = list({one.name: one for one in map(directions.find, wanted)}.values())
    numbers = directions.layers if layers is None else tuple(style_layers(layers, model.g.num_ws))
    pictures = latents_to_render(model, list(dict.fromkeys(seeds or [])), sources, noise_file,
                                 request.any_checkpoint)
    request.placed(model.g)
    if request.anchor:
        pictures, numbers = anchored(model.g, pictures, numbers)
    edits = Edits(request, pictures, chosen, list(dict.fromkeys(strengths)), numbers,
                  directions.method, frames)
    settings = {
        **edits.settings(), "directions_file": plain_text(file),
        "directions_sha256": digest, "latents": told(origins_of(pictures), model),
        **request.settings(bool(seeds)), **request.placement(), **model.settings(),
    }
    files = planned_files(edits)
    draw_or_tell(request, files, settings, partial(draw, model.g, edits), [*sources, file],
                 task=Task("Rendering", edits.frame_count, "frame", model.g), first=files[1])
# fmt: on


def _refuse_conflicts(ctx: click.Context) -> None:
    given = common.given_options(ctx)
    if ("seeds" in given) == ("sources" in given):
        raise click.UsageError("Give either --projected-w or --seeds.")
    if "noise_file" in given and ("seeds" in given or len(ctx.params["sources"]) > 1):
        raise click.UsageError("--noise goes with one --projected-w FILE.")
    if "seeds" not in given:
        common.refuse_without_seeds(given)
    common.refuse_without_video(given, "fps", "frames")
