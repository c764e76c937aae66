"""Where projections go, and whether what is left to project can be used at all."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cli.pictures.choice import Choice
from cli.pictures.plan import Layout, PicturePlan, make_plan
from cli.pictures.report import PictureReport, refused
from cli.projecting.files import RECORD, REPORT, files_of
from cli.projecting.method import Method
from cli.projecting.overview import PAGE, PLOT
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.reports.tables import MANIFEST
from cli.running.estimates import Task
from cli.running.wording import told
from cli.text import counted, plain_text
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
    files = [folder + name for name in (*_names(method), RECORD)]
    drawn = [PAGE, PLOT]
    reports = [REPORT, MANIFEST, request.latents, *(drawn if request.html else [])]
    layout = Layout(output, reports, files[-1], files, [*reports, *drawn, RECORD])
    is_current = method.reader.is_current
    plan = distributed.from_main(
        lambda: make_plan(choice, layout, method.identity, overwrite, is_current)
    )
    _check(method, plan, choice.failures)
    return plan


def _names(method: Method) -> tuple[str, ...]:
    return files_of(method.g.has_w, method.settings.space)


def _check(method: Method, plan: PicturePlan, failures: Mapping[str, ImageError]) -> None:
    """Refuse what could not begin, before anything is written."""
    errors = []
    for job in plan.left:
        try:
            target = method.reader(job.picture)
        except ImageError as error:
            errors.append(error)
            continue
        method.distance.check(target.image[None].to(method.g.device))
        return
    errors += failures.values()
    if plan.done or plan.others or not errors:
        return
    first = plain_text(told(errors[0]))
    if len(errors) > 1:
        first = f"none of the {len(errors)} pictures can be used; first: {first}"
    raise ImageError(first)


def task_of(method: Method, plan: PicturePlan, processes: int = 1) -> Task:
    """Return what is left to do, and over how many processes it is spread."""
    space, steps = method.settings.space.upper(), method.settings.steps
    each = f"{counted(steps, 'step')} each" if steps else "no optimisation"
    more = f" into {space}, {each}"
    return Task(
        "Projecting", len(plan.left), "picture", method.g, steps, more, method.distance,
        gradients=True, batch=method.batch, processes=processes,
    )  # fmt: skip


def tell_plan(method: Method, plan: PicturePlan, report: PictureReport, processes: int = 1) -> None:
    """Print what a dry run has found: what would be projected, and what could not; report that."""
    if not distributed.is_main():
        return
    jobs = []
    for job in plan.left:
        try:
            method.reader(job.picture)
            jobs.append(job)
        except ImageError as error:
            report.add(refused(job.picture, error, **method.facts))
    layout, request = plan.layout, method.request
    names = [*_names(method), RECORD, *([request.video] if request.video else [])]
    results = [layout.folder(job.name) / name for job in jobs for name in names]
    told = DryRun(
        [replace(task_of(method, plan, processes), count=len(jobs))], layout.output,
        [*(layout.output / name for name in layout.reports), *results], method.facts["device"],
        inputs=[f"{counted(len(jobs), 'picture')} left, {plan.done:,} done already"],
        refused=report.notes,
    )  # fmt: skip
    pictures = [plain_text(job.picture) for job in jobs]
    tell_dry_run(told, {"pictures": pictures, "done": plan.done, **method.facts})
