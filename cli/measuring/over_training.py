"""A metric over a training run: every snapshot measured alike, in one folder, with a plot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.snapshots import InTurn, facts_of
from cli.measuring.work import Asked, claimed_results
from cli.models import Model, with_model
from cli.options.measuring import MeasuringRequest
from cli.reports.cautions import Doubt, in_few_sentences
from cli.reports.numbers import with_interval
from cli.reports.plot_style import colour, new_figure, quieten, shortened
from cli.reports.tables import joined
from cli.running.estimates import Task
from cli.text import counted, distinct_names, one_line, plain_text, say
from latentlab import distributed
from metrics import MetricResult
from metrics.differences import Key, quantities
from metrics.scheme import LOWER

PLOT = "over_training.png"

_COLUMNS = 2  # panels abreast
_NAME = 24  # characters of a snapshot's name below the axis


@dataclass(frozen=True)
class Measurement:
    """What a command measures of a model, whichever model that is.

    Attributes:
        title: Of pages, before the model's name: "Path length of".
        settings: What decides the numbers.
        extent: Sample counts by name.
        tasks: The work for a model, so many times.
        measure: Measures a model.
        summary: Says the numbers of a result in a line.
        table: Name of the table of samples; "" where there is none.
        check: Raises for a model that cannot be measured.
    """

    title: str
    settings: dict[str, Any]
    extent: dict[str, Any]
    tasks: Callable[[Model, int], list[Task]]
    measure: Callable[[Model], list[MetricResult]]
    summary: Callable[[MetricResult], str]
    table: str = ""
    check: Callable[[Model], None] = field(default=lambda _: None)


def measure_run(
    run: str,
    snapshots: Sequence[str],
    work: Measurement,
    request: MeasuringRequest,
    first: Model,
    *,
    left_out: Sequence[str] = (),
    fetched: Sequence[Path] = (),
) -> None:
    """Measure the snapshots of a run one after the other, and write what was found.

    Args:
        run: The folder of the run.
        snapshots: The snapshots in it.
        work: What is measured of each.
        request: Where to write what, and how to compute.
        first: The first of them, opened.
        left_out: What a dry run has found that cannot be read.
        fetched: Files that are fetched before it.
    """
    (name,) = request.titles([run])
    titles = distinct_names([plain_text(path) for path in snapshots])
    models = InTurn(snapshots, titles, request, replace(first, title=titles[0]))
    work.check(first)
    extent = {**work.extent, "snapshots": len(snapshots)}
    facts = {"run": plain_text(run), "snapshots": titles, **work.settings, **work.extent}
    asked = Asked(work.settings, extent, facts_of(snapshots, titles), first.place, {"name": name})
    files = [PLOT, *([work.table] if work.table else [])]
    title, tasks = f"{work.title} {name} over its training", work.tasks(first, len(snapshots))
    with claimed_results(request, title, files, [first], facts, left_out, tasks, fetched,
                         asked=asked) as results:  # fmt: skip
        found = results.saved_models or _measured(models, work)
        results.save(found)
        if distributed.is_main():
            _write(results, found, work, facts)


def _measured(models: InTurn, work: Measurement) -> list[SavedModel]:
    found = []
    for model in models:
        work.check(model)
        facts = {**model.facts(), "images": model.opened.images_shown}
        found.append(SavedModel(facts, work.measure(model)))
    return found


def _write(
    results: Results, found: Sequence[SavedModel], work: Measurement, facts: dict[str, Any]
) -> None:
    """Say the numbers, and write plot, tables and page."""
    for model in found:
        for result in model.results:
            say(one_line(f"{model.name}: {work.summary(result)}"))
    rows = joined(_rows(model) for model in found)
    keys = _quantities(found)
    results.tell(*(line for key in keys for line in _best_and_last(_of(rows, key), key)))
    results.warn(*_cautions(found))
    figure = over_training(rows, keys)
    rows = rows.drop(columns="images") if rows["images"].isna().all() else rows
    results.page.section("Over the training")
    along = "images shown in training" if "images" in rows else "snapshots, in their order"
    results.figure(PLOT, figure, f"The value and its 95 % interval over {along}.")
    if work.table:
        results.table(work.table, joined(_samples(model) for model in found))
    seconds = sum(result.seconds for model in found for result in model.results)
    told = {k: v for k, v in facts.items() if k != "snapshots"}
    models = [{k: v for k, v in model.facts.items() if k != "images"} for model in found]
    results.finish(rows, {"models": models, **told, "seconds": round(seconds, 1)})
    say(f"{counted(len(found), 'snapshot')} measured.")
    results.point()


def _cautions(found: Sequence[SavedModel]) -> list[str]:
    """Say what there is to doubt, each kind once, with the snapshots where not all have it."""
    protocols = dict.fromkeys(_protocol(result) for model in found for result in model.results)
    said = []
    for model in found:
        for result in model.results:
            of = f" by {_protocol(result)}" if len(protocols) > 1 else ""
            said += [Doubt(note, "", (f"{model.name}{of}",)) for note in result.notes]
    everyone = [f"{model.name} by {one}" if len(protocols) > 1 else model.name
                for model in found for one in protocols]  # fmt: skip
    return in_few_sentences(said, everyone)


def _protocol(result: MetricResult) -> str:
    return str(result.settings.get("protocol", result.metric))


def _rows(model: SavedModel) -> pd.DataFrame:
    """Return a snapshot's rows, with the number of images that it was trained on."""
    frame = pd.concat([result.frame() for result in model.results], ignore_index=True)
    images = pd.array([model.facts["images"]] * len(frame), dtype="Int64")
    return with_model(frame, model.name, model.facts["sha256"], images=images)


def _samples(model: SavedModel) -> pd.DataFrame:
    """Return a snapshot's samples with its name first, and the protocol where there are several."""
    parts = []
    for result in model.results:
        table = result.samples.copy()
        if len(model.results) > 1:
            table.insert(0, "protocol", result.settings["protocol"])
        table.insert(0, "model", model.name)
        parts.append(table)
    return joined(parts)


def _quantities(found: Sequence[SavedModel]) -> list[Key]:
    """Return the numbers that say which snapshot is better, of any snapshot, each once."""
    results = [result for model in found for result in model.results]
    return [*dict.fromkeys(key for result in results for key, _ in quantities(result))]


def _of(rows: pd.DataFrame, key: Key) -> pd.DataFrame:
    """Return the rows of one quantity, one for each snapshot that has it."""
    mine = rows[(rows["metric"] == key.metric) & (rows["protocol"] == key.protocol)]
    return mine[mine["quantity"] == key.quantity].reset_index(drop=True)


def _best_and_last(rows: pd.DataFrame, key: Key) -> Iterator[str]:
    """Say which snapshot has the best value, and which value the last one has."""
    known = rows[rows["value"].notna()]
    if known.empty:
        return
    values = known["value"] if known["better_when"].iloc[0] == LOWER else -known["value"]
    both = known.iloc[[int(values.to_numpy().argmin()), -1]].to_dict("records")
    parts = [f"{word} {with_interval(row)} in {row['model']}"
             for word, row in zip(("best", "last"), both, strict=True)]  # fmt: skip
    name = _name(key)
    yield f"{name[0].upper()}{name[1:]}: {'; '.join(parts)}."


def _name(key: Key) -> str:
    """Return what a person calls a quantity: path lengths with their protocol."""
    return f"{key.quantity} ({key.protocol})" if key.metric == "path_length" else key.quantity


def over_training(rows: pd.DataFrame, keys: Sequence[Key]) -> Figure:
    """Draw each quantity with its interval over the images shown in training.

    ``rows`` are tidy, with a column ``images``; where one is not known, snapshots stand side by
    side in their order.
    """
    columns = min(_COLUMNS, len(keys))
    lines = -(-len(keys) // columns)
    figure = new_figure(0.6 + 2.6 * lines)
    panels = figure.subplots(lines, columns, squeeze=False)
    for axes in panels.flat[len(keys) :]:
        axes.set_axis_off()
    for axes, key in zip(panels.flat, keys, strict=False):
        _draw(axes, _of(rows, key), key)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, key: Key) -> None:
    known = rows["images"].notna().all() and rows["images"].is_unique
    places = rows["images"].astype(float) / 1000 if known else pd.Series(range(len(rows)))
    value, low, high = (rows[name].astype(float) for name in ("value", "ci_low", "ci_high"))
    axes.fill_between(places, low, high, color=colour(0), alpha=0.2, linewidth=0)
    reach = [(value - low).clip(lower=0), (high - value).clip(lower=0)]
    axes.errorbar(places, value, reach, color=colour(0), fmt="o-", markersize=3, linewidth=1.2,
                  elinewidth=0.8, capsize=2)  # fmt: skip
    axes.set_title(_name(key), fontsize=10)
    unit = rows["unit"].iloc[0].replace("^2", "²")
    axes.set(ylabel=unit, xlabel="thousand images shown in training" if known else "")
    if not known:
        axes.set_xticks(places, shortened([*rows["model"]], _NAME), rotation=45, ha="right",
                        fontsize=8)  # fmt: skip
    quieten(axes)
