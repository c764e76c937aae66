"""Scores of several models over the attributes that are valid in all of them.

An attribute of one class counts as divided without error, so that a model that never makes a thing
would seem to divide it best. Among models it counts for none, or for all.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from metrics.result import Caution, MetricResult
from metrics.scheme import LOWER
from metrics.separability.cautions import cautions, listed
from metrics.separability.planes import OK
from metrics.separability.summary import CROSS_FITTED, cross_fitted_in, scores

_COUNTED = "attributes_counted"


def over_common_attributes(results: Mapping[str, MetricResult]) -> dict[str, MetricResult]:
    """Return results of linear separability whose scores are over the same attributes.

    Args:
        results: Of models that were measured by the same protocol, by the models' names.

    Returns:
        The same where all attributes have two classes in all models, and all have cross-fitted
        scores or none has. Elsewhere scores, intervals
        and cautions are of those attributes that have; ``samples`` keep all. Where none has,
        scores are void.
    """
    valid = {model: _valid(result.samples) for model, result in results.items()}
    every = list(dict.fromkeys(
        str(name) for result in results.values() for name in result.samples["attribute"]
    ))  # fmt: skip
    common = [name for name in every if all(name in mine for mine in valid.values())]
    if len(common) == len(every):
        return _ranked_alike(results)
    text = _left_out(every, common, valid)
    return _ranked_alike({m: _restricted(result, common, text) for m, result in results.items()})


def _valid(attributes: pd.DataFrame) -> set[str]:
    """Return the attributes with two classes in every space."""
    alone = attributes.loc[attributes["status"] != OK, "attribute"].astype(str)
    return set(attributes["attribute"].astype(str)) - set(alone)


def _left_out(every: list[str], common: list[str], valid: Mapping[str, set[str]]) -> str:
    """Say which attributes do not count, and because of which models."""
    lacking = "; ".join(
        f"{_called([name for name in every if name not in mine])} in {model}"
        for model, mine in valid.items()
        if not mine.issuperset(every)
    )
    if not common:
        return (
            "No score: no attribute has two classes among the samples kept of each model. Only "
            f"one class is among them for: {lacking}."
        )
    return (
        f"Counts {len(common)} of {len(every)} attributes, those valid in all models. Only one "
        f"class is among the samples kept for: {lacking}."
    )


def _called(names: list[str]) -> str:
    """Name attributes, whose own names may be numbers: "attribute 1", "attributes 1, 3"."""
    return f"attribute{'s' * (len(names) > 1)} {listed(names)}"


def counted(result: MetricResult) -> "pd.Series[bool]":
    """Return of each row of ``samples`` whether its attribute counts in the scores."""
    names = result.samples["attribute"].astype(str)
    return names.isin(result.settings.get(_COUNTED, names))


def _restricted(result: MetricResult, common: list[str], text: str) -> MetricResult:
    if result.settings.get(_COUNTED) == common:
        return result
    settings = {**result.settings, _COUNTED: common}
    if not common:
        void = Caution(text, ranks=False, void=True)
        return replace(result, cautions=(void,), settings=settings)
    result = replace(result, settings=settings)
    counts = counted(result)
    table, draws = result.samples[counts], result.replicates
    if draws.size:
        draws = draws.loc[:, np.tile(counts.to_numpy(), draws.shape[1] // len(counts))]
    rows = scores(table, draws)
    doubts = (
        Caution(text),
        *cautions(
            table, result.settings["dimensions"], rows, dual=bool(result.settings.get("dual"))
        ),
    )
    return replace(result, rows=rows, cautions=doubts)


def _ranked_alike(results: Mapping[str, MetricResult]) -> dict[str, MetricResult]:
    """Rank by the scores that all have: earlier versions measured no cross-fitted ones."""
    lacking = [model for model, result in results.items() if CROSS_FITTED not in result.samples]
    if not lacking or len(lacking) == len(results):
        return dict(results)
    text = (
        "Ranked by planes that classify what they were fitted to, which flatters: an earlier "
        f"version measured {', '.join(lacking)}, without a cross-fitted score; measure again."
    )
    return {model: result if model in lacking else _as_earlier(result, text)
            for model, result in results.items()}  # fmt: skip


def _as_earlier(result: MetricResult, text: str) -> MetricResult:
    """Leave out the cross-fitted scores of a result, and rank by the others."""
    kept = ~result.rows["quantity"].isin([*map(cross_fitted_in, result.samples["space"])])
    rows = result.rows[kept].assign(better_when=LOWER)
    return replace(result, rows=rows, cautions=(*result.cautions, Caution(text)))
