"""latentlab project: pictures into W or W+."""

from pathlib import Path

import click

from cli.options.common import (
    checkpoint_argument,
    device_option,
    dry_run_option,
    given_options,
    output_option,
    overwrite_option,
    refuse_without_video,
    workers_option,
)
from cli.options.pictures import pictures_argument
from cli.options.projection import ProjectionRequest, projection_options
from cli.running.processes import joined_processes


# fmt: off
@click.command()
@checkpoint_argument
@pictures_argument
@projection_options
@dry_run_option
@output_option
@overwrite_option
@device_option
@workers_option
@joined_processes
def project(
    checkpoint: str,
    pictures: tuple[str, ...],
    request: ProjectionRequest,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Find the latents and noise of pictures.

    PICTURE is a file, a folder of pictures, or a pattern such as 'photos/*.jpg'. The files of
    a single picture named by itself go into DIR, those of all other pictures into DIR/NAME:
    projected_w.npz (key w), projected_noise.npz, target.png, projected.png, comparison.png
    (target and projection side by side), history.csv and projection.json (what they are); and
    alignment.json, mask.png and the video where these are asked for. DIR/report.csv has one row
    for each picture, DIR/latents.safetensors the latents of all, and DIR/report.html, with
    --html, shows them, the worst first.

    The same command again continues where it was stopped; with --html it draws the page from
    what is saved. A picture that cannot be used is named in the report, and the others go on.

    \b
    Examples:
      latentlab project model.safetensors photo.jpg -o out
      latentlab project model.safetensors photos --space w+ -o out
      latentlab project ffhq.pkl photos --crop face --landmarks points.csv \\
          --space w+ --w-plus-pull 0.03 -o out
      latentlab project ffhq.pkl photo.jpg --crop face --landmarks points.csv \\
          --encoder e4e_ffhq_encode.pt --steps 0 -o out
      latentlab project builtin:digits-stylegan2 scan.png \\
          --distance builtin:digits --steps 300 -o out
    """
    refuse_without_video(given_options(click.get_current_context()), "fps")
    request.search.check(request.video is not None, request.batch)
    from cli.pictures.choice import choose
    from cli.pictures.report import carry_out
    from cli.projecting.method import open_method
    from cli.projecting.plan import plan_projections, tell_plan
    from cli.projecting.report import ProjectionReport
    from cli.projecting.spread import processes_for, project_in_processes
    from cli.running.folder_lock import claimed

    seed = request.search.seed if request.shuffle else None
    with claimed(output, dry_run=dry_run):
        choice = choose(pictures, request.limit, shuffle_seed=seed)
        method = open_method(checkpoint, request, choice.names, device)
        plan = plan_projections(method, choice, output, overwrite)
        report = ProjectionReport(plan, choice.failures, method.facts, request.latents,
                                  request.html)  # fmt: skip
        processes = processes_for(method, plan)
        if dry_run:
            tell_plan(method, plan, report, processes)
        else:
            carry_out(project_in_processes(method, plan, processes), report)
        report.close(None if dry_run else "projected")
# fmt: on
