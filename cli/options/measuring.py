"""What the measuring commands share: options, the opened model, work that can be continued."""

from collections.abc import Callable
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
    seed_option,
)
from cli.options.values import TABLE_SUFFIXES, file_name
from cli.running.processes import joined_processes

if TYPE_CHECKING:
    pass


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
        click.option("--report", type=file_name(*TABLE_SUFFIXES), default=report, show_default=True,
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


# As metrics.path_length.PROTOCOLS, without torch.
PROTOCOL_NAMES = ("ppl_zfull", "ppl_wfull", "ppl_zend", "ppl_wend", "ppl2_wend")


# As metrics.fidelity_networks.METRICS, without torch.
METRIC_NAMES = ("fid", "kid", "prc")
