"""The page of a comparison: which model is better on what, and what each one's images look like."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import torch
from PIL import Image

from cli.measuring.comparison import Measured
from cli.measuring.contributions import bars
from cli.measuring.droplets import caption, heat, summary
from cli.measuring.path_length import histogram
from cli.measuring.results import Results
from cli.measuring.separability_bars import compared
from cli.rendering.render import render_z
from cli.rendering.sheets import abreast
from cli.reports.tables import short
from latentlab.images import grid, tensor_to_picture
from latentlab.latents import draw_labels, z_from_seeds
from metrics import MetricResult
from metrics.differences import NEITHER, compare, quantities

DIFFERENCES, SAMPLES = "differences.csv", "samples.png"
PATHS, SHARES, ATTRIBUTES = "path_lengths.png", "contributions.png", "separability.png"

UNKNOWN = "not known"  # which model is better, where a difference has no interval

_COLUMNS, _ROWS = 6, 4  # of each model's samples
_LARGEST = 128  # pixels of a sample
_HEATED = 3  # pictures of each model with their heat
SOURCE = (
    "Published by the authors for FFHQ at 1024x1024 (READMEs of NVlabs/stylegan and "
    "NVlabs/stylegan2, config F), not measured here; other pictures and other perceptual "
    "networks give other figures."
)

_PUBLISHED = (
    ("ppl_zfull", 664.8854, 348.0), ("ppl_wfull", 233.3059, 126.9),
    ("ppl_zend", 666.1057, 348.6), ("ppl_wend", 197.2266, 129.4), ("ppl2_wend", None, 145.0),
    ("ls z", 165.0106, 154.2), ("ls w", 3.7447, 4.27), ("fid", 4.4159, 2.84),
)  # fmt: skip


def planned_files(models: int) -> list[str]:
    """Return the names of all files that a comparison of that many models may have."""
    heats = [heat_file(i) for i in range(models)]
    return [DIFFERENCES, SAMPLES, PATHS, SHARES, ATTRIBUTES, *heats]


def heat_file(model: int) -> str:
    """Return the name of the picture of a model's droplets."""
    return f"droplets-{model + 1}.png"


def write_comparison(
    results: Results, measured: Sequence[Measured], settings: dict[str, Any], with_published: bool
) -> list[str]:
    """Write tables, plots and page; returns what is to be said in a few lines."""
    by_name = {each.model.name: each.results for each in measured}
    results.table(DIFFERENCES, compare(by_name))
    differences = _told(compare({each.label: each.results for each in measured}))
    verdict = verdicts(differences)
    results.page.lead += verdict
    _add_differences(results, differences, measured)
    results.page.section("Samples", "The same seeds in the same places, without truncation.")
    seeds = range(_COLUMNS * _ROWS)
    results.picture(
        SAMPLES, lambda: _samples(measured, seeds), f"Seeds 0 to {seeds[-1]} of each model."
    )
    _add_plots(results, measured)
    _add_droplets(results, measured)
    if with_published:
        results.page.section("Published figures, for orientation", SOURCE)
        columns = ["measure", "StyleGAN (published)", "StyleGAN2 (published)"]
        results.page.table(pd.DataFrame(_PUBLISHED, columns=columns))
    rows = pd.concat([each.model.tidy(r) for each in measured for r in each.results])
    results.finish(rows, {"models": [each.model.facts() for each in measured], **settings})
    return verdict


def verdicts(differences: pd.DataFrame) -> list[str]:
    """Say in one line per model what it is significantly better on, and what is undecided."""
    lines = []
    named = differences.assign(what=_names(differences))
    many = differences.groupby(["model_a", "model_b"]).ngroups > 1
    for model in dict.fromkeys([*differences["model_a"], *differences["model_b"]]):
        won = named[named["better"] == model]
        if not won.empty:
            other = won["model_a"].where(won["model_a"] != model, won["model_b"])
            what = won["what"] + " (than " + other + ")" if many else won["what"]
            lines.append(f"{model} is better on {', '.join(what)}.")
    undecided = []
    for measure, part in named.groupby("what", sort=False):
        alike = part[part["better"] == NEITHER]
        if len(alike):
            pairs = ", ".join(alike["model_a"] + " and " + alike["model_b"])
            undecided.append(str(measure) if len(alike) == len(part) else f"{measure} ({pairs})")
    if undecided:
        lines.append(f"No significant difference on {', '.join(undecided)}.")
    if unknown := named.loc[named["better"] == UNKNOWN, "what"].unique().tolist():
        lines.append(f"No verdict on {', '.join(unknown)}, as no interval is known.")
    return lines or ["Nothing was measured by which models can be ranked."]


def _told(differences: pd.DataFrame) -> pd.DataFrame:
    """Tell differences that are not significant from those whose interval is not known."""
    known = differences["ci_low"].notna()
    return differences.assign(better=differences["better"].where(known, UNKNOWN))


def _names(frame: pd.DataFrame) -> "pd.Series[str]":
    keys = zip(frame["metric"], frame["protocol"], frame["quantity"], strict=True)
    return pd.Series([_in_words(*key) for key in keys], index=frame.index, dtype=object)


def _in_words(metric: str, protocol: str, quantity: str) -> str:
    """Return what a person calls a quantity."""
    words = {
        "path_length": f"path length ({protocol})",
        "separability": f"separability in {quantity.upper()}",
        "droplets": "pictures with droplets",
        "fidelity": {"fid": "FID", "kid": "KID", "f_score": "F-score"}.get(quantity, quantity),
    }
    return words.get(metric, f"{protocol} {quantity}".strip())


def _add_differences(
    results: Results, differences: pd.DataFrame, measured: Sequence[Measured]
) -> None:
    results.page.section("Which is better on what")
    values = _values(measured)
    ends = (differences[name] for name in ("difference", "ci_low", "ci_high"))
    table = pd.DataFrame({
        "measure": _names(differences),
        "pair": differences["model_b"] + " - " + differences["model_a"],
        "difference": [*map(_with_interval, *ends)],
        "better": differences["better"],
    })  # fmt: skip
    if table["pair"].nunique() == 1:  # everything in one row per measure
        table = values.merge(table.drop(columns="pair"), on="measure", how="left")
        table = table.rename(columns={"difference": "second - first"})
    else:
        results.page.table(values)
    results.page.table(table, "Value and 95 % interval. A difference is significant where its "
                       "interval leaves out zero; one in twenty does so by chance.")  # fmt: skip
    for each in measured:
        for metric, reason in each.refused.items():
            results.page.text(f"{each.label} has no {metric}: {reason}.")


def _values(measured: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per measure with one column per model: the value with its interval."""
    columns: dict[str, dict[str, str]] = {}
    for each in measured:
        for result in each.results:
            for name, row in quantities(result):
                ends = (row["value"], row.get("ci_low"), row.get("ci_high"))
                columns.setdefault(each.label, {})[_in_words(*name)] = _with_interval(*ends)
    frame = pd.DataFrame(columns).rename_axis("measure").reset_index()
    return frame.reindex(columns=["measure", *(each.label for each in measured)])


def _with_interval(value: float, low: float | None, high: float | None) -> str:
    """Write a number with its interval: "24.5 (23.1 to 26.1)"."""
    unknown = low is None or high is None or math.isnan(low)
    return short(value) + ("" if unknown else f" ({short(low)} to {short(high)})")


def _samples(measured: Sequence[Measured], seeds: range) -> Image.Image:
    """Render the same seeds by each model, in grids side by side."""
    grids = {}
    for each in measured:
        g = each.model.g
        z = z_from_seeds(seeds, g.z_dim)
        c = draw_labels(seeds, g.c_dim, 0).to(g.device) if g.c_dim else None
        images = [render_z(g, z[i : i + 1], None if c is None else c[i : i + 1]) for i in seeds]
        laid_out = grid(torch.stack(images), _COLUMNS, gap=1)
        grids[each.label] = tensor_to_picture(laid_out).convert("RGB")
    return abreast(grids, _COLUMNS * _LARGEST)


def _results_by_model(measured: Sequence[Measured], metric: str) -> dict[str, MetricResult]:
    return {each.label: result for each in measured if (result := each.of(metric)) is not None}


def _add_plots(results: Results, measured: Sequence[Measured]) -> None:
    """Draw what was measured of several models side by side."""
    if found := _results_by_model(measured, "path_length"):
        first = next(iter(found.values())).settings
        results.page.section("Path lengths")
        results.figure(PATHS, histogram(found), f"How often each path length occurs "
                       f"({first['protocol']}, distance {first['distance']}).")  # fmt: skip
    if found := _results_by_model(measured, "separability"):
        results.page.section("Separability of each attribute")
        tables = {name: result.samples for name, result in found.items()}
        results.figure(ATTRIBUTES, compared(tables), "What planes in each space leave open of "
                       "each attribute; shorter is better.")  # fmt: skip
    if found := _results_by_model(measured, "contributions"):
        results.page.section("Contribution of each resolution")
        rows = {name: result.rows for name, result in found.items()}
        results.figure(SHARES, bars(rows), "Share of each resolution in the image.")


def _add_droplets(results: Results, measured: Sequence[Measured]) -> None:
    found = [(each, result) for each in measured if (result := each.of("droplets")) is not None]
    if found:
        results.page.section("Droplets")
    for i, (each, result) in enumerate(found):
        results.page.text(f"{each.label}: {' '.join(summary(result))}")
        picture = partial(heat, each.model.g, result, _HEATED)
        results.figure(heat_file(i), picture, f"{each.label}. {caption(result)}")
