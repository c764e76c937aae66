"""Pictures for a small network on a CPU, spread over processes of one thread each."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from cli.options.projection import ProjectionRequest
from cli.pictures.plan import Job, Layout, PicturePlan
from cli.pictures.report import Outcome
from cli.projecting.files import remove_stages
from cli.projecting.method import Method, open_method
from cli.projecting.plan import task_of
from cli.projecting.run import BatchWorker, pictures_of, project_pictures
from cli.running.announcement import announce
from cli.running.progress import DistantBar, ProgressBar
from cli.threads import asked_workers, spare_cpus
from latentlab.projection.start import StartSearch
from latentlab.workers import Step, forks, spread

# Forking a process takes less time than 20 steps of a small network, starting one from nothing as
# much as some 400.
_STEPS_FORKED, _STEPS_STARTED = 100, 1000

Batch = Sequence[Job]
Begin = Callable[..., Callable[[Batch], Iterator[Outcome]]]


def processes_for(method: Method, plan: PicturePlan) -> int:
    """Return over how many processes a plan is worth spreading; 1 stands for this one alone."""
    search = method.request.search
    if search.encoder is not None or search.identity is not None:
        return 1  # each process would open it, a gigabyte or so
    count = len(plan.batches(method.batch))
    each = _STEPS_FORKED if forks() else _STEPS_STARTED
    worth = count if asked_workers() else count * method.settings.steps // each
    return max(min(spare_cpus(method.g), count, worth), 1)


def project_in_processes(
    method: Method, plan: PicturePlan, count: int
) -> Generator[Outcome, None, None]:
    """Project what is left, and yield what becomes of each picture as it comes.

    The results are those of one process to the last bit: each has one thread, as this one has
    for so small a network, and batches stay as they are.

    Args:
        method: How.
        plan: What.
        count: Processes, from ``processes_for``; 1 starts none, and leaves sharing to torchrun.
    """
    if count == 1:
        yield from project_pictures(method, plan)
        return
    remove_stages(plan.layout.output)
    announce([task_of(method, plan, count)], method.facts["device"])
    batches, steps = plan.batches(method.batch), method.settings.steps
    begin, arguments = _opened(method, plan) if forks() else _to_open(method, plan)
    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar(len(batches) * steps, "projecting", "step"))
        begun = spread(begin, arguments, batches, count, lambda told: bar.advance(1, **told))
        stack.enter_context(closing(begun))
        total, at_once = len(plan.jobs), count * method.batch
        bar.rename(pictures_of(plan.done + 1, min(plan.done + at_once, total), total))
        for done, outcome in enumerate(begun, plan.done + 1):
            # One that is done makes room for the next; the last ones keep the last label.
            first = min(done + 1, max(total - at_once, 0) + 1)
            bar.rename(pictures_of(first, min(first + at_once - 1, total), total))
            yield outcome
        bar.move_to(len(batches) * steps)  # a picture that is refused has no steps


def _opened(method: Method, plan: PicturePlan) -> tuple[Begin, tuple[Any, ...]]:
    """Return what begins in a forked process, with what is open here already."""
    import torch._dynamo  # noqa: F401 - all optimizers import it: here once, not in each process

    search = StartSearch(method.g, method.distance, method.settings, method.c)
    return _begin_forked, (method, plan.layout, search)


def _begin_forked(
    method: Method, layout: Layout, search: StartSearch, tell: Step
) -> Callable[[Batch], Iterator[Outcome]]:
    return BatchWorker(method, layout, search, DistantBar(tell)).outcomes


def _to_open(method: Method, plan: PicturePlan) -> tuple[Begin, tuple[Any, ...]]:
    """Return what begins in a process that has nothing open."""
    pictures = [job.picture for job in plan.jobs]
    return _begin, (
        method.checkpoint, method.request, pictures, method.facts["device"], plan.layout
    )  # fmt: skip


def _begin(
    checkpoint: str,
    request: ProjectionRequest,
    pictures: Sequence[Path],
    device: str,
    layout: Layout,
    tell: Step,
) -> Callable[[Batch], Iterator[Outcome]]:
    """Open in a process what it needs; returns what projects a batch."""
    method = open_method(checkpoint, request, pictures, device)
    search = StartSearch(method.g, method.distance, method.settings, method.c)
    return BatchWorker(method, layout, search, DistantBar(tell)).outcomes
