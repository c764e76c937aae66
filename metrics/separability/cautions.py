"""What there is to doubt about scores of linear separability."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from metrics.result import Caution
from metrics.separability.planes import OK, score_in

# Samples for each dimension below which we warn. A plane fitted to n coins in D dimensions
# seems to explain about D / (pi n ln 2) bits of them: with 10 D, 0.05.
FEW = 10

_NAMED = 10  # attributes


def cautions(attributes: pd.DataFrame, dimensions: Mapping[str, int]) -> tuple[Caution, ...]:
    """Say what there is to doubt about scores.

    Args:
        attributes: One row for each attribute and space, as ``planes.summarise`` gives them.
        dimensions: Of the latents, by space.
    """
    found = [*_one_class(attributes)]
    for space, part in attributes.groupby("space", sort=False):
        known, quantity = part[part["status"] == OK], (score_in(str(space)),)
        if len(known) and (text := few(int(known["kept"].min()), dimensions[str(space)])):
            found.append(Caution(text, quantity, ranks=False))
        if failed := int((~part["converged"]).sum()):
            planes = "1 SVM" if failed == 1 else f"{failed} SVMs"
            found.append(Caution(f"{planes} in {str(space).upper()} did not converge.", quantity))
    return tuple(found)


def few(kept: int, dimensions: int) -> str | None:
    """Say that so many samples of an attribute are too few for a plane, where they are."""
    if kept >= FEW * dimensions:
        return None
    return (
        f"Few samples: in {dimensions} dimensions planes divide many of {kept:,} by chance, and "
        f"look too good; use {FEW * dimensions:,} or more for each attribute."
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
