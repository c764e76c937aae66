"""Which model is better on what, in sentences: for the page and the terminal alike."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from cli.measuring.comparison import Measured
from cli.reports.numbers import with_interval
from metrics.differences import quantities
from metrics.scheme import NEITHER, UNKNOWN, WITHHELD


def verdicts(differences: pd.DataFrame) -> list[str]:
    """Say in one line per model what it is significantly better on, and what is undecided."""
    lines = []
    named = differences.assign(what=measures(differences))
    many = differences.groupby(["model_a", "model_b"]).ngroups > 1
    for model in dict.fromkeys([*differences["model_a"], *differences["model_b"]]):
        won = named[named["better"] == model]
        if not won.empty:
            other = won["model_a"].where(won["model_a"] != model, won["model_b"])
            what = won["what"] + " (than " + other + ")" if many else won["what"]
            lines.append(f"{model} is better on {', '.join(what)}.")
    if alike := _those(named, NEITHER):
        lines.append(f"No significant difference on {', '.join(alike)}.")
    if unknown := _those(named, UNKNOWN):
        lines.append(f"No verdict on {', '.join(unknown)}, as no interval is known.")
    if withheld := _those(named, WITHHELD):
        lines.append(f"Not comparable: {', '.join(withheld)}; see the cautions.")
    return lines or ["Nothing was measured by which models can be ranked."]


def cautions(differences: pd.DataFrame, measured: Sequence[Measured]) -> list[str]:
    """Say why verdicts are withheld, and what there is to doubt about each model's numbers."""
    withheld = differences[differences["better"] == WITHHELD]
    of_pairs = zip(measures(withheld), withheld["note"], strict=True)
    lines = [(note, what, "") for what, note in of_pairs]
    told = {note for note, _, _ in lines}
    for each in measured:
        for result in each.results:
            rows = result.frame()
            rows = rows[(rows["note"] != "") & (rows["better_when"] != "")]
            rows = rows[~rows["note"].isin(told)]
            lines += [(note, what, each.label)
                      for what, note in zip(measures(rows), rows["note"], strict=True)]  # fmt: skip
    whats = {note: _unique(what for n, what, _ in lines if n == note) for note, _, _ in lines}
    models = {note: _unique(label for n, _, label in lines if n == note) for note, _, _ in lines}
    return [
        f"{_capital(', '.join(whats[note]))}"
        f"{'' if len(models[note]) == len(measured) or models[note] == [''] else ' of '}"
        f"{'' if len(models[note]) == len(measured) else ', '.join(models[note])}: {note}"
        for note in whats
    ]


def values(measured: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per measure with one column per model: the value with its interval."""
    columns: dict[str, dict[str, str]] = {}
    for each in measured:
        for result in each.results:
            for _, row in quantities(result):
                columns.setdefault(each.label, {})[_measure(row)] = with_interval(row.to_dict())
    frame = pd.DataFrame(columns).rename_axis("measure").reset_index()
    return frame.reindex(columns=["measure", *(each.label for each in measured)])


def values_in_lines(measured: Sequence[Measured]) -> Iterator[str]:
    """Yield the values as lines for the terminal."""
    for row in values(measured).to_dict("records"):
        measure = row.pop("measure")
        known = [f"{model!s} {value}" for model, value in row.items() if pd.notna(value) and value]
        yield f"{measure}: {'; '.join(known) or 'no value'}"


def measures(frame: pd.DataFrame) -> "pd.Series[str]":
    """Return what a person calls the quantities of tidy rows, or of differences."""
    names = [_measure(row) for row in frame.itertuples()]
    return pd.Series(names, index=frame.index, dtype=object)


def _measure(row: object) -> str:
    """Return what a person calls a quantity: path lengths with their protocol."""
    metric, protocol, quantity = (getattr(row, n) for n in ("metric", "protocol", "quantity"))
    return f"{quantity} ({protocol})" if metric == "path_length" else str(quantity)


def _those(named: pd.DataFrame, better: str) -> list[str]:
    """Return the measures with that outcome; with the pairs, where it is not that of all."""
    found = []
    for measure, part in named.groupby("what", sort=False):
        mine = part[part["better"] == better]
        if len(mine):
            pairs = ", ".join(mine["model_a"] + " and " + mine["model_b"])
            found.append(str(measure) if len(mine) == len(part) else f"{measure} ({pairs})")
    return found


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
