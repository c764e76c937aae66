"""Which model is better on what, in sentences: for the page and the terminal alike."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import pandas as pd

from cli.comparing.comparison import Measured
from cli.reports.cautions import Doubt, Weight, in_few_sentences
from cli.reports.numbers import with_interval
from metrics import MetricResult
from metrics.comparability import reasons_against
from metrics.differences import described, quantities
from metrics.result import Caution
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
            beaten = other.groupby(won["what"], sort=False).agg(" and ".join)
            what = [f"{each} (than {those})" if many else each for each, those in beaten.items()]
            lines.append(f"{model} is better on {', '.join(what)}.")
    if alike := _those(named, NEITHER):
        lines.append(f"No significant difference on {_enumerated(alike)}.")
    if unknown := _those(named, UNKNOWN):
        lines.append(f"No verdict on {_enumerated(unknown)}, as no interval is known.")
    if withheld := _those(named, WITHHELD):
        lines.append(f"Not comparable: {_enumerated(withheld)}; see the cautions.")
    return lines or ["Nothing was measured by which models can be ranked."]


def cautions(measured: Sequence[Measured], of_models: Iterable[str] = ()) -> list[str]:
    """Say why verdicts are withheld, and what there is to doubt about each model's numbers.

    Each kind of sentence comes once, after the measures and models that it is about; what is of
    numbers by which models are not ranked comes last.

    Args:
        measured: The models.
        of_models: What sets them apart besides their numbers.
    """
    results = {each.label: each.results for each in measured}
    everyone = tuple(results)
    apart = (Doubt(text, "", everyone, Weight.MODELS) for text in of_models)
    found = [*_withheld(measured), *apart, *_doubted(results)]
    return in_few_sentences(found, everyone, "by which models are not ranked")


def doubts(results: Mapping[str, Sequence[MetricResult]], shown: Collection[str]) -> list[str]:
    """Say what there is to doubt about each model's numbers, as ``cautions`` does.

    Args:
        results: Those of each model, by what it is called.
        shown: The measures that count; what is of others comes last.
    """
    found = [
        doubt if doubt.measure in shown or doubt.weight == Weight.VOID
        else doubt._replace(weight=Weight.ASIDE)
        for doubt in _doubted(results, all_decide=True)
    ]  # fmt: skip
    return in_few_sentences(found, results, "which is beside the table")


def _withheld(measured: Sequence[Measured]) -> Iterator[Doubt]:
    """Yield why two models are not ranked."""
    for a, b in combinations(measured, 2):
        keys = {key: result for result in b.results for key, _ in quantities(result)}
        for result in a.results:
            for key, row in quantities(result):
                reasons = reasons_against(result, keys[key], key.quantity) if key in keys else []
                own = [*result.notes, *(keys[key].notes if key in keys else [])]
                for text in reasons:
                    if text not in own:
                        names, weight = (a.label, b.label), Weight.NOT_RANKED
                        yield Doubt(text, measure_of(row), names, weight, alike=False)


def _doubted(
    results: Mapping[str, Sequence[MetricResult]], all_decide: bool = False
) -> Iterator[Doubt]:
    """Yield what there is to doubt; ``all_decide``: as much where models are not ranked by it."""
    for label, found in results.items():
        for result in found:
            for key, row, decides in (
                *((key, row, all_decide) for key, row in described(result)),
                *((key, row, True) for key, row in quantities(result)),
            ):
                for caution in result.cautions_of(key.quantity):
                    heavy = decides or caution.void
                    weight = _weight(caution) if heavy else Weight.ASIDE
                    yield Doubt(caution.text, measure_of(row), (label,), weight)


def _weight(caution: Caution) -> Weight:
    if caution.void:
        return Weight.VOID
    return Weight.NUMBER if caution.ranks else Weight.NOT_RANKED


def values(measured: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per measure with one column per model: the value with its interval.

    Where models must not be ranked by a value, it is called doubtful. Scores of separability of
    fitted planes stand before the cross-fitted ones, by which alone models are ranked.
    """
    columns: dict[str, dict[str, str]] = {}
    for each in measured:
        for result in each.results:
            for key, row in (*described(result), *quantities(result)):
                text = with_interval(row.to_dict())
                ranks = all(caution.ranks for caution in result.cautions_of(key.quantity))
                cell = text if ranks or not text else f"{text}, doubtful"
                columns.setdefault(each.label, {})[measure_of(row)] = cell
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
    names = [measure_of(row) for row in frame.itertuples()]
    return pd.Series(names, index=frame.index, dtype=object)


def measure_of(row: object) -> str:
    """Return what a person calls a quantity: path lengths with their protocol."""
    metric, protocol, quantity = (getattr(row, n) for n in ("metric", "protocol", "quantity"))
    if metric == "attribution":  # "auc" alone says nothing beside other metrics
        return f"{metric} ({quantity})"
    return f"{quantity} ({protocol})" if metric == "path_length" else str(quantity)


def _those(named: pd.DataFrame, better: str) -> list[str]:
    """Return the measures with that outcome; with the pairs, where it is not that of all."""
    found = []
    for measure, part in named.groupby("what", sort=False):
        mine = part[part["better"] == better]
        if len(mine):
            pairs = ", ".join(mine["model_a"] + " and " + mine["model_b"])
            found.append(str(measure) if len(mine) == len(part) else f"{measure} between {pairs}")
    return found


def _enumerated(measures: Sequence[str]) -> str:
    """List measures, so that they stay apart where some name pairs of models."""
    return ("; " if any(" between " in each for each in measures) else ", ").join(measures)
