"""latentlab interpolate: walks between pictures, as frames or as a video."""

from functools import partial
from pathlib import Path

import click

from cli.options import common
from cli.options.rendering import (
    RenderingRequest,
    options_of_seeds,
    rendering_options,
)
from cli.options.values import number_list

_MOST_FRAMES = 100_000


# fmt: off
@click.command()
@rendering_options(
    common.tuning_option, common.any_checkpoint_option,
    click.argument("latents", nargs=-1, metavar="[LATENTS]...", type=click.Path(path_type=Path)),
    click.option("--seeds", type=number_list, metavar="LIST",
                 help="Walk between the pictures of seeds such as 0,3,8-15 instead."),
    click.option("--frames", type=click.IntRange(1, 10_000), default=60, show_default=True,
                 metavar="N", help="Frames from one picture to the next."),
    click.option("--space", type=click.Choice(["w", "z"]), default="w", show_default=True,
                 help="w: straight lines; z, for --seeds: great circles."),
    click.option("--loop", is_flag=True, help="Walk back to the first picture at the end."),
    click.option("--ease", is_flag=True, help="Set off and arrive slowly."),
    click.option("--noise-mode", type=click.Choice(["ends", "const", "none"]), default="ends",
                 show_default=True, help="Noise maps: a mixture of those of the pictures on both "
                 "sides, at their full strength; those stored in the generator; or no noise."),
    *options_of_seeds,
    common.anchor_option,
    *common.video_options("Write the walk as a video"),
    click.option("--pictures", is_flag=True,
                 help="With --video, write the frames as pictures as well."),
)
def interpolate(
    request: RenderingRequest,
    latents: tuple[Path, ...],
    seeds: list[int] | None,
    frames: int,
    space: str,
    loop: bool,
    ease: bool,
    noise_mode: str,
    pictures: bool,
) -> None:
    """Walk between pictures.

    LATENTS are folders of `latentlab project`, whose noise maps are used as well, their
    latents.safetensors or .parquet, or .npz, .npy or .pt files; the walk goes through all their
    pictures in this order, and shows each as it is. With --seeds and several classes it goes
    through the classes of the first seed, then through those of the next.
    DIR receives frames/00000.png and so on, or the video; strip.png with one row for each way
    from picture to picture; frames.npz with the latents (key w); frames.csv, which says where
    each frame is; and manifest.json.

    \b
    Examples:
      latentlab interpolate model.safetensors projections -o walk
      latentlab interpolate model.safetensors out/anna out/ben --loop --ease \\
          --video walk.mp4 -o walk
      latentlab interpolate builtin:digits-stylegan2 --seeds 0-5 --space z \\
          --video walk.gif -o walk
      latentlab interpolate classes.pkl --seeds 5 --class all --loop -o classes
    """
    _refuse_conflicts(click.get_current_context())
    from cli.projecting.origin import told
    from cli.projecting.saved_latents import origins_of
    from cli.rendering.render import latents_to_render
    from cli.rendering.results import draw_or_tell
    from cli.rendering.walks import (
        STRIP,
        Walk,
        anchored,
        draw,
        on_circles,
        on_lines,
        planned_files,
    )
    from cli.running.estimates import Task
    from latentlab.editing.interpolation import places

    model = request.open()
    request.placed(model.g)
    keys = latents_to_render(model, seeds or [], latents, None, request.any_checkpoint)
    if len(keys) * frames > _MOST_FRAMES:
        raise click.UsageError(
            f"{len(keys)} pictures with {frames:,} frames each make more than {_MOST_FRAMES:,}."
        )
    way = places(len(keys), frames, loop, ease)
    ws_at = on_circles(model, seeds or []) if space == "z" else on_lines(keys)
    ws_at = anchored(model.g, ws_at) if request.anchor else ws_at
    walk = Walk(request, keys, way, ws_at, noise_mode, pictures or not request.video)
    settings = {
        "pictures": [key.name for key in keys], "frames": len(way), "frames_a_leg": frames,
        "space": space, "loop": loop, "ease": ease, "noise_mode": noise_mode,
        "latents": told(origins_of(keys), model),
        **request.settings(bool(seeds)), **request.placement(), **model.settings(),
    }
    draw_or_tell(request, planned_files(walk), settings, partial(draw, model.g, walk), latents,
                 task=Task("Rendering", len(way), "frame", model.g),
                 first=request.output / (request.video or STRIP))
# fmt: on


def _refuse_conflicts(ctx: click.Context) -> None:
    given = common.given_options(ctx)
    if ("seeds" in given) == bool(ctx.params["latents"]):
        raise click.UsageError("Give either LATENTS or --seeds.")
    if ctx.params["space"] == "z" and "seeds" not in given:
        raise click.UsageError("--space z goes with --seeds; saved latents have no z.")
    if "seeds" not in given:
        common.refuse_without_seeds(given)
    common.refuse_without_video(given, "fps", "pictures")
