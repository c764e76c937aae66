"""What all measuring commands do: plan their results, and work that can be continued."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import click

import latentlab
from cli.measuring.partial import PartialResults, keep_small
from cli.measuring.results import Results
from cli.measuring.saved import FOLDER, NAME, SavedMeasurement, SavedModel, plain
from cli.measuring.standing import Standing, standing
from cli.models import Model, in_a_line
from cli.options.measuring import MeasuringRequest
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.running.announcement import announce
from cli.running.estimates import Task
from cli.running.exit_codes import DIVERGED, PARTLY_BAD, leave
from cli.running.folder_lock import claimed
from cli.running.interrupt import Terminated, sigterm_waits, unwind_on_sigterm
from cli.running.progress import ProgressBar
from cli.text import counted, say, say_held
from latentlab import LatentlabError, OutputError, distributed
from latentlab.errors import reason
from latentlab.files import remove_unfinished
from latentlab.workers import usable_workers
from metrics.sampling import batch_size


@dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Attributes:
        identity: All that decides the numbers, besides the models, the device and the extent.
        extent: Sample counts by name.
        models: What a manifest says of each model.
        place: The device.
        shown: What decides the look of the files alone.
    """

    identity: dict[str, Any]
    extent: dict[str, Any]
    models: Sequence[dict[str, Any]]
    place: str
    shown: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: dict[str, Any], models: Sequence[Model], *more: str) -> "Asked":
        """Take from settings ``samples``, and ``more`` of these names, as the extent."""
        names = ("samples", *more)
        identity = {name: value for name, value in settings.items() if name not in names}
        extent = {name: settings[name] for name in names if name in settings}
        place = models[0].place if models else "cpu"
        return cls(identity, extent, [model.facts() for model in models], place)

    def measurement(self, title: str) -> SavedMeasurement:
        """Return it as it will be saved, without results."""
        made_by = {"version": latentlab.__version__, "device": kind_of(self.place)}
        models = [SavedModel(facts) for facts in self.models]
        shown = plain({"title": title, **self.shown})
        return SavedMeasurement(shown, made_by, plain(self.identity), self.extent, models)


def kind_of(place: str) -> str:
    """Return the kind of a device: processes on several GPUs share what is finished."""
    return place.split(":", maxsplit=1)[0]


@contextmanager
def claimed_results(
    request: MeasuringRequest,
    title: str,
    files: Sequence[str],
    models: Sequence[Model],
    settings: dict[str, Any],
    left_out: Sequence[str] = (),
    tasks: Sequence[Task] | Callable[[], Sequence[Task]] = (),
    fetched: Sequence[Path] = (),
    asked: Asked | None = None,
) -> Iterator[Results]:
    """Hold the folder for the results of a command.

    A dry run prints the settings, and ends here; so does a command whose results are there already.

    Args:
        request: What the command line asks for.
        title: Of the page.
        files: Names of the results, besides the report and the page.
        models: What is measured.
        settings: What else a dry run prints.
        left_out: What could not be read, with the reason.
        tasks: The work, which is announced; or what opens something for it, if there is any work,
            and returns it. A dry run needs it as it is.
        fetched: Files that are fetched before it.
        asked: What decides the numbers, and how many there are; default: ``samples`` of the
            settings is how many, and all others decide.

    Raises:
        OutputError: If a result exists already and must not be replaced.
    """
    results = Results(request, title, files)
    place = models[0].place if models else asked.place if asked else "cpu"
    wanted = (asked or Asked.of(settings, models)).measurement(title)
    if request.dry_run:
        if distributed.is_main():
            here = results.standing if request.overwrite else _standing(results, wanted)
            known = () if callable(tasks) else tasks
            left = (known, fetched) if here.saved is None else ((), ())
            told = [in_a_line(model.opened, model.name) for model in models]
            planned = [results.folder / name for name in results.names]
            plan = DryRun(left[0], results.folder, planned, place, told, refused=left_out,
                          fetched=left[1], standing=here.told)  # fmt: skip
            tell_dry_run(plan, {"models": [model.facts() for model in models], **settings})
            end(left_out)
        raise click.exceptions.Exit(0)
    with claimed(results.folder):
        _begin(results, wanted)
        if results.standing.finished:
            if distributed.is_main():
                end(left_out)
            raise click.exceptions.Exit(0)
        if results.saved is None:
            announce(tasks() if callable(tasks) else tasks, place)
        with _damage_told(results):
            yield results


def _begin(results: Results, wanted: SavedMeasurement) -> None:
    """Put away what a killed run has left, and say what of the measurement is there already."""
    folder, main = results.folder, distributed.is_main()
    for place in (folder, folder / FOLDER) if main else ():
        remove_unfinished(place)
    if results.request.overwrite:
        results.ask(wanted, results.standing)
    else:
        results.ask(wanted, distributed.from_main(lambda: _standing(results, wanted)))
    say_held()
    if main and results.standing.told:
        say(results.standing.told)
    if main and results.standing.finished:
        keep_small(folder, afresh=False)  # of a run that was killed before it did


def _standing(results: Results, wanted: SavedMeasurement) -> Standing:
    request = results.request
    return standing(results.folder, wanted, request.report, request.html, results.planned)


@contextmanager
def _damage_told(results: Results) -> Iterator[None]:
    """Say of saved results that nothing can be made from that they are damaged."""
    try:
        yield
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        if results.saved is None or isinstance(error, LatentlabError):
            raise
        raise OutputError(
            f"{results.folder / NAME}: holds no results of this command ({reason(error)}); use "
            "--overwrite to measure again, or another --output"
        ) from error


def sampling(
    model: Model, request: MeasuringRequest, verb: str, count: int, noun: str, **more: Any
) -> Task:
    """Return the task of a metric that renders numbered samples; ``more`` are Task's."""
    batch = batch_size(model.g, request.batch)
    processes = max(min(usable_workers(), -(-count // batch)), 1)
    return Task(verb, count, noun, model.g, batch=batch, processes=processes, **more)


def end(left_out: Sequence[str], diverged: int = 0) -> None:
    """Name what was left out, and end with the exit code that says so, if anything was."""
    lost = [f"{counted(diverged, 'projection')} diverged"] * (diverged > 0)
    leave([*lost, *left_out], DIVERGED if diverged else PARTLY_BAD)


class Measured(Protocol):
    """What is measured: a model, or anything else that has a name, a device and a SHA-256."""

    @property
    def short_name(self) -> str: ...  # noqa: D102

    @property
    def place(self) -> str: ...  # noqa: D102

    @property
    def sha256(self) -> str: ...  # noqa: D102


@contextmanager
def work_on(
    request: MeasuringRequest,
    model: Measured,
    label: str,
    total: int,
    unit: str,
    identity: dict[str, Any],
    again: bool = False,
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
        again: Whether this run has measured the same before, under another name.
    """
    place = kind_of(model.place)
    facts = {"version": latentlab.__version__, "device": place, "sha256": model.sha256}
    # As pairs: of classifiers in another order, the columns of batches are those of others.
    ordered = {k: [*v.items()] if isinstance(v, Mapping) else v for k, v in identity.items()}
    finished = PartialResults(request.output, {**ordered, **facts}, request.overwrite)
    begun = len(finished) > 0
    if finished.stopped and not again and distributed.is_main():
        say(f"{label}: continuing where it was stopped.")
    with ProgressBar(total, label, unit, hidden=not distributed.is_main()) as bar:
        if begun:
            bar.move_to(min(sum(map(len, finished)), total))
        try:
            with unwind_on_sigterm():
                yield {"batch": request.batch, "finished": finished,
                       "progress": lambda done, _: bar.move_to(done)}  # fmt: skip
        except (KeyboardInterrupt, Terminated) as error:
            error.add_note(f"The same command continues; what is finished is in {request.output}.")
            raise
        finally:
            with sigterm_waits():
                finished.write()
    distributed.barrier()  # all have written before one puts the batches together
