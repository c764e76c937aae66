"""The cells of a table: what is measured here, what is published, and how far apart they are."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.measuring.model_cards import training_data
from cli.measuring.saved import SavedModel
from cli.models import Model
from cli.options.reproduction import FIDELITY, PATHS, SEPARABILITY
from cli.reports.numbers import Row
from cli.reproducing.jobs import STANDS_FOR, value_of
from cli.reproducing.tables import Column
from latentlab.datasets.pictures import BUILTIN_DIGITS
from latentlab.perceptual import BUILTIN_DIGITS as DIGITS_DISTANCE
from metrics import MetricResult
from metrics.fidelity_networks import NVIDIAS_VGG16
from metrics.published_figures import Figure, PublishedRow, PublishedTable, published

_INCEPTION = "6726825d"  # the SHA-256 of the published weights begins so, as their file's name says
_ATTRIBUTES = 40  # of CelebA
_FEWEST_PATHS = 1000  # the filter of the published mean biases fewer upwards
_PICTURES, _CLASSIFIED = 50_000, 200_000  # as published
_OTHER_DISTANCES = ("lpips-alex", "lpips-squeeze", DIGITS_DISTANCE)


@dataclass(frozen=True)
class Measured:
    """A model with its rows in a table, and what was measured of it.

    Attributes:
        model: The model.
        rows: The rows.
        found: The results.
        dataset: What it was trained on, as the command line says; "" where it does not.
        data: Its real pictures, as the command line names them.
    """

    model: Model
    rows: Sequence[PublishedRow]
    found: SavedModel
    dataset: str
    data: str = ""


@dataclass(frozen=True)
class Cell:
    """A number of a table.

    Attributes:
        row: Its row.
        column: Its column.
        figure: What is published; None where nothing is.
        model: What was measured; "" where nothing was.
        value: The tidy row of that.
        reasons: Why it is not to be held against the published one.
    """

    row: PublishedRow
    column: Column
    figure: Figure | None
    model: str = ""
    value: Row | None = None
    reasons: tuple[str, ...] = ()

    @property
    def apart(self) -> float:
        """How far it is from the published figure in standard errors; NaN where that is not known.

        The errors of both count, where they are known.
        """
        if self.value is None or self.figure is None or self.reasons:
            return math.nan
        return standard_errors_apart(self.value, self.figure)


def standard_errors_apart(value: Row, figure: Figure) -> float:
    """Return (ours - published) / root of both squared errors; NaN where neither is known."""
    errors = [value.get("standard_error"), figure.spread]
    known = [float(each) for each in errors if each is not None and not math.isnan(each)]
    error = math.hypot(*known)
    return (float(value["value"]) - figure.value) / error if error > 0 else math.nan


def cells_of(
    table: PublishedTable,
    columns: Sequence[Column],
    dataset: str,
    models: Sequence[Measured],
) -> list[Cell]:
    """Return the cells of a table: its rows in order, each with the models in it, then all others.

    Args:
        table: The published table.
        columns: Those that are shown.
        dataset: Of the published figures, where rows have none of their own.
        models: What was measured.
    """
    cells: list[Cell] = []
    for row in table.rows:
        mine: list[Measured | None] = [each for each in models if row in each.rows]
        for found in mine or [None]:
            cells += _row(table, row, columns, dataset, found)
    for each in models:
        for row in (row for row in each.rows if row not in table.rows):
            cells += _row(table, row, columns, dataset, each)
    return cells


def _row(
    table: PublishedTable,
    row: PublishedRow,
    columns: Sequence[Column],
    dataset: str,
    measured: Measured | None,
) -> Iterator[Cell]:
    for column in columns:
        figure = table.figure(row.key, row.data or dataset, column.of(row))
        found = None if measured is None else value_of(measured.found.results, column.of(row))
        if measured is None or found is None:
            yield Cell(row, column, figure, "" if measured is None else measured.model.short_name)
            continue
        reasons = () if figure is None else tuple(reasons_against(measured, *found, figure, column))
        yield Cell(row, column, figure, measured.model.short_name, found[1], reasons)


def reasons_against(
    measured: Measured, result: MetricResult, row: Row, figure: Figure, column: Column
) -> Iterator[str]:
    """Say why a number is not to be held against a published figure; nothing where it may be."""
    yield from _of_the_model(measured, figure)
    own = {FIDELITY: _of_fidelity, PATHS: _of_paths, SEPARABILITY: _of_separability}
    yield from own[column.metric](measured, result, row)


def _of_the_model(measured: Measured, figure: Figure) -> Iterator[str]:
    data, g = published().data[figure.data], measured.model.g
    trained = str(training_data(measured.model).get("fingerprint", ""))
    if BUILTIN_DIGITS in (
        trained[: len(BUILTIN_DIGITS)],
        measured.model.name[: len(BUILTIN_DIGITS)],
    ):
        yield f"published for {data.name}, trained on {BUILTIN_DIGITS}"
    elif not measured.dataset:
        yield f"published for {data.name}; --dataset would say what the model was trained on"
    elif measured.dataset != figure.data:
        yield f"published for {data.name}, trained on {published().data[measured.dataset].name}"
    if g.resolution != data.resolution:
        yield f"published for pictures of {data.size}, measured on {g.resolution}x{g.resolution}"


def _of_fidelity(measured: Measured, result: MetricResult, row: Row) -> Iterator[str]:
    settings = result.settings
    if measured.data == BUILTIN_DIGITS:
        yield f"the real pictures are {BUILTIN_DIGITS}"
    for name, what in (("n", "generated"), ("reals", "real")):
        if settings[name] < _PICTURES:
            yield f"published from {_PICTURES:,} {what} pictures, measured from {settings[name]:,}"
    features: Mapping[str, str] = settings["features"]
    if row.get("measure") == "fid":
        known = [d for d in settings["weights_sha256"].values() if d.startswith(_INCEPTION)]
        if not known:
            yield "the Inception network does not have the published weights"
    elif features["prc"] != NVIDIAS_VGG16:
        yield "published by NVIDIA's VGG16, which --vgg-weights vgg16.pt gives"


def _of_paths(_: Measured, result: MetricResult, __: Row) -> Iterator[str]:
    if result.settings["distance"] in _OTHER_DISTANCES:
        yield f"published by LPIPS on VGG16, measured by {result.settings['distance']}"
    if STANDS_FOR in result.settings:
        yield "published for the middle of faces, measured on whole pictures"
    if result.settings["n"] < _FEWEST_PATHS:
        yield f"of fewer than {_FEWEST_PATHS:,} paths, which biases the mean upwards"


def _of_separability(_: Measured, result: MetricResult, row: Row) -> Iterator[str]:
    attributes = result.samples["attribute"].nunique()
    if attributes != _ATTRIBUTES:
        yield f"published for {_ATTRIBUTES} attributes, measured for {attributes}"
    if result.settings["n"] < _CLASSIFIED:
        yield f"published from {_CLASSIFIED:,} pictures, measured from {result.settings['n']:,}"
    if any(each.void for each in result.cautions_of(row["quantity"])):
        yield "there is no score"
