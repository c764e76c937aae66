"""What all measuring commands do: plan their results, and work that can be continued."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import latentlab
from cli.measuring.partial import PartialResults
from cli.measuring.results import Results
from cli.models import Model, in_a_line
from cli.options.measuring import MeasuringRequest
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.running.announcement import announce
from cli.running.estimates import Task
from cli.running.exit_codes import DIVERGED, PARTLY_BAD, leave
from cli.running.folder_lock import claimed
from cli.running.interrupt import sigterm_waits, unwind_on_sigterm
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import distributed
from metrics.sampling import batch_size


@contextmanager
def claimed_results(
    request: MeasuringRequest,
    title: str,
    files: Sequence[str],
    models: Sequence[Model],
    settings: dict[str, Any],
    left_out: Sequence[str] = (),
    tasks: Sequence[Task] = (),
    fetched: Sequence[Path] = (),
) -> Iterator[Results]:
    """Hold the folder for the results of a command; a dry run says what they are, and ends here.

    Args:
        request: What the command line asks for.
        title: Of the page.
        files: Names of the results, besides the report and the page.
        models: What is measured.
        settings: What else a dry run prints.
        left_out: What could not be read, with the reason.
        tasks: The work, which is announced.
        fetched: Files that are fetched before it.

    Raises:
        OutputError: If a result exists already and must not be replaced.
    """
    results = Results(request, title, files)
    place = models[0].place if models else "cpu"
    if request.dry_run:
        if distributed.is_main():
            told = [in_a_line(model.opened, model.name) for model in models]
            plan = DryRun(
                tasks, results.folder, results.planned, place, told, refused=left_out,
                fetched=fetched,
            )  # fmt: skip
            facts = {"models": [model.facts() for model in models], **settings}
            tell_dry_run(plan, facts)
            end(left_out)
        raise click.exceptions.Exit(0)
    with claimed(results.folder):
        announce(tasks, place)
        yield results


def sampling(
    model: Model, request: MeasuringRequest, verb: str, count: int, noun: str, **more: Any
) -> Task:
    """Return the task of a metric that renders numbered samples; ``more`` are Task's."""
    return Task(verb, count, noun, model.g, batch=batch_size(model.g, request.batch), **more)


def end(left_out: Sequence[str], diverged: int = 0) -> None:
    """Name what was left out, and end with the exit code that says so, if anything was."""
    lost = [f"{counted(diverged, 'projection')} diverged"] * (diverged > 0)
    leave([*lost, *left_out], DIVERGED if diverged else PARTLY_BAD)


@contextmanager
def work_on(
    request: MeasuringRequest,
    model: Model,
    label: str,
    total: int,
    unit: str,
    identity: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the arguments that let a metric show progress and continue where it was stopped.

    Args:
        request: What the command line asks for; batches are kept in its folder until the results
            are written.
        model: What is measured.
        label: Shown at the progress bar.
        total: Number of samples.
        unit: What a sample is called there.
        identity: All that decides the numbers, besides the model, the device and the count.
    """
    place = model.place.split(":")[0]  # processes on several GPUs share what is finished
    facts = {"version": latentlab.__version__, "device": place, "sha256": model.sha256}
    finished = PartialResults(request.output, {**identity, **facts})
    begun = len(finished) > 0
    if begun and distributed.is_main():
        say(f"{label}: continuing where it was stopped.")
    with ProgressBar(total, label, unit, hidden=not distributed.is_main()) as bar:
        if begun:
            bar.move_to(min(sum(map(len, finished)), total))
        try:
            with unwind_on_sigterm():
                yield {"batch": request.batch, "finished": finished,
                       "progress": lambda done, _: bar.move_to(done)}  # fmt: skip
        except KeyboardInterrupt as error:
            error.add_note(f"The same command continues; what is finished is in {request.output}.")
            raise
        finally:
            with sigterm_waits():
                finished.write()
