"""latentlab project: pictures into W or W+."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options.common import (
    checkpoint_argument,
    class_option,
    device_option,
    distance_option,
    dry_run_option,
    given_options,
    output_option,
    overwrite_option,
    refuse_without_video,
    video_options,
)
from cli.options.pictures import PictureOrder, picture_options
from cli.options.projection import SearchOrder, search_options
from cli.options.values import FileName
from cli.running.processes import joined_processes
from cli.text import plain_text, say, say_left_out

if TYPE_CHECKING:
    from cli.projecting.plan import Plan
    from cli.projecting.report import ProjectionReport
    from cli.projecting.targets import TargetReader


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@search_options
@distance_option
@picture_options
@video_options("A video of each projection")
@click.option("--limit", type=click.IntRange(min=1), metavar="N",
              help="Take the first N pictures only.")
@click.option("--shuffle", is_flag=True, help="Take the pictures in random order, by --seed.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N",
              help="Pictures optimised at once; default: 1 on the CPU, 8 elsewhere.")
@class_option("Class of a conditional generator; default: the mean of all.")
@click.option("--latents", type=FileName((".safetensors", ".parquet")),
              default="latents.safetensors", show_default=True, metavar="NAME",
              help="File for the latents of all pictures: .safetensors or .parquet.")
@dry_run_option
@output_option
@overwrite_option
@device_option
@joined_processes
def project(
    checkpoint: str,
    pictures: tuple[str, ...],
    search: SearchOrder,
    distance: str,
    reading: PictureOrder,
    video: str | None,
    fps: float,
    limit: int | None,
    shuffle: bool,
    batch: int | None,
    label: int | None,
    latents: str,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Find the latents and noise of pictures.

    PICTURE is a file, a folder of pictures, or a pattern such as 'photos/*.jpg'. The files of
    a picture that is named alone go into DIR itself, those of others into DIR/NAME each:
    projected_w.npz (key w), projected_noise.npz, target.png, projected.png, comparison.png
    (target and projection side by side), history.csv and projection.json (what they are); and
    alignment.json, mask.png and the video where these are asked for. DIR/report.csv has a row a
    picture, DIR/latents.safetensors the latents of all.

    The same command again continues where it was stopped. A picture that cannot be used is
    named in the report, and the others go on.

    \b
    Examples:
      latentlab project model.safetensors photo.jpg -o out
      latentlab project model.safetensors photos --space w+ -o out
      latentlab project ffhq.pkl photos --crop face --landmarks points.csv \\
          --space w+ --w-plus-pull 0.03 -o out
      latentlab project builtin:digits-stylegan2 scan.png \\
          --distance builtin:digits --steps 300 -o out
    """
    from cli.models import resolve_device
    from cli.pictures.choice import choose
    from cli.projecting.files import REPORT
    from cli.projecting.plan import make_plan
    from cli.projecting.report import ProjectionReport
    from cli.projecting.run import Method, first_usable, run_projections
    from cli.projecting.saved_latents import SavedStarts
    from cli.projecting.targets import TargetReader
    from cli.projecting.video import VideoOrder
    from cli.reports.tables import MANIFEST
    from latentlab import __version__, distributed, load, perceptual_distance
    from latentlab.latents import one_hot
    from latentlab.projection.projector import default_batch
    from latentlab.video.writer import check_video

    refuse_without_video(given_options(click.get_current_context()), "fps")
    if video is not None:
        check_video(video, fps)
    settings = search.settings()
    opened = load(checkpoint)
    place = resolve_device(device)
    g = opened.generator.to(place)
    c = None if label is None else one_hot(label, g.c_dim)
    reader = TargetReader(g, reading)
    saved = None if search.start is None else SavedStarts(search.start, g)
    choice = choose(pictures, limit, search.seed if shuffle else None)
    reader.check(choice.names)
    compare = perceptual_distance(distance, place)
    decisive = {
        "latentlab": __version__, "sha256": opened.sha256, "distance_name": compare.name,
        "class": label, **reading.facts(), **search.facts(), "video": video,
    }
    # Landmarks may grow and be corrected: pictures whose own are the same stay as they are.
    identity = {name: decisive[name] for name in decisive if not name.startswith("landmarks")}
    facts = {
        **decisive, "batch": batch or default_batch(g), "device": place,
        "checkpoint": plain_text(checkpoint),
    }
    together = None if choice.alone else latents
    reports = [output / name for name in (REPORT, MANIFEST, together) if name]
    plan = distributed.from_main(lambda: make_plan(
        choice, output, identity, overwrite, reports, reader.is_current))
    report = ProjectionReport(output, choice, plan, facts)
    first = first_usable(reader, plan, report)
    if first is not None:
        compare.features(first.image[None].to(place))  # a distance for another size ends here
    if dry_run and distributed.is_main():
        _tell_plan(plan, reader, report, facts)
    elif not dry_run:
        shown = None if video is None else VideoOrder(video, fps)
        method = Method(g, compare, settings, c, facts["batch"], identity, saved, shown)
        run_projections(method, reader, plan, report, output, together)
        if distributed.is_main():
            say(f"{report.told()}; see {output / REPORT}")
    if distributed.is_main():
        say_left_out(report.left_out)
    if code := report.exit_code:
        raise click.exceptions.Exit(code)
# fmt: on


def _tell_plan(
    plan: "Plan", reader: "TargetReader", report: "ProjectionReport", facts: dict[str, Any]
) -> None:
    """Print which pictures would be projected, and the settings, as JSON."""
    from latentlab import ImageError

    usable = []
    for job in plan.left:
        try:
            reader(job.picture)
            usable.append(plain_text(job.picture))
        except ImageError as error:
            report.refuse(job.picture, error)
    done = len(plan.jobs) - len(plan.left)
    click.echo(json.dumps({"pictures": usable, "done": done, **facts}, indent=1))
