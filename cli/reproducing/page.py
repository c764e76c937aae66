"""The results of a table: table.csv, the plot, the page, and what is said in a few lines."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cli.comparing import verdicts
from cli.comparing.published_figures import doubts, marked
from cli.measuring.model_cards import card
from cli.measuring.results import Results
from cli.reports.numbers import with_interval
from cli.reports.tables import joined, table_of
from cli.reproducing.cells import Cell, Measured
from cli.reproducing.plots import dots
from cli.text import counted, listed, one_line, say
from metrics.published_figures import Figure, PublishedTable, Source, published
from metrics.scheme import UNCERTAINTY, in_order

TABLE, PLOT = "table.csv", "table.png"
FILES = (TABLE, PLOT)

_APART = "How far apart"  # a section
_NEAR = 2.0  # standard errors
_NOT_COMPARABLE, _NOT_KNOWN = "not comparable", "not known"


def write(
    results: Results,
    table: PublishedTable,
    cells: Sequence[Cell],
    models: Sequence[Measured],
    facts: dict[str, Any],
) -> None:
    """Say what was measured, and write tables, plot and page."""
    withheld = _withheld(cells)
    for line in (*_lines(cells), *withheld):
        say(one_line(line))
    results.page.lead += _summary(cells)
    doubted = verdicts.doubts(
        {each.model.short_name: each.found.results for each in models}, _shown(cells)
    )
    results.warn(*_refused(models), *_strangers(table, models), *doubted)
    results.table(TABLE, tidy(cells, models))
    results.page.cards([card(each.model) for each in models])
    paper = published().papers[table.paper]
    results.page.section("As in the paper", f"{table.place} of \"{paper.title}\" "
                         f"({paper.address}): {table.title}.")  # fmt: skip
    wide = side_by_side(cells)
    results.page.table(wide, "Measured here, with its 95 % interval, beside what is published.")
    results.page.section(_APART)
    if not len(apart := apart_table(cells)):
        results.page.text("None of the models is in a row of the paper's table.")
    elif (apart["standard errors apart"] == _NOT_COMPARABLE).all():
        results.page.text("None of the numbers can be held against the paper's.")
    else:
        results.page.table(apart, "Standard errors apart: the difference, divided by the errors of "
                           "both where they are known.")  # fmt: skip
    for line in withheld:
        results.page.caution(line)
    caption = "Measured here and published."
    results.figure(PLOT, lambda: dots(cells), caption)
    results.page.section("Where the published numbers were read", *_sources(cells))
    rows = joined(_report(each, cells) for each in models if each.found.results)
    results.finish(rows[in_order(rows.columns)], facts)
    results.point()


def tidy(cells: Sequence[Cell], models: Sequence[Measured]) -> pd.DataFrame:
    """Return table.csv: one row for each cell of the table, measured or published alone."""
    digests = {each.model.short_name: each.model.sha256 for each in models}
    return table_of([
        {
            "row": cell.row.key, "name": cell.row.name, "column": cell.column.title,
            "measure": cell.column.of(cell.row), "model": cell.model,
            **{name: _number(cell, name) for name in ("value", *UNCERTAINTY)},
            "n": None if cell.value is None else cell.value["n"],
            "data": "" if cell.figure is None else cell.figure.data,
            "published": None if cell.figure is None else cell.figure.value,
            "published_spread": None if cell.figure is None else cell.figure.spread,
            "standard_errors_apart": None if math.isnan(cell.apart) else cell.apart,
            "comparable": bool(cell.value is not None and cell.figure and not cell.reasons),
            "note": "; ".join(_notes(cell)),
            "sources": " ".join(() if cell.figure is None else cell.figure.sources),
            "sha256": digests.get(cell.model, ""),
        }
        for cell in cells
    ])  # fmt: skip


def side_by_side(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return the paper's table with two columns for each of its columns: here, and published."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        row = rows.setdefault((cell.row.key, cell.model), {"row": cell.row.key, "": cell.row.name})
        row["model"] = cell.model
        row[cell.column.title] = "" if cell.value is None else with_interval(cell.value)
        row[f"{cell.column.title}, published"] = _printed(cell.figure)
    frame = pd.DataFrame(rows.values())
    empty = [name for name in frame.columns if (frame[name] == "").all()]
    return frame.drop(columns=empty).rename(columns={"": "what"})


def apart_table(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return a row for each measured number that has a published one: how far apart they are."""
    return pd.DataFrame([
        {
            "model": cell.model, "row": cell.row.key, "column": cell.column.title,
            "here": with_interval(cell.value), "published": _printed(cell.figure),
            "standard errors apart": verdict(cell),
        }
        for cell in cells if cell.value is not None and cell.figure is not None
    ])  # fmt: skip


def verdict(cell: Cell) -> str:
    """Say how far a number is from the published one, or why that is not said."""
    if cell.reasons:
        return _NOT_COMPARABLE
    return _NOT_KNOWN if math.isnan(cell.apart) else f"{cell.apart:+.1f}"


def _printed(figure: Figure | None) -> str:
    return "" if figure is None else marked(figure)


def _number(cell: Cell, name: str) -> float | None:
    value = None if cell.value is None else cell.value[name]
    return None if value is None or pd.isna(value) else float(value)


def _notes(cell: Cell) -> list[str]:
    doubt = "" if cell.figure is None else cell.figure.doubt
    own = "" if cell.value is None else str(cell.value.get("note", ""))
    published_note = f"published figure: {doubt}" if doubt else ""
    return [each for each in (*cell.reasons, own, published_note) if each]


def _lines(cells: Sequence[Cell]) -> Iterator[str]:
    """Say in a line for each model what was measured, and what is published."""
    for cell in cells:
        if cell.value is not None:
            other = _printed(cell.figure).rstrip(" *")
            beside = f"; published {other}, {_apart_in_words(cell)}" if other else ""
            named = cell.model in cell.row.key
            whose = cell.row.key if named else f"{cell.model}, {cell.row.key}"
            value = with_interval(cell.value) or "no value"
            yield f"{whose}, {cell.column.title}: {value}{beside}"


def _shown(cells: Sequence[Cell]) -> set[str]:
    """Return what people call the numbers in the table."""
    rows = [cell.value for cell in cells if cell.value is not None]
    return {*verdicts.measures(pd.DataFrame(rows))} if rows else set()


def _summary(cells: Sequence[Cell]) -> Iterator[str]:
    """Say how the numbers agree with the paper's; the table below has each of them."""
    both = [cell for cell in cells if cell.value is not None and cell.figure is not None]
    known = [cell for cell in both if not math.isnan(cell.apart)]
    if not both:
        yield "Nothing was measured that the paper has a number of."
    elif not known:
        yield f'{_of(0, len(both))} can be held against the paper\'s; "{_APART}" says why.'
    else:
        near = sum(abs(cell.apart) <= _NEAR for cell in known)
        held = f"{_of(len(known), len(both))} can be held against the paper's"
        yield f"{held}: {near:,} within two standard errors, {len(known) - near:,} farther apart."


def _of(some: int, every: int) -> str:
    """Say how many of the numbers: "None of 4 numbers measured"."""
    return f"{f'{some:,}' if some else 'None'} of {counted(every, 'number')} measured"


def _apart_in_words(cell: Cell) -> str:
    text = verdict(cell)
    return f"{text} standard errors apart" if text[:1] in "+-" else text


def _withheld(cells: Sequence[Cell]) -> list[str]:
    """Say why numbers are not held against the published ones, each reason once.

    Reasons that hold for all numbers of all models come first, then those of some columns or
    models, after these.
    """
    about: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        for reason in cell.reasons:
            about.setdefault(reason, {}).setdefault(cell.model, []).append(cell.column.title)
    if not about:
        return []
    every = list(dict.fromkeys(cell.model for cell in cells if cell.reasons))
    grouped: dict[str, list[str]] = {"": []}
    for reason, whose in about.items():
        grouped.setdefault(_whom(whose, every, cells), []).append(reason)
    why = [f"{of}{'; '.join(reasons)}" for of, reasons in grouped.items() if reasons]
    verb = "is" if len(every) == 1 else "are"
    return [f"{listed(every)} {verb} not held against the paper: {'. '.join(why)}."]


def _whom(whose: Mapping[str, Sequence[str]], every: Sequence[str], cells: Sequence[Cell]) -> str:
    """Say which columns and models a reason is about: "For FID of a: "; "" where it is of all."""
    of = "" if len(whose) == len(every) else f" of {listed([*whose])}"
    both = [cell for cell in cells if cell.model in whose and cell.value and cell.figure]
    if sum(map(len, whose.values())) == len(both):
        return f"All{of}: " if of else ""
    titles = dict.fromkeys(title for mine in whose.values() for title in mine)
    return f"For {listed([*titles])}{of}: "


def _refused(models: Sequence[Measured]) -> Iterator[str]:
    for each in models:
        for reason in dict.fromkeys(each.found.refused.values()):
            what = [name for name, other in each.found.refused.items() if other == reason]
            yield f"{each.model.short_name} has no {listed(what)}: {reason}."


def _strangers(table: PublishedTable, models: Sequence[Measured]) -> Iterator[str]:
    """Name the models that are in no row of the paper's table."""
    names = [each.model.short_name for each in models
             if not any(row in table.rows for row in each.rows)]  # fmt: skip
    if names:
        labels = list(dict.fromkeys(row.label for row in table.rows))
        yield (f"In no row of the paper's table: {listed(names)}. Rows are named by LABEL=CKPT: "
               f"{listed(labels)}.")  # fmt: skip


def _sources(cells: Sequence[Cell]) -> list[str]:
    """Name the texts of the figures shown, and say which figures were not read in two of them."""
    shown = list(dict.fromkeys(cell.figure for cell in cells if cell.figure is not None))
    keys = list(dict.fromkeys(key for figure in shown for key in figure.sources))
    lines = [_source(published().sources[key]) for key in keys]
    lines += doubts(shown)
    return lines or ["Nothing is published of what was measured."]


def _source(source: Source) -> str:
    return f"{source.title[:1].upper()}{source.title[1:]}: {source.address}"


def _report(measured: Measured, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return the tidy rows of a model, with the published number of each where there is one."""
    mine = [cell for cell in cells if cell.model == measured.model.short_name and cell.value]
    parts = []
    for result in measured.found.results:
        rows = measured.model.tidy(result)
        held = [_held(row, mine) for row in rows.to_dict("records")]
        parts.append(rows.assign(
            table_row=[" ".join(dict.fromkeys(cell.row.key for cell in each)) for each in held],
            published=pd.array([_value(each) for each in held], dtype="Float64"),
            standard_errors_apart=pd.array([_apart(each) for each in held], dtype="Float64"),
        ))  # fmt: skip
    return joined(parts)


def _held(row: dict[Any, Any], cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that a tidy row stands in."""
    keys = ("metric", "protocol", "quantity")
    return [c for c in cells if c.value is not None and all(c.value[k] == row[k] for k in keys)]


def _value(cells: Sequence[Cell]) -> float | None:
    return next((cell.figure.value for cell in cells if cell.figure is not None), None)


def _apart(cells: Sequence[Cell]) -> float | None:
    found = [cell.apart for cell in cells if not math.isnan(cell.apart)]
    return found[0] if found else None
