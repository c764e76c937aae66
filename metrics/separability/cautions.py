"""What there is to doubt about scores of linear separability."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from metrics.result import Caution
from metrics.separability.planes import OK
from metrics.separability.scales import UNEQUAL
from metrics.separability.summary import cross_fitted_in, score_in

# Samples for each dimension below which we warn: of planes as directions, and of scores, whose
# cross-fitted ones were simulated down to there (benchmarks/separability/coverage.py).
FEW, FEW_FOR_SCORES = 10, 8

# A score is called biased where it is further below the cross-fitted one than this share of half
# its own interval: with a quarter, 95 % become 92 %.
BIASED = 0.25

_NAMED = 10  # attributes


def cautions(
    attributes: pd.DataFrame,
    dimensions: Mapping[str, int],
    rows: pd.DataFrame,
    *,
    dual: bool = False,
) -> tuple[Caution, ...]:
    """Say what there is to doubt about scores.

    Args:
        attributes: One row for each attribute and space, as ``summary.summarise`` gives them.
        dimensions: Of the latents, by space.
        rows: The scores of these attributes, as ``summary.scores`` gives them.
        dual: Whether planes were found by the published solver.
    """
    found = [*_one_class(attributes)]
    by_name = {row["quantity"]: row for row in rows.to_dict("records")}
    for space, part in attributes.groupby("space", sort=False):
        known, name, size = part[part["status"] == OK], str(space), dimensions[str(space)]
        both = (score_in(name), cross_fitted_in(name))
        if len(known):
            kept = int(known["kept"].min())
            if text := few(kept, size, FEW_FOR_SCORES):
                found.append(Caution(text, both, ranks=False))
            if both[1] in by_name:
                found += _biased(by_name[both[0]], by_name[both[1]], kept, size)
        if "scales" in part and part["scales"].iloc[0] >= UNEQUAL:
            found += _unequal(part, both, not dual)
        for column, quantity in zip(("converged", "folds_converged"), both, strict=True):
            if column in part and (failed := int((~part[column]).sum())):
                found.append(Caution(_not_converged(failed, name), (quantity,)))
    return tuple(found)


def few(kept: int, dimensions: int, least: int = FEW) -> str | None:
    """Say that so many samples of an attribute are too few for a plane, where they are."""
    if kept >= least * dimensions:
        return None
    return (
        f"Few samples: in {dimensions} dimensions planes divide many of {kept:,} by chance, and "
        f"look too good; use {least * dimensions:,} or more for each attribute."
    )


def _not_converged(failed: int, space: str) -> str:
    planes = "1 SVM" if failed == 1 else f"{failed} SVMs"
    return f"{planes} in {space.upper()} did not converge."


def _biased(
    fitted: Mapping[Any, Any], cross_fitted: Mapping[Any, Any], kept: int, dimensions: int
) -> Iterator[Caution]:
    """Say by how much planes flatter a score, where its interval does not show it."""
    bias = math.log2(fitted["value"] / cross_fitted["value"])
    half = math.log2(fitted["ci_high"] / fitted["ci_low"]) / 2
    if -bias > BIASED * half:
        percent = f"{-100 * fitted['bias']:.2g}"
        yield Caution(
            f"Planes fitted to {kept:,} samples of {dimensions} dimensions look too good on these: "
            f"{fitted['quantity']} is about {percent} % too low, by the cross-fitted score.",
            (str(fitted["quantity"]),),
            ranks=False,
        )


def _unequal(
    attributes: pd.DataFrame, quantities: tuple[str, str], primal: bool
) -> Iterator[Caution]:
    """Say what very unequal scales of latents do to scores."""
    space, ratio = str(attributes["space"].iloc[0]).upper(), float(attributes["scales"].iloc[0])
    where = f"Scales in {space} are unequal: deviations along its axes differ {ratio:,.0f}-fold"
    if primal:
        yield Caution(
            f"{where}. The published solver stops before it has found such planes, and its scores "
            "are higher, by 1 to 2 % where scales differ 30-fold and 7 to 19 % where 100-fold.",
            quantities,
        )
    names = attributes.loc[attributes["better_whitened"], "attribute"].astype(str).tolist()
    if names:
        yield Caution(
            f"{where}. The SVM's penalty keeps planes from small ones: whitened latents are "
            f"divided better for {len(names)} of {len(attributes)} attributes ({listed(names)}). "
            "Both scores lie above what more samples would show; cross-fitted intervals reach down "
            "to it.",
            quantities,
        )


def listed(names: Sequence[str]) -> str:
    """Name attributes in a sentence; of many the first ones."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _one_class(attributes: pd.DataFrame) -> Iterator[Caution]:
    every = attributes["attribute"].astype(str).drop_duplicates().tolist()
    alone = attributes.loc[attributes["status"] != OK, "attribute"].astype(str)
    names = alone.drop_duplicates().tolist()
    if names and len(names) == len(every):
        yield Caution(
            "No score: only one class is among the samples kept, whatever the attribute; keep more "
            "samples, or take other attributes.",
            ranks=False,
            void=True,
        )
    elif names:
        yield Caution(
            "Only one class among the samples kept, which counts as divided without error: "
            f"{len(names)} of {len(every)} attributes ({listed(names)})."
        )
