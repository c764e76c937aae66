"""A table of a paper measured again: opened, measured or taken from an earlier run, written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cli.measuring.fidelity import digests_and_missing
from cli.measuring.results import Results
from cli.measuring.saved import SavedModel
from cli.measuring.separability import open_classifiers
from cli.measuring.work import Asked, claimed_results
from cli.models import Model, open_distance, open_model
from cli.options.measuring import MeasuringRequest
from cli.options.reproduction import FIDELITY, PATHS, SEPARABILITY, ReproductionRequest
from cli.reproducing import page
from cli.reproducing.cells import Measured, cells_of
from cli.reproducing.jobs import Job, Means, check_fits, jobs_of, measured, tasks_of
from cli.reproducing.tables import (
    COLUMNS,
    Column,
    Given,
    given,
    is_by_space,
    labelled,
    own_rows,
    rows_of,
    table_of,
)
from cli.text import plain_text
from cli.trust import trusted
from latentlab import distributed
from latentlab.datasets.pictures import open_dataset
from latentlab.torchscript import is_torchscript
from metrics.published_figures import PublishedRow, PublishedTable, published
from metrics.sampling import has_w

_DEFAULT_DATA = "ffhq"  # whose published numbers are shown where no data set is named


@dataclass(frozen=True)
class Entry:
    """A model of the command line.

    Attributes:
        checkpoint: As it was given.
        model: Opened.
        rows: Of the table.
        trained: What it was trained on, as its row or --dataset says; "" where neither does.
    """

    checkpoint: Given
    model: Model
    rows: Sequence[PublishedRow]
    trained: str

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.model.short_name

    def jobs(self, columns: Sequence[Column]) -> list[Job]:
        """Return what has to be measured for its rows."""
        return jobs_of(column.of(row) for row in self.rows for column in columns)


def reproduce_table(
    name: str, checkpoints: Sequence[str], wanted: ReproductionRequest, request: MeasuringRequest
) -> None:
    """Measure models for a table, and write it; a finished one ends the command.

    Args:
        name: Of the table, one of COLUMNS.
        checkpoints: "LABEL=CKPT", or checkpoints alone.
        wanted: What it is made from.
        request: Where to write what, and how to compute.
    """
    table, counts = table_of(name), wanted.counts(name)
    columns = [column for column in COLUMNS[name] if column.metric in counts]
    _refuse_data(table, wanted.dataset)
    Results(request, name, page.FILES)  # results of another run are told before anything is opened
    entries = _entries(table, given(checkpoints), wanted, request)
    means, missing = _means(entries, counts, columns, wanted, request)
    todo = [(entry.model, entry.jobs(columns)) for entry in entries]
    for model, jobs in todo:
        check_fits(model, jobs, means)
    asked, facts = _asked(name, entries, means)
    tasks = [task for model, jobs in todo for task in tasks_of(model, jobs, means)]
    title = f"{published().papers[table.paper].name}, {table.place}: {table.title}"
    models = [entry.model for entry in entries]
    with claimed_results(request, title, page.FILES, models, facts, tasks=tasks, fetched=missing,
                         asked=asked) as results:  # fmt: skip
        found = _measured_or_saved(results, todo, means)
        if distributed.is_main():
            done = [
                Measured(entry.model, entry.rows, saved, entry.trained,
                         means.data.get(entry.name, ""))
                for entry, saved in zip(entries, found, strict=True)
            ]  # fmt: skip
            cells = cells_of(table, columns, wanted.dataset or _DEFAULT_DATA, done)
            told = {"models": [model.facts() for model in models], **facts}
            page.write(results, table, cells, done, told)


def _entries(
    table: PublishedTable,
    chosen: Sequence[Given],
    wanted: ReproductionRequest,
    request: MeasuringRequest,
) -> list[Entry]:
    """Open the models, and find their rows."""
    titles, entries = request.titles([each.name for each in chosen]), []
    for each, title in zip(chosen, titles, strict=True):
        model = open_model(each.name, request.device, None, title)
        rows = rows_of(table, each) or own_rows(
            each, model.short_name, is_by_space(table), has_w(model.g)
        )
        trained = next((row.data for row in rows if row.data), wanted.dataset or "")
        entries.append(Entry(each, model, rows, trained))
    return entries


def _refuse_data(table: PublishedTable, dataset: str | None) -> None:
    known = table.data_sets()
    if dataset is not None and dataset not in known:
        raise click.UsageError(
            f"--dataset {dataset}: this table has {', '.join(known)}; leave --dataset out for "
            "models of other pictures."
        )


def _means(
    entries: Sequence[Entry],
    counts: Mapping[str, int],
    columns: Sequence[Column],
    wanted: ReproductionRequest,
    request: MeasuringRequest,
) -> tuple[Means, list[Path]]:
    """Open what the columns need, so that what is missing is said before anything is measured.

    Files of weights that would be fetched come second: they are, unless this is a dry run.
    """
    place, fidelity = entries[0].model.place, FIDELITY in counts
    data = {entry.name: _data_of(entry, wanted.data) for entry in entries if fidelity}
    for source in dict.fromkeys(data.values()):
        open_dataset(source, None, 3)  # what cannot be read is said now
    means = Means(request, counts, ("fid",), outputs=wanted.outputs)
    if PATHS in counts:
        distance = open_distance(wanted.distance, place)
        means = replace(means, distance=distance, whole=wanted.whole_pictures)
    if SEPARABILITY in counts:
        means = replace(means, classifiers=open_classifiers(wanted.classifiers, place))
    if not fidelity:
        return means, []
    more = any(column.measure in ("precision", "recall") for column in columns)
    scores, vgg16 = ("fid", "prc") if more else ("fid",), _vgg16(wanted) if more else None
    missing = digests_and_missing(scores, wanted.weights, vgg16, fetch=False)[1]
    fetch = not (missing and request.dry_run)
    digests = digests_and_missing(scores, wanted.weights, vgg16, fetch)[0]
    means = replace(
        means,
        scores=scores,
        data=data,
        mirror={entry.name: _mirror(wanted.mirror, entry.trained) for entry in entries},
        num_reals=wanted.num_reals or (counts[FIDELITY] if wanted.quick else None),
        weights=wanted.weights,
        vgg_weights=vgg16,
        digests=digests,
    )
    return means, missing


def _mirror(wanted: bool | None, trained: str) -> bool:
    if wanted is not None:
        return wanted
    return trained != "" and published().data[trained].mirror


def _vgg16(wanted: ReproductionRequest) -> Path | None:
    """Return the file of VGG16: NVIDIA's, where the distance is by it and its program may run."""
    given_file = Path(wanted.distance)
    runs = trusted() and is_torchscript(given_file)
    return wanted.vgg_weights or (given_file if runs else None)


def _data_of(entry: Entry, data: Sequence[str]) -> str:
    """Return the real pictures of a model: those of its label, or those of all.

    Raises:
        UsageError: If there are none, or several.
    """
    sets, labels = labelled(data), _labels(entry.checkpoint)
    mine = [each.name for each in sets if each.label and each.label.lower() in labels]
    found = mine or [each.name for each in sets if not each.label]
    if len(found) != 1:
        what = "no real pictures" if not found else "several sets of real pictures"
        name, label = plain_text(entry.model.name), entry.checkpoint.label or "LABEL"
        raise click.UsageError(f"{name} has {what}; give --data DIR once, or --data {label}=DIR.")
    return found[0]


def _labels(checkpoint: Given) -> list[str]:
    """Return what data of a checkpoint may be labelled: its label, or the data set in that."""
    label = checkpoint.label.lower()
    return [label, label.partition("-")[0]] if label else []


def _asked(name: str, entries: Sequence[Entry], means: Means) -> tuple[Asked, dict[str, Any]]:
    """Return what decides the numbers, and the same for people."""
    models = [entry.model for entry in entries]
    reals = {entry.name: means.reals(entry.model) for entry in entries} if means.data else {}
    identity: dict[str, Any] = {
        "table": name, "seed": means.request.seed,
        "distance": None if means.distance is None else means.distance.name,
        **({"whole_pictures": True} if means.whole else {}),
        "classifiers": {one.name: one.sha256 for one in means.classifiers},
        "outputs": means.outputs, "weights": dict(means.digests),
        "data": [each.fingerprint for each in reals.values()],
        "reals": [means.count_of(each) for each in reals.values()],
        "mirror": [means.mirror[model] for model in reals],
    }  # fmt: skip
    spaces = [[row.space for row in entry.rows] for entry in entries]
    identity |= {"spaces": spaces} if any(map(any, spaces)) else {}
    extent = {f"samples of {metric}": count for metric, count in means.samples.items()}
    shown = {"rows": {entry.name: [row.key for row in entry.rows] for entry in entries},
             "trained on": {entry.name: entry.trained for entry in entries}}  # fmt: skip
    asked = Asked(identity, extent, [m.facts() for m in models], models[0].place, shown)
    return asked, {**identity, **extent, **shown}


def _measured_or_saved(
    results: Results, todo: Sequence[tuple[Model, Sequence[Job]]], means: Means
) -> list[SavedModel]:
    """Return what an earlier run has measured of the models, or measure and save it."""
    found = results.saved_models or [measured(model, jobs, means) for model, jobs in todo]
    results.save([replace(saved, facts=model.facts())
                  for (model, _), saved in zip(todo, found, strict=True)])  # fmt: skip
    return found
