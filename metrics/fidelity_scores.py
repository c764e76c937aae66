"""FID, KID, precision and recall of features given by hand, computed by torch-fidelity.

FID: Heusel et al. 2017. KID: Binkowski et al. 2018. Precision and recall: Kynkaanniemi et al. 2019.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.numerics import Stream, keyed_seed
from metrics.scheme import FEATURES, HIGHER, LOWER, SHARE
from metrics.statistics import CONFIDENCE, Uncertainty, share_uncertainty

KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000  # as published
NEIGHBOURS = 3  # of precision and recall, as published

_LEAST_VARIANCE = 1e-10  # of a direction, as a share of the largest

# What a row is called, its unit, and whether less or more is better.
MEASURES: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "fid": ("FID", FEATURES, LOWER), "kid": ("KID", FEATURES, LOWER),
    "precision": ("precision", SHARE, HIGHER), "recall": ("recall", SHARE, HIGHER),
    "f_score": ("F-score", SHARE, HIGHER),
})  # fmt: skip

Features = NDArray[np.float32]
Rows = list[dict[str, Any]]


def subset_size(generated: int, real: int) -> int:
    """Pictures in each of KID's subsets: the published number, yet half of a set at most."""
    return min(KID_SUBSET_SIZE, min(generated, real) // 2)


def score(metric: str, generated: Features, real: Features, seed: int) -> Rows:
    """Return the rows of "fid", "kid" or "prc" for features [N,D] and [M,D]."""
    if metric == "kid":
        return kid(generated, real, seed)
    return {"fid": fid, "prc": precision_recall}[metric](generated, real)


def fid(generated: Features, real: Features) -> Rows:
    """Return FID of features [N,D] and [M,D] as one row."""
    from torch_fidelity import KEY_METRIC_FID
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    # In float64: means that are taken in float32 lose digits.
    sides = [fid_features_to_statistics(torch.from_numpy(x).double()) for x in (generated, real)]
    value = fid_statistics_to_metric(*sides, False)[KEY_METRIC_FID]
    return [{**_named("fid"), "value": value}]


def with_intervals(rows: Rows, generated: Features, real: Features) -> Rows:
    """Add to FID and precision the uncertainty that is due to the generated pictures.

    The real ones are taken as given. Whether a generated picture is near them does not depend on
    the others, so that precision is a share of independent cases; recall is not, and has no
    interval here. FID's is of its value at this number of pictures, which falls with more.
    """
    return [{**row, **_uncertainty(row, generated, real)} for row in rows]


def _uncertainty(row: Mapping[str, Any], generated: Features, real: Features) -> dict[str, float]:
    """Return the columns of a row's uncertainty; none where it is not known."""
    value = float(row["value"])
    if row["measure"] == "fid":
        error = fid_standard_error(generated, real)
        reach = error * NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        low = value - reach if math.isnan(error) else max(value - reach, 0.0)
        return Uncertainty(error, low, value + reach).columns()
    if row["measure"] == "precision":
        return share_uncertainty(round(value * len(generated)), len(generated)).columns()
    return {}


def fid_standard_error(generated: Features, real: Features) -> float:
    """Return the standard error of FID for generated features [N,D], the real ones [M,D] given.

    By the delta method: of the mean and covariance S of generated features, FID has the gradients
    2 (mean - mean of the real ones) and 1 - T, where T is the symmetric matrix with T S T = S of
    the real ones; the deviation of what a picture adds along them, over the root of N. NaN where
    there are not more generated pictures than features, as S is singular then.
    """
    n, size = generated.shape
    if n <= size:
        return math.nan
    x, y = generated.astype(np.float64), real.astype(np.float64)
    centred = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / (n - 1))
    values = np.maximum(values, values[-1] * _LEAST_VARIANCE)
    root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    middle = root @ np.cov(y, rowvar=False) @ root
    inner, frame = np.linalg.eigh(middle)
    to_real = inverse @ ((frame * np.sqrt(np.maximum(inner, 0))) @ frame.T) @ inverse
    gap = x.mean(axis=0) - y.mean(axis=0)
    added = 2 * centred @ gap + (centred**2).sum(1) - ((centred @ to_real) * centred).sum(1)
    return float(added.std(ddof=1) / math.sqrt(n))


def kid(generated: Features, real: Features, seed: int) -> Rows:
    """Return KID of features [N,D] and [M,D] as one row, with its deviation over subsets."""
    from torch_fidelity import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD
    from torch_fidelity.metric_kid import kid_features_to_metric

    found = kid_features_to_metric(
        torch.from_numpy(generated),
        torch.from_numpy(real),
        kid_subsets=KID_SUBSETS,
        kid_subset_size=subset_size(len(generated), len(real)),
        rng_seed=keyed_seed(seed, Stream.FIDELITY) % 2**32,
        verbose=False,
    )
    value, deviation = found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]
    return [{**_named("kid"), "value": value, "standard_error": deviation}]


def precision_recall(generated: Features, real: Features) -> Rows:
    """Return precision, recall and their F-score of features [N,D] and [M,D], one row each."""
    from torch_fidelity import KEY_METRIC_F_SCORE, KEY_METRIC_PRECISION, KEY_METRIC_RECALL
    from torch_fidelity.metric_prc import prc_features_to_metric

    found = prc_features_to_metric(
        torch.from_numpy(generated),
        torch.from_numpy(real),
        prc_neighborhood=NEIGHBOURS,
        save_cpu_ram=True,  # the distances of 50,000 pictures would take 10 GB at once
        verbose=False,
    )
    names = (KEY_METRIC_PRECISION, KEY_METRIC_RECALL, KEY_METRIC_F_SCORE)
    return [{**_named(name), "value": found[name]} for name in names]


def _named(measure: str) -> dict[str, Any]:
    quantity, unit, better_when = MEASURES[measure]
    return {"quantity": quantity, "unit": unit, "better_when": better_when, "measure": measure}
