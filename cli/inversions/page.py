"""The report of inversions: tables, plots, and the page that says which method is nearer."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from cli.comparing.verdicts import verdicts
from cli.inversions.figures import WORST_SHOWN, measures_plot, pictures_by, ranked
from cli.inversions.methods import WRITTEN_BY, Method
from cli.measuring.results import Results
from cli.models import with_model
from cli.reports.numbers import in_words, with_interval
from cli.reports.plot_style import colours_of
from cli.reports.tables import joined
from cli.text import counted, plain_text, say
from metrics import MetricResult, inversion_differences
from metrics.picture_pairs.differences import OVER, common_pictures
from metrics.scheme import MODEL, in_order

PICTURES, DIFFERENCES = "pictures.csv", "differences.csv"
MEASURES, WORST, BEST = "measures.png", "worst.png", "best.png"

_HIDDEN = "look"  # a column for programs
_NAMED = 5  # pictures


def planned_files(methods: int) -> list[str]:
    """Return the names of the files of a report, besides report.csv and the page."""
    return [PICTURES, *([DIFFERENCES] if methods > 1 else []), MEASURES, WORST, BEST]


def write_report(
    results: Results, measured: Mapping[str, MetricResult], methods: Sequence[Method],
    without: Sequence[str], left_out: Sequence[str], facts: dict[str, Any],
) -> None:  # fmt: skip
    """Write tables, plots and page, and say the numbers and the verdicts.

    Args:
        results: The folder.
        measured: What was measured of each method, by its name.
        methods: The methods, in the same order.
        without: Why some networks are not used.
        left_out: Pictures that could not be used, with the reason.
        facts: The settings.
    """
    names = [*measured]
    common, others = common_pictures(measured)
    differences = inversion_differences(measured)
    for line in _lines(measured):
        say(line)
    results.tell(*_lead(measured, differences, common))
    results.warn(*_cautions(measured), *_doubts(methods), *_not_common(common, others), *without)
    results.table(PICTURES, _pictures(measured))
    results.page.section("What was compared")
    results.page.table(_compared(methods))
    results.page.section("How near the results are")
    results.page.table(_values(measured), "Means over the pictures of each method, with their 95 % "
                       "intervals.")  # fmt: skip
    if len(names) > 1:
        results.table(DIFFERENCES, differences)
        _add_differences(results, differences)
    results.page.section("How the measures spread")
    plot = partial(measures_plot, measured, colours_of(names))
    results.figure(
        MEASURES, plot, "Each point is a picture, each bar a mean with its 95 % interval."
    )
    _add_pictures(results, measured, methods, common)
    if left_out:
        results.page.section("Left out")
        results.page.table(pd.DataFrame({"reason": [*left_out]}))
    rows = joined(with_model(measured[m.short_name].frame(), m.short_name, m.sha256)
                  for m in methods)  # fmt: skip
    results.finish(rows[in_order(rows.columns)], facts)
    results.point()


def _lines(measured: Mapping[str, MetricResult]) -> list[str]:
    """Say each measure of all methods in a line: "MSE: W 0.0096 (...); W+ 0.0092 (...)"."""
    values = _values(measured).drop(columns=["unit", "better"])
    lines = []
    for row in values.to_dict("records"):
        measure = row.pop("measure")
        known = [f"{name!s} {value}" for name, value in row.items() if pd.notna(value) and value]
        lines.append(f"{measure}: {'; '.join(known)}")
    return lines


def _lead(
    measured: Mapping[str, MetricResult], differences: pd.DataFrame, common: Sequence[str]
) -> list[str]:
    """Say the headline of the only method, or which is better on what."""
    if len(measured) == 1:
        ((name, result),) = measured.items()
        row = result.frame().iloc[0].to_dict()
        pictures = counted(result.settings["n"], "picture")
        return [f"{name}: {row['quantity']} {in_words(row)}, over {pictures}."]
    if differences.empty:
        return ["No picture is common to all methods, so that none can be called better."]
    return [*verdicts(differences),
            f"Compared over {counted(len(common), 'picture')} that all methods have."]  # fmt: skip


def _cautions(measured: Mapping[str, MetricResult]) -> list[str]:
    """Say what there is to doubt, each once, with the methods unless it is of all."""
    about: dict[str, list[str]] = {}
    for name, result in measured.items():
        for text in result.notes:
            about.setdefault(text, []).append(name)
    return [text if len(whose) == len(measured) else f"{', '.join(whose)}: {text}"
            for text, whose in about.items()]  # fmt: skip


def _doubts(methods: Sequence[Method]) -> list[str]:
    return [f"{method.short_name}: {text}" for method in methods for text in method.found.doubts]


def _compared(methods: Sequence[Method]) -> pd.DataFrame:
    """Return a row for each method: its folder, what wrote it, how many pictures it has."""
    rows = [
        {"method": method.short_name, "folder": plain_text(method.found.place),
         "of": WRITTEN_BY[method.found.kind], "pictures": len(method.found.pairs),
         "note": " ".join(method.found.notes) or None}
        for method in methods
    ]  # fmt: skip
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def _not_common(common: Sequence[str], others: Mapping[str, str]) -> list[str]:
    """Say which pictures do not count where methods are compared."""
    if not others:
        return []
    named = [f"{name} ({why})" for name, why in [*others.items()][:_NAMED]]
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    return [f"{counted(len(common), 'picture')} of all methods are compared; not "
            f"{', '.join(named)}{more}."]  # fmt: skip


def _pictures(measured: Mapping[str, MetricResult]) -> pd.DataFrame:
    parts = []
    for name, result in measured.items():
        table = result.samples.drop(columns=_HIDDEN)
        table.insert(0, MODEL, name)
        parts.append(table)
    return joined(parts)


def _values(measured: Mapping[str, MetricResult]) -> pd.DataFrame:
    """Return a row for each measure, and a column for each method."""
    columns: dict[str, dict[str, str]] = {}
    better: dict[str, str] = {}
    units: dict[str, str] = {}
    for name, result in measured.items():
        for row in result.frame().to_dict("records"):
            columns.setdefault(name, {})[row["quantity"]] = with_interval(row)
            better.setdefault(row["quantity"], row["better_when"])
            units.setdefault(row["quantity"], row["unit"])
    frame = pd.DataFrame(columns, index=[*better]).rename_axis("measure").reset_index()
    frame.insert(1, "unit", [units[quantity] for quantity in frame["measure"]])
    frame.insert(2, "better", [better[quantity] for quantity in frame["measure"]])
    return frame


def _add_differences(results: Results, differences: pd.DataFrame) -> None:
    results.page.section("Which is nearer by what")
    if differences.empty:
        results.page.text("No picture is common to all methods.")
        return
    records = differences.to_dict("records")
    table = pd.DataFrame({
        "measure": differences["quantity"],
        "pair": differences["model_b"] + " - " + differences["model_a"],
        "difference": [with_interval({**row, "value": row["difference"]}) for row in records],
        "better": differences["better"],
        "note": differences["note"],
    })  # fmt: skip
    if (usual := table["note"].mode()[0]).startswith(OVER):
        table["note"] = table["note"].where(table["note"] != usual)
    table = table.dropna(axis=1, how="all")
    results.page.table(table, f"Mean of each picture's difference, and its 95 % interval. {usual} "
                       "A difference is significant where its interval leaves out zero; one in "
                       "twenty does so by chance.")  # fmt: skip


def _add_pictures(
    results: Results, measured: Mapping[str, MetricResult], methods: Sequence[Method],
    common: Sequence[str],
) -> None:  # fmt: skip
    """Show the worst and the best pictures, by the first measure that all methods have."""
    order, quantity, column = ranked(measured, common)
    count = min(WORST_SHOWN, max(len(order) // 2, 1))
    by = f"by {quantity}" + (", by that of the worst method" if len(methods) > 1 else "")
    for title, file, chosen in (
        ("worst", WORST, order[:count]),
        ("best", BEST, order[::-1][:count]),
    ):
        results.page.section(f"The {title} pictures")
        draw = partial(pictures_by, measured, methods, chosen, column)
        results.figure(file, draw, f"The {title} first, {by}, which stands below each.")
