"""How near results are to their targets, over a set of pairs: what inversions are judged by."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from latentlab import ImageError, SettingsError
from latentlab.checks import check_choice
from latentlab.identity import FaceIdentity
from latentlab.images import ALPHA, COMPARED_ON, alpha_facts
from latentlab.numerics import full_precision
from latentlab.perceptual import PerceptualDistance
from metrics import sampling
from metrics.fidelity_networks import Extractor, open_extractors
from metrics.fidelity_scores import score
from metrics.picture_pairs.cautions import cautions
from metrics.picture_pairs.intervals import mean_uncertainty
from metrics.picture_pairs.measures import (
    OTHERS,
    SECONDS_EACH,
    Measure,
    PairNetworks,
    SeenPair,
    columns_of,
    measured,
    seen,
)
from metrics.picture_pairs.pixels import SIDE
from metrics.result import Caution, MetricResult

METRIC = "inversion"
SCORES = ("fid", "kid")  # of the two sets
OK, UNREADABLE = "ok", "unreadable"
FEWEST_FOR_SCORES = 4  # pictures, of which KID takes two halves

_BATCH = 16  # pairs


@full_precision()
def inversion_quality(  # noqa: PLR0913 - one for each setting
    targets: Sequence[Tensor],
    results: Sequence[Tensor],
    distances: Sequence[PerceptualDistance] = (),
    *,
    identity: FaceIdentity | None = None,
    scores: Sequence[str] = (),
    weights: Path | str | None = None,
    device: torch.device | str = "cpu",
    side: int | None = None,
    about: pd.DataFrame | None = None,
    seed: int = 0,
    finished: sampling.Finished | None = None,
    progress: sampling.Progress | None = None,
) -> MetricResult:
    """Compare pictures with what they should look like, pair by pair.

    Every pair is measured in 8-bit colour at one size: MSE and MAE of values in [-1,1], PSNR, SSIM,
    MS-SSIM, the perceptual distances, and the similarity of faces; then FID and KID of the two
    sets. docs/inversions.md says how each compares with published figures.

    Args:
        targets: Images [C,H,W] in [-1,1], or bytes, grey, colour or with alpha, of any size. They
            are read one at a time: a sequence may open files. One that raises ImageError is left
            out.
        results: Of each target, in the same order.
        distances: Perceptual distances; the first is the headline.
        identity: Compares faces.
        scores: "fid", "kid" or both.
        weights: File of the Inception network; None takes torch's hub cache, or fetches it.
        device: Where the Inception network computes.
        side: Pixels that pictures are compared at; None takes 256 or, where no picture is as large,
            the largest one's side.
        about: What else is known of each pair, a row for each: ``picture``, its name; ``seconds``
            that its result took; ``diverged`` and ``masked``, truths.
        seed: Of resampling, and of KID's subsets.
        finished: Batches of an earlier run, see ``in_batches``.
        progress: Called with the pairs done and in all.

    Returns:
        A row with ``measure``, ``std`` and ``median`` for each number: means over pairs with their
        bootstrap intervals (which fewer than 6 pairs have not), and the scores. ``samples`` has a
        row for each pair, with all of ``about``.

    Raises:
        ImageError: If no pair can be read.
        SettingsError: If there are not as many results as targets, or a setting is unknown.
        CheckpointError: If a network's weights are missing, or it cannot be called.
    """
    _check(targets, results, scores, about)
    sampling.check_counts(side=side, seed=seed)
    known = pd.DataFrame(index=range(len(targets))) if about is None else about
    side = common_side(targets, results) if side is None else side
    extractors = open_extractors(scores, device, weights) if scores else {}
    names = {distance.name: distance for distance in distances}
    networks = PairNetworks(names, identity, extractors)

    def compute(samples: range) -> sampling.Arrays:
        return _of_readable(targets, results, samples, networks, side)

    found = sampling.in_batches(compute, range(len(targets)), _BATCH, finished, progress)
    started = time.perf_counter()
    samples = _table(found, known, columns_of(networks))
    good = samples["status"] == OK
    if not good.any():
        raise ImageError("no pair of pictures can be read")
    measures = {**columns_of(networks), **_seconds(samples)}
    settings = {
        "n": int(good.sum()), "seed": seed, "resolution": side, "distances": [*names],
        **_about_identity(identity), **_provenance(extractors), **_alpha(found),
    }  # fmt: skip
    rows = [*_means(samples[good], measures, seed), *_scores(found, good, extractors, seed)]
    seconds = float(found["seconds"].sum()) + time.perf_counter() - started
    frame = pd.DataFrame(rows)
    doubts = (*cautions(samples, frame, settings), *_missing(scores, settings["n"]))
    return MetricResult(METRIC, frame, settings, samples, seconds, doubts)


def common_side(*sets: Sequence[Tensor]) -> int:
    """Return the pixels that pictures are compared at: 256, or the largest side where all are less.

    Pictures that cannot be read do not count.
    """
    largest = 1
    for images in sets:
        for i in range(len(images)):
            try:
                largest = max(largest, *images[i].shape[-2:])
            except ImageError:
                continue
            if largest >= SIDE:
                return SIDE
    return largest


def _check(
    targets: Sequence[Tensor], results: Sequence[Tensor], scores: Sequence[str],
    about: pd.DataFrame | None,
) -> None:  # fmt: skip
    rows = len(targets) if about is None else len(about)
    if not len(targets) == len(results) == rows:
        raise SettingsError(
            f"`targets`, `results` and `about` must be of as many pairs, but got {len(targets)}, "
            f"{len(results)} and {rows}"
        )
    if len(targets) == 0:
        raise SettingsError("`targets` must hold at least one picture, but got none")
    for name in scores:
        check_choice(name, "scores", SCORES)
    if scores and len(targets) < FEWEST_FOR_SCORES:
        raise SettingsError(
            f"`scores` take {FEWEST_FOR_SCORES} pairs or more, but got {len(targets)}"
        )


def _of_readable(
    targets: Sequence[Tensor], results: Sequence[Tensor], samples: range, networks: PairNetworks,
    side: int,
) -> sampling.Arrays:  # fmt: skip
    """Measure the pairs that can be read; the rows of others are NaN, and marked."""
    pairs = list[SeenPair]()
    readable = np.zeros(len(samples), dtype=bool)
    for place, i in enumerate(samples):
        try:
            pairs.append(seen(targets[i], results[i], networks, side))
            readable[place] = True
        except ImageError:
            continue
    blank = torch.zeros(3, side, side)  # for the names and shapes alone
    arrays: sampling.Arrays = {"readable": readable}
    for name, rows in measured(pairs or [seen(blank, blank, networks, side)], networks).items():
        empty = math.nan if rows.dtype.kind == "f" else 0
        whole = np.full((len(samples), *rows.shape[1:]), empty, dtype=rows.dtype)
        whole[readable] = rows if pairs else rows[:0]
        arrays[name] = whole
    return arrays


def _table(
    found: sampling.Arrays, about: pd.DataFrame, measures: Mapping[str, Measure]
) -> pd.DataFrame:
    """Return a row for each pair: what is known of it, whether it was read, and its numbers."""
    table = about.reset_index(drop=True).copy()
    if "picture" not in table:
        table.insert(0, "picture", [str(i) for i in range(len(table))])
    table["status"] = np.where(found["readable"], OK, UNREADABLE).astype(object)
    for name in measures:
        table[name] = found[name]
    looks = np.nan_to_num(found["look"]).round().astype(np.uint8)
    table["look"] = [look.tobytes().hex() for look in looks]
    return table


def _seconds(samples: pd.DataFrame) -> dict[str, Measure]:
    known = SECONDS_EACH in samples and samples[SECONDS_EACH].notna().any()
    return {SECONDS_EACH: OTHERS[SECONDS_EACH]} if known else {}


def _means(
    samples: pd.DataFrame, measures: Mapping[str, Measure], seed: int
) -> Iterable[dict[str, Any]]:
    for name, (quantity, unit, better_when) in measures.items():
        values = samples[name].dropna().to_numpy(np.float64)
        if len(values):
            yield {
                "quantity": quantity, "unit": unit, "value": float(values.mean()),
                **mean_uncertainty(values, seed).columns(), "n": len(values),
                "better_when": better_when, "measure": name,
                "std": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
                "median": float(np.median(values)),
            }  # fmt: skip


def _scores(
    found: sampling.Arrays, good: "pd.Series[bool]", extractors: Mapping[str, Extractor], seed: int
) -> Iterable[dict[str, Any]]:
    rows, count = good.to_numpy(), int(good.sum())
    for name, extractor in extractors.items() if count >= FEWEST_FOR_SCORES else ():
        made, real = (found[f"{kind} {extractor.name}"][rows] for kind in ("results", "targets"))
        yield from ({**row, "n": count} for row in score(name, made, real, seed))


def _missing(scores: Sequence[str], count: int) -> tuple[Caution, ...]:
    """Say which scores are left out, where too few pairs can be read."""
    if not scores or count >= FEWEST_FOR_SCORES:
        return ()
    names = " and ".join(name.upper() for name in scores)
    return (Caution(f"{names} left out: of fewer than {FEWEST_FOR_SCORES} pairs that can be read "
                    "there is no score."),)  # fmt: skip


def _about_identity(identity: FaceIdentity | None) -> dict[str, Any]:
    return {} if identity is None else {"identity": identity.name, "face_crop": identity.crop}


def _alpha(found: sampling.Arrays) -> dict[str, str]:
    return alpha_facts(ALPHA, COMPARED_ON) if found["alpha"].any() else {}


def _provenance(extractors: Mapping[str, Extractor]) -> dict[str, Any]:
    networks = {each.name: each.sha256 for each in extractors.values()}
    return {"features": networks} if networks else {}
