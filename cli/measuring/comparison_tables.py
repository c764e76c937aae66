"""The tables behind the plots of a comparison: the samples of all models, one row for each."""

from collections.abc import Iterable, Sequence

import pandas as pd

from cli.measuring.comparison import Measured
from cli.measuring.results import Results
from cli.reports.tables import joined
from metrics import MetricResult

LENGTHS, ATTRIBUTES, SHARES, DROPLETS = (
    "path_lengths.csv", "attributes.csv", "contributions.csv", "detections.csv"
)  # fmt: skip
TABLES = (LENGTHS, ATTRIBUTES, SHARES, DROPLETS)

_METRICS = {"path_length": LENGTHS, "separability": ATTRIBUTES, "droplets": DROPLETS}


def write_tables(results: Results, measured: Sequence[Measured]) -> None:
    """Write what the plots are drawn from, of the metrics that were measured."""
    for metric, name in _METRICS.items():
        parts = [_samples(each, result) for each, result in _of(measured, metric)]
        if parts:
            results.table(name, joined(parts))
    shares = [each.model.tidy(result) for each, result in _of(measured, "contributions")]
    if shares:
        results.table(SHARES, joined(shares))


def _of(measured: Sequence[Measured], metric: str) -> Iterable[tuple[Measured, MetricResult]]:
    return [(each, r) for each in measured for r in each.results if r.metric == metric]


def _samples(each: Measured, result: MetricResult) -> pd.DataFrame:
    """Return a result's samples with the model's name first, and the protocol where it has any."""
    table = result.samples.copy()
    if "protocol" in result.settings:
        table.insert(0, "protocol", result.settings["protocol"])
    table.insert(0, "model", each.label)
    return table
