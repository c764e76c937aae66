"""The tables behind the plots of a comparison: the samples of all models, one row for each."""

from collections.abc import Iterable, Sequence

import pandas as pd

from cli.comparing.comparison import Measured
from cli.measuring.results import Results
from cli.reports.tables import joined
from metrics import MetricResult

_SHARES = "contributions"  # the metric whose tidy rows are what its plot is drawn from
TABLES = {
    "path_length": "path_lengths.csv", "separability": "attributes.csv",
    _SHARES: "contributions.csv", "droplets": "detections.csv", "attribution": "distances.csv",
}  # fmt: skip


def write_tables(results: Results, measured: Sequence[Measured]) -> None:
    """Write what the plots are drawn from, of the metrics that were measured."""
    for metric, name in TABLES.items():
        parts = [
            each.model.tidy(result) if metric == _SHARES else _samples(each, result)
            for each, result in _of(measured, metric)
        ]
        if parts:
            results.table(name, joined(parts))


def _of(measured: Sequence[Measured], metric: str) -> Iterable[tuple[Measured, MetricResult]]:
    return [(each, r) for each in measured for r in each.results if r.metric == metric]


def _samples(each: Measured, result: MetricResult) -> pd.DataFrame:
    """Return a result's samples with the model's name first, and the protocol where it has any."""
    table = result.samples.copy()
    if "protocol" in result.settings:
        table.insert(0, "protocol", result.settings["protocol"])
    table.insert(0, "model", each.label)
    return table
