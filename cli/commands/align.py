"""latentlab align: the faces of photos, cut out as FFHQ's pictures show them."""

import json
from pathlib import Path

import click

from cli.options.common import dry_run_option, output_option, overwrite_option
from cli.options.pictures import (
    FaceRequest,
    background_option,
    face_options,
    first_frame_option,
    max_upscale_option,
)
from cli.text import counted, plain_text, say, say_left_out

_PARTLY_BAD = 4  # exit code


# fmt: off
@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@face_options
@click.option("--size", type=click.IntRange(8, 4096), default=1024, show_default=True,
              metavar="N", help="Side of the aligned pictures in pixels.")
@max_upscale_option
@background_option
@first_frame_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N",
              help="Take the first N pictures only.")
@dry_run_option
@output_option
@overwrite_option
def align(
    pictures: tuple[str, ...],
    faces: FaceRequest,
    size: int,
    max_upscale: float,
    background: tuple[int, int, int],
    first_frame: bool,
    limit: int | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
) -> None:
    """Cut the faces out of photos, upright and as FFHQ's pictures show them.

    PICTURE is a file, a folder of pictures, or a pattern such as 'photos/*.jpg'. Where the
    faces are comes from --landmarks, or is found by --face-model. DIR receives a NAME.png a
    photo, and alignment.csv with a row a photo: the points, the square that was cut out, and
    why a photo was left out. It can serve as --landmarks itself.

    The same command again does what is left. A photo without a face is skipped, one that
    cannot be used is named, and the others go on.

    \b
    Landmarks (CSV; pixels of the upright picture; left is the picture's left):
      picture,left_eye_x,left_eye_y,right_eye_x,right_eye_y,
              left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y
      picture,x0,y0,x1,y1, ... ,x67,y67      the 68 points of dlib and others
      a column `face` numbers the faces of a picture from 1
    JSON: {"a.jpg": [[x,y], ...68, 5 or 4...], "b.jpg": {"left_eye": [x,y], ...}}

    \b
    Examples:
      latentlab align photos --landmarks points.csv -o aligned
      latentlab align photo.jpg --face-model face_detection_yunet.onnx -o aligned
      latentlab align 'photos/*.jpg' --landmarks points.json --face 2 \\
          --size 256 -o aligned
    """
    from cli.pictures.alignment import AlignmentRun, Cutting
    from cli.pictures.choice import choose
    from cli.pictures.faces import open_faces
    from cli.pictures.plan import REPORT, make_plan
    from latentlab import __version__
    from latentlab.images import DecodePolicy

    policy = DecodePolicy(background=background, first_frame=first_frame)
    cutting = Cutting(open_faces(faces), policy, size, max_upscale)
    choice = choose(pictures, limit)
    facts = {
        "latentlab": __version__, "size": size, "max_upscale": max_upscale,
        "background": "#{:02x}{:02x}{:02x}".format(*background), "first_frame": first_frame,
        **faces.facts(),
    }
    # Landmarks may grow and be corrected: photos whose own are the same stay as they are.
    identity = {name: facts[name] for name in facts if not name.startswith("landmarks")}
    plan = make_plan(choice, output, identity, overwrite, cutting.is_current)
    cutting.faces.check(job.picture for job in plan.jobs)
    if dry_run:
        left = [plain_text(job.picture) for job in plan.left]
        done = len(plan.jobs) - len(left)
        click.echo(json.dumps({"pictures": left, "done": done, **facts}, indent=1))
        return
    run = AlignmentRun(plan, cutting, identity, facts, choice.failures)
    run()
    left_out = run.left_out
    total = counted(len(run.rows), "picture")
    say(f"{len(run.rows) - len(left_out)} of {total} aligned; see {output / REPORT}")
    say_left_out(left_out)
    if left_out:
        raise click.exceptions.Exit(_PARTLY_BAD)
# fmt: on
