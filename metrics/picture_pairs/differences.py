"""Which method is nearer to the targets: differences over the pictures that all methods have.

A picture that is hard is hard for every method, so the differences of each picture vary less than
its numbers do: their mean and its interval are of the differences themselves.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.picture_pairs.intervals import FEWEST, difference_uncertainty
from metrics.picture_pairs.measures import SECONDS_EACH
from metrics.picture_pairs.quality import OK
from metrics.result import MetricResult
from metrics.scheme import DIFFERENCES, LOWER, NEITHER, UNKNOWN, WITHHELD

# Grey levels by which two small pictures of one target may differ, as root mean square: of JPEG at
# quality 10 and its original we measured 2, of two digits 30 and more.
_ALIKE = 8.0
OVER = "Over"  # how the note of a difference begins that nothing is against

_OF_SETS = ("fid", "kid")
# Settings, where results have them, that must be the same if seconds are to be compared.
_OF_SECONDS = {
    "computed_on": "Computed on different devices.",
    "kind": "Not of the same work: a tuning begins with projections, whose seconds are not in it.",
}


def common_pictures(results: Mapping[str, MetricResult]) -> tuple[list[str], dict[str, str]]:
    """Return the names of the pictures that every method has, and why others are left out.

    Two methods' pictures of one name are the same if their targets look alike.
    """
    looks = {method: _looks(result) for method, result in results.items()}
    names = dict.fromkeys(name for mine in looks.values() for name in mine)
    common, others = list[str](), dict[str, str]()
    for name in names:
        lacking = [method for method, mine in looks.items() if name not in mine]
        seen = [mine[name] for mine in looks.values() if name in mine]
        if lacking:
            others[name] = f"not in {', '.join(lacking)}"
        elif any(_apart(seen[0], other) > _ALIKE for other in seen[1:]):
            others[name] = "its targets are not the same picture"
        else:
            common.append(name)
    return common, others


def inversion_differences(results: Mapping[str, MetricResult]) -> pd.DataFrame:
    """Compare methods, pair by pair, over the pictures that all of them have.

    Args:
        results: What ``inversion_quality`` gave for each method, by its name. Pictures are the same
            where their column ``picture`` says so, and their targets look alike.

    Returns:
        One row per quantity and pair with ``metrics.scheme.DIFFERENCES``: values are means over
        the common pictures, ``difference`` is b - a with Student's interval of the mean of each
        picture's difference, and it is significant where that leaves out zero; one in twenty does
        by chance. FID and KID, which are of sets, have no interval, and are not comparable where a
        method has other pictures than these.
    """
    common, _ = common_pictures(results)
    tables = {method: _of_common(result, common) for method, result in results.items()}
    rows = [
        row
        for row_of in (_means, _scores)
        for name in _measures(results)
        for a, b in combinations(results, 2)
        for row in row_of(name, (a, b), results, tables)
    ]
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def _measures(results: Mapping[str, MetricResult]) -> list[str]:
    return list(dict.fromkeys(name for each in results.values() for name in each.rows["measure"]))


def _means(
    name: str, pair: tuple[str, str], results: Mapping[str, MetricResult],
    tables: Mapping[str, pd.DataFrame],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield the row of a measure that both methods have of each picture."""
    a, b = (results[method] for method in pair)
    if name in _OF_SETS or not all(name in tables[method] for method in pair):
        return
    first, second = (tables[method][name].to_numpy(np.float64) for method in pair)
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return
    first, second = first[known], second[known]
    against = _against(a, b, name)
    found = difference_uncertainty(second - first)
    few = f"Fewer than {FEWEST} pictures in common." * (len(first) < FEWEST)
    note = against or few or f"{OVER} {len(first):,} pictures that all methods have."
    yield _row(name, pair, (a, b), (first, second), found.columns(), note, bool(against))


def _scores(
    name: str, pair: tuple[str, str], results: Mapping[str, MetricResult],
    tables: Mapping[str, pd.DataFrame],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield the row of a score of two sets."""
    a, b = (results[method] for method in pair)
    rows = [result.rows[result.rows["measure"] == name] for result in (a, b)]
    if name not in _OF_SETS or any(row.empty for row in rows):
        return
    counts = {*(result.settings["n"] for result in (a, b)), *(len(tables[m]) for m in pair)}
    other = "The sets are of different pictures." if len(counts) > 1 else ""
    values = tuple(row["value"].to_numpy(np.float64) for row in rows)
    unknown = dict.fromkeys(("standard_error", "ci_low", "ci_high"), math.nan)
    note = _against(a, b, name) or other
    yield _row(name, pair, (a, b), values, unknown, note, bool(note))  # type: ignore[arg-type]


def _row(
    name: str, methods: tuple[str, str], results: tuple[MetricResult, MetricResult],
    values: tuple[NDArray[np.float64], NDArray[np.float64]], interval: Mapping[str, float],
    note: str, withheld: bool,
) -> dict[str, Any]:  # fmt: skip
    frame = results[0].frame()
    what = frame[frame["measure"] == name].iloc[0]
    a, b = (float(each.mean()) for each in values)
    low, high = interval["ci_low"], interval["ci_high"]
    significant = not withheld and (low > 0 or high < 0)
    b_wins = (b < a) == (what["better_when"] == LOWER)
    if withheld:
        better = WITHHELD
    elif math.isnan(low):
        better = UNKNOWN
    else:
        better = methods[b_wins] if significant else NEITHER
    return {
        "model_a": methods[0], "model_b": methods[1],
        **{key: what[key] for key in ("metric", "protocol", "quantity", "unit")},
        "value_a": a, "value_b": b, "difference": b - a, **interval,
        "significant": bool(significant), "better": better, "note": note,
    }  # fmt: skip


def _against(a: MetricResult, b: MetricResult, name: str) -> str:
    """Say why two methods must not be ranked by a measure; "" if they may be."""
    sizes = [result.settings["resolution"] for result in (a, b)]
    if sizes[0] != sizes[1]:
        return f"Measured at {sizes[0]} and {sizes[1]} pixels."
    for setting, reason in _OF_SECONDS.items() if name == SECONDS_EACH else ():
        if a.settings.get(setting) != b.settings.get(setting):
            return reason
    return ""


def _of_common(result: MetricResult, common: list[str]) -> pd.DataFrame:
    return _good(result).set_index("picture").reindex(common)


def _good(result: MetricResult) -> pd.DataFrame:
    """Return the samples that were read; of several of one name the first."""
    return result.samples[result.samples["status"] == OK].drop_duplicates("picture")


def _looks(result: MetricResult) -> dict[str, NDArray[np.float64]]:
    good = _good(result)
    return {
        str(name): np.array([*bytes.fromhex(look)], dtype=np.float64)
        for name, look in zip(good["picture"], good["look"], strict=True)
    }


def _apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))
