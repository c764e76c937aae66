"""Where projections go, and whether what is left to project can be used at all."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from cli.pictures.choice import Choice
from cli.pictures.plan import Layout, PicturePlan, make_plan
from cli.pictures.report import PictureReport, refused
from cli.projecting.files import FILES, RECORD, REPORT
from cli.projecting.method import Method
from cli.projecting.overview import PAGE, PLOT
from cli.reports.tables import MANIFEST
from cli.running.wording import told
from cli.text import plain_text
from latentlab import ImageError, distributed


def plan_projections(method: Method, choice: Choice, output: Path, overwrite: bool) -> PicturePlan:
    """Plan a folder for each picture, or the output for one that was named alone.

    All processes must call it.

    Raises:
        ImageError: If no picture can be used, and none has been.
        OutputError: If something of another run, or foreign, is in the way.
        LatentlabError: If the distance is for pictures of another size.
    """
    request, folder = method.request, "" if choice.alone else "*/"
    files = [folder + name for name in (*FILES, RECORD)]
    drawn = [PAGE, PLOT]
    reports = [REPORT, MANIFEST, request.latents, *(drawn if request.html else [])]
    layout = Layout(output, reports, files[-1], files, [*reports, *drawn, RECORD])
    is_current = method.reader.is_current
    plan = distributed.from_main(
        lambda: make_plan(choice, layout, method.identity, overwrite, is_current)
    )
    _check(method, plan, choice.failures)
    return plan


def _check(method: Method, plan: PicturePlan, failures: Mapping[str, ImageError]) -> None:
    """Refuse what could not begin, before anything is written."""
    errors = []
    for job in plan.left:
        try:
            target = method.reader(job.picture)
        except ImageError as error:
            errors.append(error)
            continue
        method.distance.features(target.image[None].to(method.g.device))
        return
    errors += failures.values()
    if plan.done or plan.others or not errors:
        return
    first = plain_text(told(errors[0]))
    if len(errors) > 1:
        first = f"none of the {len(errors)} pictures can be used; first: {first}"
    raise ImageError(first)


def tell_plan(method: Method, plan: PicturePlan, report: PictureReport) -> None:
    """Print which pictures would be projected, and the settings, as JSON; report the others."""
    if not distributed.is_main():
        return
    usable = []
    for job in plan.left:
        try:
            method.reader(job.picture)
            usable.append(plain_text(job.picture))
        except ImageError as error:
            report.add(refused(job.picture, error, **method.facts))
    click.echo(json.dumps({"pictures": usable, "done": plan.done, **method.facts}, indent=1))
