"""What `latentlab separability` measures, and the files that it writes."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from cli.fetching import fetch_first
from cli.measuring.labelled_latents import read_labelled
from cli.measuring.over_training import Measurement, measure_run
from cli.measuring.results import Results
from cli.measuring.separability_bars import MOST, bars
from cli.measuring.snapshots import snapshots_in
from cli.measuring.work import Asked, claimed_results, sampling, work_on
from cli.models import Model, open_model, with_model
from cli.options.acceleration import accelerated
from cli.options.acceleration import facts as facts_of_pace
from cli.options.measuring import MeasuringRequest, SeparabilityRequest
from cli.reports.numbers import in_words, number_of, rows_of, share_of, with_interval
from cli.running.estimates import Task
from cli.running.progress import ProgressBar
from cli.text import counted, plain_text
from cli.trust import trusted
from latentlab import Generator, distributed, load_classifier
from latentlab.checkpoints import file_of
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import all_unchanging
from metrics import MetricResult, linear_separability
from metrics.sampling import has_w
from metrics.separability.classifiers import check_size
from metrics.separability.planes import OK
from metrics.separability.score import check_spaces, separability_from_labels
from metrics.separability.summary import CROSS_FITTED, score_in

ATTRIBUTES, PLOT = "attributes.csv", "attributes.png"
FILES = [ATTRIBUTES, PLOT]

_READING = (
    "A score of 1 is the best: planes divide every attribute without error. Each bit that they "
    "leave open doubles it, over all attributes together. As published, planes classify what they "
    "were fitted to, and so look too good; the cross-fitted score is what planes would leave open "
    "if they were fitted to any number of samples."
)


@dataclass(frozen=True)
class OpenedClassifier:
    """A classifier, what its attributes are called after, and the SHA-256 of its file."""

    name: str
    network: nn.Module
    sha256: str


def measure_model(checkpoint: str, wanted: SeparabilityRequest, request: MeasuringRequest) -> None:
    """Make pictures, classify them, divide their latents, and write what was found.

    A folder stands for the snapshots of a run in it.
    """
    attributes, samples, dual = wanted.attributes, wanted.samples, wanted.dual
    (name,), snapshots = request.titles([checkpoint]), snapshots_in(checkpoint)
    model = open_model([*snapshots, checkpoint][0], request.device, None, name)
    opened = open_classifiers(attributes.classifiers, model.place)
    check_sizes(opened, model.g)
    spaces = (wanted.space or ("z,w" if has_w(model.g) else "z")).split(",")
    check_spaces(spaces, model.g)
    settings = {
        "protocol": "ls", "n": samples, "num_keep": attributes.keep or max(samples // 2, 1),
        "spaces": spaces, "outputs": attributes.outputs, "dual": dual, "seed": request.seed,
        "classifiers": {one.name: one.sha256 for one in opened},
        **facts_of_pace(request.compiled),
    }  # fmt: skip
    tasks = [sampling(model, request, "Classifying", samples, "picture", more=by_several(opened))]
    # Half of the samples count by default, so that more samples are the same measurement.
    identity = {k: v for k, v in settings.items() if k != "n"} | {"num_keep": attributes.keep}

    def measure(model: Model = model, label: str = "classifying") -> MetricResult:
        work = work_on(request, model, label, samples, "picture", identity)
        with work as begun, planes_on_a_bar() as fit_progress:
            return linear_separability(
                accelerated(model.g, request.compiled), [one.network for one in opened], samples,
                attributes.keep, spaces,
                request.seed, names=[one.name for one in opened], outputs=attributes.outputs,
                dual=dual, fit_progress=fit_progress, **begun,
            )  # fmt: skip

    if snapshots:
        plan = Measurement(
            "Linear separability of", identity, {"samples": samples},
            lambda first, count: [replace(one, count=one.count * count) for one in tasks],
            lambda model: [measure(model, model.short_name)],
            lambda result: " ".join(summary(result)[:-1]), ATTRIBUTES,
            lambda model: check_sizes(opened, model.g),
        )  # fmt: skip
        measure_run(checkpoint, snapshots, plan, request, model)
        return
    title = f"Linear separability of {model.short_name}"
    asked = Asked.of({**identity, "samples": samples}, [model])
    with claimed_results(
        request, title, FILES, [model], settings, tasks=tasks, asked=asked
    ) as results:
        result = results.saved_or(model.facts(), measure)
        if distributed.is_main():
            facts = {**model.facts(), **result.settings, **settings}
            write(results, result, model.tidy(result), facts, [])


def measure_latents(
    latents: Path, labels: Path, wanted: SeparabilityRequest, request: MeasuringRequest
) -> None:
    """Divide latents by labels that exist already, and write what was found."""
    keep, layer = wanted.attributes.keep, wanted.attributes.layer
    read = read_labelled(latents, labels, wanted.space, layer)
    (name,), sha256 = request.titles([str(latents.absolute())]), read.sha256
    settings = {
        "protocol": "ls_labels", "latents": plain_text(latents), "sha256": sha256,
        "labels": plain_text(labels), "labels_sha256": read.labels_sha256, "space": read.space,
        "layer": layer, "n": len(read.latents), "num_keep": keep,
        "dual": wanted.dual, "names": list(read.labels.columns), "seed": request.seed,
    }  # fmt: skip
    title = f"Linear separability of {name}"
    tasks = [Task("Dividing", len(read.latents), "latent")]
    facts = {"name": name, "checkpoint": name, "sha256": sha256}  # of what stands for a model
    identity = {k: v for k, v in settings.items() if k not in ("latents", "labels")}

    def measure() -> MetricResult:
        with planes_on_a_bar() as progress:
            return separability_from_labels(
                read.latents, read.labels, keep, space=read.space, dual=wanted.dual,
                seed=request.seed, progress=progress,
            )  # fmt: skip

    asked = Asked(identity, {}, [facts], "cpu")
    with claimed_results(request, title, FILES, [], settings, tasks=tasks, asked=asked) as results:
        result = results.saved_or(facts, measure)
        if distributed.is_main():
            rows = with_model(result.frame(), name, sha256)
            write(results, result, rows, {**result.settings, **settings}, read.notes)


@contextmanager
def planes_on_a_bar() -> Iterator[Callable[[int, int], None]]:
    """Yield what shows the planes fitted on a bar, which begins with the first of them."""
    with ExitStack() as stack:
        begun: list[ProgressBar] = []

        def show(done: int, total: int) -> None:
            if not begun:
                hidden = not distributed.is_main()
                begun.append(stack.enter_context(ProgressBar(total, "dividing", "plane", hidden)))
            begun[0].move_to(done)

        yield show


def open_classifiers(paths: Sequence[str], device: str) -> list[OpenedClassifier]:
    """Open classifiers, each with a name of its own from its file's."""
    opened: list[OpenedClassifier] = []
    for path in paths:
        fetch_first(path)
        file = file_of(path)
        with all_unchanging(file):
            network = load_classifier(path, trust=trusted()).to(device)
            digest = sha256_of(file)
        stem = plain_text(file.stem)
        taken = {one.name for one in opened}
        names = (stem if i == 1 else f"{stem}-{i}" for i in count(1))
        name = next(name for name in names if name not in taken)
        opened.append(OpenedClassifier(name, network, digest))
    return opened


def by_several(classifiers: Sized) -> str:
    """Say how many classifiers look at pictures, where there are several."""
    count = len(classifiers)
    return f" by {counted(count, 'classifier')}" if count > 1 else ""


def check_sizes(classifiers: Iterable[OpenedClassifier], g: Generator) -> None:
    """Let a classifier that does not take the generator's pictures say so before any is made."""
    for one in classifiers:
        check_size(one.network, one.name, g.resolution)


def write(
    results: Results,
    result: MetricResult,
    rows: pd.DataFrame,
    facts: dict[str, Any],
    notes: Sequence[str],
) -> None:
    """Say the scores, and write tables, plot and page."""
    results.tell(*summary(result), *notes)
    results.warn(*result.notes)
    results.table(ATTRIBUTES, result.samples)
    results.page.section("Attributes", _READING)
    total = result.settings["attributes"]
    part = f" The {MOST} of {total} that leave most open." if total > MOST else ""
    results.figure(PLOT, lambda: bars(result.samples), "What the plane of each attribute leaves "
                   "open. Bars: of the samples that it was fitted to; points: cross-fitted, with "
                   "95 % intervals. Grey: the entropy of the class itself; where a bar reaches it, "
                   f"the plane tells nothing.{part}")  # fmt: skip
    table, numeric = side_by_side(result.samples)
    results.page.table(table, numeric=numeric)
    results.finish(rows, {**facts, "seconds": round(result.seconds, 1)})
    results.point()


def summary(result: MetricResult) -> list[str]:
    """Say the scores, and what they are worth."""
    settings, lines = result.settings, list[str]()
    for row in rows_of(result):
        space, known = row["space"].upper(), pd.notna(row["value"])
        ranks = all(caution.ranks for caution in result.cautions_of(row["quantity"]))
        score = in_words(row) + ("" if ranks else ", doubtful")
        if row["quantity"] == score_in(row["space"]):
            lines.append(f"Score in {space}: {score}." if known else f"No score in {space}.")
        elif known:
            lines.append(f"Cross-fitted score in {space}: {score}.")
    kept = settings["num_keep"]
    of = f", the {kept:,} most confident for each attribute" if kept else ""
    lines.append(f"{counted(settings['attributes'], 'attribute')}, {settings['n']:,} samples{of}.")
    return lines


def side_by_side(attributes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return one row for each attribute: what is the same in all spaces, and then each space's.

    Numbers are rounded to what they are worth, and so text; which columns they are comes second.
    """
    rows = attributes.assign(value=attributes["entropy"]).to_dict("records")
    attributes = attributes.assign(
        # Of one class there is nothing to divide: 0 and 1 would look like the best there is.
        entropy=[number_of(row) if row["status"] == OK else "" for row in rows],
        accuracy=[share_of(r["accuracy"], r["kept"]) if r["status"] == OK else "" for r in rows],
        balance=[*map(share_of, attributes["balance"], attributes["kept"])],
        **_cross_fitted(attributes),
    )
    parts = {
        str(space): part.reset_index(drop=True)
        for space, part in attributes.groupby("space", sort=False)
    }
    common = ["attribute", "status", "kept", "unknown", "balance", "class_entropy"]
    table = next(iter(parts.values())).filter(common)
    table = table.rename(columns={"balance": "share positive", "class_entropy": "class entropy"})
    for space, part in parts.items():
        for column in ("entropy", "cross-fitted", "accuracy"):
            if column in part:
                table[f"{column} in {space.upper()}"] = part[column]
        if not part["converged"].all():
            words = part["converged"].map({True: "yes", False: "no"})
            table[f"converged in {space.upper()}"] = words
    texts = ("share", "entropy", "cross-fitted", "accuracy")
    numeric = [str(name) for name in table.columns if str(name).startswith(texts)]
    return table, numeric


def _cross_fitted(attributes: pd.DataFrame) -> dict[str, list[str]]:
    """Return the column of cross-fitted entropies with their intervals, where there are any."""
    if CROSS_FITTED not in attributes:
        return {}
    rows = attributes.assign(
        value=attributes[CROSS_FITTED], ci_low=attributes["cross_fitted_low"],
        ci_high=attributes["cross_fitted_high"],
    ).to_dict("records")  # fmt: skip
    return {"cross-fitted": [with_interval(row) if row["status"] == OK else "" for row in rows]}
