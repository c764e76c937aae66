"""What the measuring commands share: options, the opened model, work that can be continued."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options.common import (
    device_option,
    dry_run_option,
    grouped_options,
    output_option,
    overwrite_option,
    resolve_device,
    seed_option,
)
from cli.options.values import TABLE_SUFFIXES, FileName
from cli.running.processes import joined_processes
from cli.text import plain_text, say

if TYPE_CHECKING:
    import pandas as pd

    from latentlab import Checkpoint, Generator
    from metrics import MetricResult


@dataclass(frozen=True)
class Order:
    """What every measuring command is told: where to write what, and how to compute."""

    output: Path
    report: str
    overwrite: bool
    seed: int
    batch: int | None
    device: str
    dry_run: bool
    html: bool = True


def measuring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of an Order, which the command takes as ``order``."""
    return reporting_options("report.csv")(command)


def reporting_options(report: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return measuring_options with another name for the table."""
    html = click.option("--html", is_flag=True, help="Also write DIR/report.html: tables, plots "
                        "and pictures in one file.")  # fmt: skip
    return _order_options(report, html)


def page_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of an Order whose page is always written."""
    return _order_options("report.csv")(command)


def _order_options(
    report: str, *more: Callable[[Any], Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    options = (
        *more,
        seed_option("Seed of latents, noise and resampling."),
        click.option("--batch", type=click.IntRange(min=1), metavar="N",
                     help="Samples at once on a GPU; default: by the size of the images."),
        output_option,
        click.option("--report", type=FileName(TABLE_SUFFIXES), default=report, show_default=True,
                     metavar="NAME", help="Table in DIR: .csv, .json, .parquet or .md."),
        overwrite_option,
        dry_run_option,
        device_option,
    )  # fmt: skip
    group = grouped_options("order", Order, options)
    return lambda command: group(joined_processes(command))


def samples_option(default: int, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--samples: how many, passed to the command as ``samples``."""
    return click.option(
        "--samples", type=click.IntRange(1, 10_000_000), default=default, show_default=True,
        metavar="N", help=text,
    )  # fmt: skip


@dataclass(frozen=True)
class Model:
    """An opened checkpoint to measure: what it is called, and its generator on the device."""

    name: str
    opened: "Checkpoint"
    g: "Generator"
    place: str

    @property
    def sha256(self) -> str:
        """Of the checkpoint's file."""
        return self.opened.sha256

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the model."""
        return {"checkpoint": self.name, "kind": self.opened.kind, "sha256": self.sha256}

    def tidy(self, result: "MetricResult") -> "pd.DataFrame":
        """Return a result's rows with the model's name before and its SHA-256 behind."""
        frame = result.frame()
        frame.insert(0, "model", self.name)
        return frame.assign(sha256=self.sha256)


def open_model(checkpoint: str, device: str) -> Model:
    """Open a checkpoint for measuring."""
    from latentlab import load

    place = resolve_device(device)
    opened = load(checkpoint)
    return Model(plain_text(checkpoint), opened, opened.generator.to(place), place)


def tell_dry_run(models: list[Model], settings: dict[str, Any]) -> None:
    """Print what would be measured, as JSON."""
    from latentlab import distributed

    facts = [model.facts() for model in models]
    if distributed.is_main():
        click.echo(json.dumps({"models": facts, **settings}, indent=1, default=str))


@contextmanager
def work_on(
    folder: Path, model: Model, label: str, total: int, unit: str, identity: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the arguments that let a metric show progress and continue where it was stopped.

    Args:
        folder: Where batches are kept until the results are written.
        model: What is measured.
        label: Stands at the progress bar.
        total: Number of samples.
        unit: What a sample is called there.
        identity: All that decides the numbers, besides the model, the device and the count.
    """
    import latentlab
    from cli.measuring.partial import PartialResults
    from cli.running.interrupt import sigterm_waits, unwind_on_sigterm
    from cli.running.progress import ProgressBar
    from latentlab import distributed

    place = model.place.split(":")[0]  # processes on several GPUs share what is finished
    facts = {"version": latentlab.__version__, "device": place, "sha256": model.sha256}
    finished = PartialResults(folder, {**identity, **facts})
    begun = len(finished) > 0
    if begun and distributed.is_main():
        say(f"{label}: continuing where it was stopped.")
    with ProgressBar(total, label, unit, hidden=not distributed.is_main()) as bar:
        if begun:
            bar.move_to(min(sum(map(len, finished)), total))
        try:
            with unwind_on_sigterm():
                yield {"finished": finished, "progress": lambda done, _: bar.move_to(done)}
        finally:
            with sigterm_waits():
                finished.write()
