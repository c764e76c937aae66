"""The page of a comparison: which model is better on what, and what each one's images look like."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import pandas as pd
import torch
from PIL import Image

from cli.comparing.comparison import AbsentModel, Measured
from cli.comparing.comparison_tables import TABLES, write_tables
from cli.comparing.published_figures import add_published
from cli.comparing.verdicts import cautions, measures, values, values_in_lines, verdicts
from cli.measuring.attribution import roc_curves
from cli.measuring.contributions import bars
from cli.measuring.droplets import caption, heat, summary
from cli.measuring.model_cards import card, doubts, table
from cli.measuring.path_length import histogram
from cli.measuring.results import Results
from cli.measuring.separability_bars import compared
from cli.models import Model
from cli.rendering.render import render_z
from cli.rendering.sheets import abreast
from cli.reports.numbers import with_interval
from cli.reports.plot_style import colours_of
from cli.reports.tables import joined
from latentlab.images import flatten, grid, tensor_to_picture
from latentlab.latents import draw_labels, z_from_seeds
from metrics import MetricResult
from metrics.comparability import on_common_ground
from metrics.differences import compare, described
from metrics.path_protocols import PROTOCOLS
from metrics.scheme import in_order

DIFFERENCES, MODELS, SAMPLES = "differences.csv", "models.csv", "samples.png"
PATHS, SHARES, ATTRIBUTES = "path_lengths.png", "contributions.png", "separability.png"
ROC = "roc.png"

_OF_METRICS = {
    "ppl": (PATHS, TABLES["path_length"]), "separability": (ATTRIBUTES, TABLES["separability"]),
    "contributions": (SHARES, TABLES["contributions"]), "droplets": (TABLES["droplets"],),
    "attribution": (ROC, TABLES["attribution"]),
}  # fmt: skip
NOT_RANKED = "cross-fitted decides"
HONEST = (
    "Of scores of separability, the cross-fitted ones decide where all models have them: the "
    "others are of planes that classify what they were fitted to."
)
_COLUMNS, _ROWS = 6, 4  # of each model's samples
_LARGEST = 128  # pixels of a sample
_HEATED = 3  # pictures of each model with their heat


def planned_files(
    here: Sequence[bool], metrics: Collection[str], protocols: Collection[str] = ()
) -> list[str]:
    """Return the names of the files that a comparison will have.

    Args:
        here: Of each model, whether it is at hand, so that pictures of it can be made.
        metrics: What is measured of any of them, by the names of the command line.
        protocols: Of path lengths, if several.
    """
    of_models = [MODELS, SAMPLES] if any(here) else []
    of_metrics = [name for metric, names in _OF_METRICS.items() if metric in metrics
                  for name in names]  # fmt: skip
    if "ppl" in metrics:
        of_metrics += [*histogram_files(protocols).values()][1:]
    heats = [heat_file(i) for i, at_hand in enumerate(here) if at_hand and "droplets" in metrics]
    return [DIFFERENCES, *of_models, *of_metrics, *heats]


def histogram_files(protocols: Collection[str]) -> dict[str, str]:
    """Return the name of the plot of each protocol; that of the first has the protocol's alone."""
    known = [name for name in PROTOCOLS if name in protocols]
    more = {name: PATHS.replace(".png", f"-{name}.png") for name in known[1:]}
    return {**dict.fromkeys(known[:1], PATHS), **more}


def heat_file(model: int) -> str:
    """Return the name of the picture of a model's droplets."""
    return f"droplets-{model + 1}.png"


def write_comparison(
    results: Results, measured: Sequence[Measured], settings: dict[str, Any], with_published: bool
) -> list[str]:
    """Write tables, plots and page; returns what is to be said in a few lines."""
    measured = _on_common_ground(measured)
    differences = compare({each.label: each.results for each in measured})
    models = [each.model for each in measured if isinstance(each.model, Model)]
    depends = any(each.of("path_length") or each.of("separability") for each in measured)
    verdict = verdicts(differences)
    doubted = cautions(measured, doubts(models) if depends else ())
    results.table(DIFFERENCES, differences)
    if models:
        results.table(MODELS, table(models))
    write_tables(results, measured)
    results.page.lead += verdict
    for line in doubted:
        results.page.caution(line)
    results.page.cards([card(model) for model in models])
    _add_differences(results, differences, measured)
    _add_samples(results, measured)
    _add_plots(results, measured)
    _add_droplets(results, measured)
    if with_published:
        add_published(results, measured)
    rows = joined(each.model.tidy(r) for each in measured for r in each.results)
    rows = rows[in_order(rows.columns)]
    results.finish(rows, {"models": [each.model.facts() for each in measured], **settings})
    return [
        *values_in_lines(measured),
        *_refused(measured),
        *verdict,
        *(f"Caution: {line}" for line in doubted),
    ]


def _on_common_ground(measured: Sequence[Measured]) -> list[Measured]:
    """Return what was measured so that the same counts for all models."""
    shared = on_common_ground({each.label: each.results for each in measured})
    return [replace(each, results=shared[each.label]) for each in measured]


def _add_differences(
    results: Results, differences: pd.DataFrame, measured: Sequence[Measured]
) -> None:
    results.page.section("Which is better on what")
    found = values(measured)
    table = pd.DataFrame({
        "measure": measures(differences),
        "pair": differences["model_b"] + " - " + differences["model_a"],
        "difference": [
            with_interval({**row, "value": row["difference"]})
            for row in differences.to_dict("records")
        ],
        "better": differences["better"],
    })  # fmt: skip
    if table["pair"].nunique() == 1:  # everything in one row per measure
        table = found.merge(table.drop(columns="pair"), on="measure", how="left")
        shown = {key.quantity for each in measured for r in each.results for key, _ in described(r)}
        table.loc[table["measure"].isin(shown), ["difference", "better"]] = ["", NOT_RANKED]
        table = table.rename(columns={"difference": "second - first"})
    else:
        results.page.table(found)
    results.page.table(table, "Value and 95 % interval. A difference is significant where its "
                       "interval leaves out zero; one in twenty does so by chance.")  # fmt: skip
    if any(each.of("separability") for each in measured):
        results.page.text(HONEST)
    for line in _refused(measured):
        results.page.text(line)


def _refused(measured: Sequence[Measured]) -> list[str]:
    """Say which metrics do not apply to which models."""
    return [f"{each.label} has no {metric}: {reason}." for each in measured
            for metric, reason in each.refused.items()]  # fmt: skip


def _add_samples(results: Results, measured: Sequence[Measured]) -> None:
    """Show samples of the models that are at hand, and say which are not."""
    results.page.section("Samples", "The same seeds in the same places, without truncation.")
    seeds, here = range(_COLUMNS * _ROWS), [each.model for each in measured]
    models = [model for model in here if isinstance(model, Model)]
    for model in here:
        if isinstance(model, AbsentModel):
            line = f"{model.short_name} has no pictures here: {model.reason}."
            results.warn(line)
    if models:
        caption = f"Seeds 0 to {seeds[-1]} of each model."
        results.picture(SAMPLES, lambda: _samples(models, seeds), caption)


def _samples(models: Sequence[Model], seeds: range) -> Image.Image:
    """Render the same seeds by each model, in grids side by side."""
    grids = {}
    for model in models:
        g = model.g
        z = z_from_seeds(seeds, g.z_dim)
        c = draw_labels(seeds, g.c_dim, 0).to(g.device) if g.c_dim else None
        images = [render_z(g, z[i : i + 1], None if c is None else c[i : i + 1]) for i in seeds]
        laid_out = grid(torch.stack(images), _COLUMNS, gap=1)
        grids[model.short_name] = flatten(tensor_to_picture(laid_out)).convert("RGB")
    return abreast(grids, _COLUMNS * _LARGEST)


def _results_by_model(measured: Sequence[Measured], metric: str) -> dict[str, MetricResult]:
    return {each.label: result for each in measured if (result := each.of(metric)) is not None}


def _add_plots(results: Results, measured: Sequence[Measured]) -> None:
    """Draw what was measured of several models side by side, each in a colour of its own."""
    colours = colours_of([each.label for each in measured])
    lengths = {each.label: each.by_protocol() for each in measured}
    plots = histogram_files({name for mine in lengths.values() for name in mine})
    if plots:
        results.page.section("Path lengths")
    for protocol, file in plots.items():
        found = {name: mine[protocol] for name, mine in lengths.items() if protocol in mine}
        distance = PurePath(next(iter(found.values())).settings["distance"]).name
        results.figure(file, histogram(found, colours), f"How often each path length occurs "
                       f"({protocol}, distance {distance}).")  # fmt: skip
    if found := _results_by_model(measured, "separability"):
        results.page.section("Separability of each attribute")
        tables = {name: result.samples for name, result in found.items()}
        results.figure(ATTRIBUTES, compared(tables, colours), "What planes in each space leave "
                       "open of each attribute, cross-fitted; shorter is better.")  # fmt: skip
    if found := _results_by_model(measured, "contributions"):
        results.page.section("Contribution of each resolution")
        rows = {name: result.rows for name, result in found.items()}
        results.figure(SHARES, bars(rows), "Share of each resolution in the image.")
    if found := _results_by_model(measured, "attribution"):
        results.page.section("Attribution")
        results.figure(ROC, roc_curves(found, colours), "Share of real pictures taken for real, "
                       "against the share of generated ones, for every threshold of the distance "
                       "to the projection; a larger area is better.")  # fmt: skip


def _add_droplets(results: Results, measured: Sequence[Measured]) -> None:
    found = [(each, result) for each in measured if (result := each.of("droplets")) is not None]
    if found:
        results.page.section("Droplets")
    for i, (each, result) in enumerate(found):
        results.page.text(f"{each.label}: {' '.join(summary(result))}")
        if isinstance(each.model, AbsentModel):
            continue
        picture = partial(heat, each.model.g, result, _HEATED)
        results.figure(heat_file(i), picture, f"{each.label}. {caption(result)}")
