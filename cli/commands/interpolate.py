"""latentlab interpolate: walks between pictures, as frames or as a video."""

import json
from pathlib import Path

import click

from cli.options.common import (
    checkpoint_argument,
    class_option,
    cutoff_option,
    device_option,
    dry_run_option,
    given_options,
    output_option,
    overwrite_option,
    refuse_without_seeds,
    refuse_without_video,
    truncation_option,
    tuning_option,
    video_options,
)
from cli.options.values import NumberList
from cli.text import counted, plain_text, say

_MOST_FRAMES = 100_000


# fmt: off
@click.command()
@checkpoint_argument
@tuning_option
@click.argument("latents", nargs=-1, metavar="[LATENTS]...", type=click.Path(path_type=Path))
@click.option("--seeds", type=NumberList(), metavar="LIST",
              help="Walk between the pictures of seeds such as 0,3,8-15 instead.")
@click.option("--frames", type=click.IntRange(1, 10_000), default=60, show_default=True,
              metavar="N", help="Frames from one picture to the next.")
@click.option("--space", type=click.Choice(["w", "z"]), default="w", show_default=True,
              help="w: straight lines; z, for --seeds: great circles.")
@click.option("--loop", is_flag=True, help="Walk back to the first picture at the end.")
@click.option("--ease", is_flag=True, help="Set off and arrive slowly.")
@click.option("--noise-mode", type=click.Choice(["ends", "const", "none"]), default="ends",
              show_default=True, help="Noise maps: those of the pictures on both sides mixed, with "
              "their strength kept; those stored with the generator; or no noise.")
@truncation_option
@cutoff_option
@class_option("Class of a conditional generator, for seeds.")
@video_options("Write the walk as a video")
@click.option("--pictures", is_flag=True, help="Write the frames as pictures beside a --video.")
@dry_run_option
@output_option
@overwrite_option
@device_option
def interpolate(
    checkpoint: str,
    tuning: Path | None,
    latents: tuple[Path, ...],
    seeds: list[int] | None,
    frames: int,
    space: str,
    loop: bool,
    ease: bool,
    noise_mode: str,
    truncation_psi: float,
    truncation_cutoff: int | None,
    label: int | None,
    video: str | None,
    fps: float,
    pictures: bool,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Walk between pictures.

    LATENTS are folders of `latentlab project`, whose noise maps are used as well, or .npz files
    with key w; the walk goes through all their pictures in this order, and shows each as it is. DIR
    receives frames/00000.png and so on, or the video; strip.png with a row from picture to
    picture; frames.npz with the latents (key w); frames.csv, which tells where each frame is; and
    manifest.json.

    \b
    Examples:
      latentlab interpolate model.safetensors projections -o walk
      latentlab interpolate model.safetensors out/anna out/ben --loop --ease \\
          --video walk.mp4 -o walk
      latentlab interpolate builtin:digits-stylegan2 --seeds 0-5 --space z \\
          --video walk.gif -o walk
    """
    from cli.models import open_tuned, resolve_device
    _refuse_conflicts(click.get_current_context())
    from cli.models import cutoff_of, label_of
    from cli.projecting.saved_latents import latents_of_seeds, read_saved
    from cli.rendering.walks import Walk, draw, on_circles, on_lines, planned_files
    from cli.reports.tables import MANIFEST, refuse_existing, write_manifest
    from latentlab.editing.interpolation import places
    from latentlab.video.writer import check_video

    if video is not None:
        check_video(video, fps)
    opened = open_tuned(checkpoint, tuning)
    g = opened.generator.to(resolve_device(device))
    c = None if seeds is None else label_of(g, label)
    truncation = (truncation_psi, cutoff_of(opened, truncation_cutoff))
    keys = latents_of_seeds(g, seeds, c, truncation) if seeds else read_saved(latents, g)
    ws_at = on_circles(g, seeds or [], c, truncation) if space == "z" else on_lines(keys)
    if len(keys) * frames > _MOST_FRAMES:
        raise click.UsageError(
            f"{len(keys)} pictures with {frames:,} frames each are more than {_MOST_FRAMES:,}."
        )
    way = places(len(keys), frames, loop, ease)
    walk = Walk(output, keys, way, ws_at, noise_mode, video, fps, pictures or not video)
    files = planned_files(walk)
    refuse_existing([*files, output / MANIFEST], overwrite, keep=latents)
    settings = {
        "pictures": [key.name for key in keys], "frames": len(way), "frames_a_leg": frames,
        "space": space, "loop": loop, "ease": ease, "noise_mode": noise_mode,
        "truncation_psi": truncation_psi if seeds else None, "class": label,
        "video": video, "fps": fps if video else None, "device": str(g.device),
        "checkpoint": plain_text(checkpoint), "sha256": opened.sha256,
        "tuning": opened.metadata.get("tuning"),
    }
    if dry_run:
        click.echo(json.dumps(settings, indent=1))
        return
    draw(g, walk)
    write_manifest(output, settings, files)
    say(f"{counted(len(way), 'frame')} in {output}")
# fmt: on


def _refuse_conflicts(ctx: click.Context) -> None:
    """Refuse options that exclude each other or would be ignored without a word."""
    given = given_options(ctx)
    if ("seeds" in given) == bool(ctx.params["latents"]):
        raise click.UsageError("Give either LATENTS or --seeds.")
    if ctx.params["space"] == "z" and "seeds" not in given:
        raise click.UsageError("--space z goes with --seeds; saved latents have no z.")
    if "seeds" not in given:
        refuse_without_seeds(given)
    refuse_without_video(given, "fps", "pictures")
