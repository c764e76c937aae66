"""What there is to doubt about the numbers of pairs of pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from metrics import picture_fidelity
from metrics.fidelity_scores import subset_size
from metrics.picture_pairs.intervals import FEWEST
from metrics.picture_pairs.pixels import SIDE
from metrics.picture_pairs.structural_similarity import SMALLEST, WINDOW
from metrics.result import Caution

_FEW = 50  # pictures, below which a mean says little of others
_NAMED = 5  # pictures
_OF_SETS = ("FID", "KID")


def cautions(
    samples: pd.DataFrame, rows: pd.DataFrame, settings: Mapping[str, Any]
) -> tuple[Caution, ...]:
    """Say what there is to doubt about means and scores that were made of these samples."""
    found = [*_of_pictures(samples), *_of_size(settings["resolution"])]
    equal = samples["mse"] == 0
    if equal.any():
        found.append(Caution(f"Equal to the target, pixel by pixel, and left out of the mean of "
                             f"PSNR: {named(samples[equal])}.", ("PSNR",)))  # fmt: skip
    count = settings["n"]
    means = rows[~rows["quantity"].isin(_OF_SETS)]
    fewest = means["n"] < FEWEST  # of PSNR there may be fewer than of others
    if none := tuple(means.loc[fewest, "quantity"]):
        found.append(Caution(f"Of fewer than {FEWEST} pictures no interval is given.", none))
    if few := tuple(means.loc[~fewest & (means["n"] < _FEW), "quantity"]):
        found.append(Caution(f"Fewer than {_FEW} pictures: others may have other means, as far as "
                             "the intervals say.", few))  # fmt: skip
    scores = [name for name in rows["quantity"] if name in _OF_SETS]
    sizes = {"n": count, "reals": count, "kid_subset_size": subset_size(count, count)}
    return *found, *picture_fidelity.cautions(sizes, scores)


def _of_pictures(samples: pd.DataFrame) -> Iterator[Caution]:
    for column, text in (
        ("diverged", "Of projections whose loss became NaN or infinite, the best before that is "
                     "measured"),
        ("masked", "Projected within a mask, yet measured as whole pictures"),
    ):  # fmt: skip
        if column in samples and (those := samples[column].fillna(value=False).astype(bool)).any():
            yield Caution(f"{text}: {named(samples[those])}.")
    if (unread := samples["status"] != "ok").any():
        yield Caution(f"Cannot be read, and left out: {named(samples[unread])}.")


def _of_size(side: int) -> Iterator[Caution]:
    if side < SIDE:
        yield Caution(f"Measured at {side}x{side} pixels, as no picture is larger; published "
                      f"figures are at {SIDE}x{SIDE}.")  # fmt: skip
    if side < WINDOW:
        yield Caution(f"SSIM looks at {WINDOW}x{WINDOW} pixels at a time, more than these pictures "
                      "have, and is left out.", ("SSIM",))  # fmt: skip
    if side < SMALLEST:
        yield Caution(f"MS-SSIM is left out: its five scales take pictures of {SMALLEST} pixels or "
                      f"more, and these are {side} wide.", ("MS-SSIM",))  # fmt: skip


def named(samples: pd.DataFrame) -> str:
    """Name the first pictures, and say how many more there are."""
    names = [*map(str, samples["picture"])]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
