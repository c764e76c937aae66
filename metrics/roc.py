"""How well a number tells two groups apart: the ROC curve, its area, the best threshold.

What is larger than a threshold, or equal to it, is taken for a positive.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.statistics import CONFIDENCE

Values = NDArray[np.float64]

_EDGE = 1e-9  # areas this near to 0 or 1 are taken for it


def area(negatives: Values, positives: Values, axis: int = -1) -> Values:
    """Return the area under the ROC curve, from the rank sum (Mann and Whitney 1947).

    It is the share of pairs in which the positive is the larger one; ties count half.
    """
    from scipy.stats import rankdata

    n, m = negatives.shape[axis], positives.shape[axis]
    ranks = rankdata(np.concatenate([negatives, positives], axis=axis), axis=axis)
    of_positives = np.take(ranks, range(n, n + m), axis=axis).sum(axis=axis)
    return np.asarray((of_positives - m * (m + 1) / 2) / (n * m))


def area_interval(auc: float, n: int, m: int) -> tuple[float, float]:
    """Return the 95 % interval of an area from n and m values (Newcombe 2006, method 5).

    The areas that are as far from the one found as their own variance allows (Hanley and McNeil
    1982). Unlike a bootstrap's, it has a width where the groups do not overlap at all.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    reach = float(norm.ppf((1 + CONFIDENCE) / 2))
    others = (n + m) / 2 - 1

    def excess(true: float) -> float:
        correlation = (1 - true) / (2 - true) + true / (1 + true)
        variance = true * (1 - true) * (1 + others * correlation) / (n * m)
        return abs(auc - true) - reach * math.sqrt(variance)

    near = min(max(auc, _EDGE), 1 - _EDGE)  # at 0 and 1 themselves the variance is 0
    low = 0.0 if auc <= _EDGE else float(brentq(excess, 0, near))
    high = 1.0 if auc >= 1 - _EDGE else float(brentq(excess, near, 1))
    return low, high


def curve(negatives: Values, positives: Values) -> pd.DataFrame:
    """Return the points of the ROC curve: threshold, false_positive_rate, true_positive_rate.

    The first threshold is infinite.
    """
    from sklearn.metrics import roc_curve

    labels = np.repeat([0, 1], [len(negatives), len(positives)])
    values = np.concatenate([negatives, positives])
    false, true, thresholds = roc_curve(labels, values, drop_intermediate=False)
    return pd.DataFrame(
        {"threshold": thresholds, "false_positive_rate": false, "true_positive_rate": true}
    )


def best_threshold(negatives: Values, positives: Values) -> float:
    """Return the threshold with the largest true minus false positive rate (Youden 1950).

    It stands halfway between the values that it separates.
    """
    points = curve(negatives, positives).iloc[1:]  # without the infinite one
    gain = points["true_positive_rate"] - points["false_positive_rate"]
    best, last = int(gain.argmax()), len(points) - 1
    threshold, below = map(float, points["threshold"].iloc[[best, min(best + 1, last)]])
    middle = below + (threshold - below) / 2
    return middle if middle > below else threshold
