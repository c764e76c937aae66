"""latentlab align: the faces of photos, cut out as FFHQ's pictures show them."""

from pathlib import Path

import click

from cli.options.common import dry_run_option, output_option, overwrite_option
from cli.options.pictures import (
    AlignmentRequest,
    alignment_options,
    limit_option,
    pictures_argument,
)
from cli.text import counted, plain_text


# fmt: off
@click.command()
@pictures_argument
@alignment_options
@limit_option
@dry_run_option
@output_option
@overwrite_option
def align(
    pictures: tuple[str, ...],
    request: AlignmentRequest,
    limit: int | None,
    dry_run: bool,
    output: Path,
    overwrite: bool,
) -> None:
    """Cut the faces out of photos, as in FFHQ.

    PICTURE is a file, a folder of pictures, or a pattern such as 'photos/*.jpg'. Where the
    faces are comes from --landmarks, or is found by --face-model. DIR receives a
    NAME.png for each photo, and alignment.csv with one row for each: the points, the square that
    was cut out, and why a photo was left out. It can serve as --landmarks itself.

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
    from cli.pictures.alignment import AlignmentReport, Cutting, align_pictures, task_of
    from cli.pictures.choice import choose
    from cli.pictures.report import carry_out
    from cli.reports.dry_run import DryRun, tell_dry_run
    from cli.running.folder_lock import claimed

    with claimed(output, dry_run=dry_run):
        cutting, choice = Cutting(request), choose(pictures, limit)
        plan = cutting.plan(choice, output, overwrite)
        if dry_run:
            left = [plain_text(job.picture) for job in plan.left]
            files = [file for job in plan.left for file in plan.layout.results(job.name)]
            inputs = [f"{counted(len(left), 'photo')} left, {plan.done:,} done already"]
            tell_dry_run(DryRun([task_of(plan)], output, files, "cpu", inputs=inputs),
                         {"pictures": left, "done": plan.done, **cutting.facts})
            return
        report = AlignmentReport(plan, choice.failures, cutting.facts)
        carry_out(align_pictures(cutting, plan), report)
        report.close("aligned")
# fmt: on
