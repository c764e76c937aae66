"""Which method is nearer: planted differences, and what must not be compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metrics import MetricResult, inversion_differences
from metrics.picture_pairs.differences import common_pictures
from metrics.scheme import DIFFERENCES, NEITHER, UNKNOWN, WITHHELD

LOOK = "80" * 64


def result_of(values, names=None, looks=None, **settings):
    """A result of one measure, of which less is better."""
    count = len(values)
    samples = pd.DataFrame({
        "picture": names or [f"p{i}" for i in range(count)], "status": ["ok"] * count,
        "mse": np.asarray(values, dtype=float), "look": looks or [LOOK] * count,
    })  # fmt: skip
    rows = pd.DataFrame([{
        "quantity": "MSE", "unit": "squared values in [-1,1]", "value": float(np.mean(values)),
        "better_when": "lower", "measure": "mse",
    }])  # fmt: skip
    told = {"n": count, "seed": 0, "resolution": 256, **settings}
    return MetricResult("inversion", rows, told, samples)


def hard_and_easy(count=40, seed=0):
    return np.random.default_rng(seed).gamma(2, 1, count)


def test_a_difference_smaller_than_the_spread_of_pictures_is_found():
    """Paired, one in a hundred of the spread is beyond doubt; unpaired it would drown."""
    mean = hard_and_easy()
    moved = mean + np.random.default_rng(1).normal(0.03, 0.02, len(mean))
    (row,) = inversion_differences({"a": result_of(mean), "b": result_of(moved)}).to_dict("records")
    assert row["difference"] == pytest.approx((moved - mean).mean())
    low, high = stats.t.interval(0.95, 39, (moved - mean).mean(), stats.sem(moved - mean))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), rel=1e-9)
    assert (row["significant"], row["better"]) == (True, "a")
    assert stats.sem(mean) > 5 * abs(row["difference"])


def test_equal_methods_are_seldom_told_apart():
    wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        hard = hard_and_easy(12, seed)
        pair = [result_of(hard + rng.normal(0, 0.3, 12)) for _ in range(2)]
        (row,) = inversion_differences(dict(zip("ab", pair, strict=True))).to_dict("records")
        wrong += row["better"] != NEITHER
    assert wrong <= 9  # 3 of 60 are expected; 9 are 3.5 deviations more


def test_only_pictures_that_all_methods_have_count():
    a = result_of([1, 2, 3, 4, 5, 6, 7, 100], [*"abcdefgx"])
    b = result_of([7, 6, 5, 4, 3, 2, 1, 0], [*"gfedcbay"])
    (row,) = inversion_differences({"a": a, "b": b}).to_dict("records")
    assert row["value_a"] == row["value_b"] == 4
    assert row["difference"] == 0
    assert row["better"] == NEITHER
    assert row["note"] == "Over 7 pictures that all methods have."
    common, others = common_pictures({"a": a, "b": b})
    assert common == [*"abcdefg"]
    assert others == {"x": "not in b", "y": "not in a"}


def test_pictures_of_one_name_and_two_targets_do_not_count():
    looks = ["10" * 64, *[LOOK] * 6]
    a, b = result_of(range(7)), result_of(range(7), looks=looks)
    common, others = common_pictures({"a": a, "b": b})
    assert len(common) == 6
    assert others == {"p0": "its targets are not the same picture"}
    alike = ["7e" * 64, *[LOOK] * 6]  # as another file format may have it
    assert len(common_pictures({"a": a, "b": result_of(range(7), looks=alike)})[0]) == 7


def test_of_fewer_than_six_no_method_is_called_better():
    pair = {"a": result_of([1, 2, 3, 4, 5.0]), "b": result_of([2, 3, 4, 5, 6.0])}
    (row,) = inversion_differences(pair).to_dict("records")
    assert (row["better"], row["significant"]) == (UNKNOWN, False)
    assert "Fewer than 6" in row["note"]


def test_other_sizes_are_not_compared():
    pair = {"a": result_of(range(9)), "b": result_of(range(1, 10), resolution=64)}
    (row,) = inversion_differences(pair).to_dict("records")
    assert (row["better"], row["note"]) == (WITHHELD, "Measured at 256 and 64 pixels.")


def seconds_of(values, **settings):
    found = result_of(values, **settings)
    rows = found.rows.assign(quantity="seconds per picture", measure="seconds")
    return replace(found, rows=rows, samples=found.samples.rename(columns={"mse": "seconds"}))


@pytest.mark.parametrize(("setting", "words"), [
    ({"computed_on": ["cuda"]}, "different devices"), ({"kind": "tune"}, "Not of the same work"),
])  # fmt: skip
def test_seconds_of_other_devices_and_other_work_are_not_compared(setting, words):
    one = seconds_of(range(9), computed_on=["cpu"], kind="project")
    other = seconds_of(range(1, 10), **{"computed_on": ["cpu"], "kind": "project", **setting})
    (row,) = inversion_differences({"a": one, "b": other}).to_dict("records")
    assert row["better"] == WITHHELD
    assert words in row["note"]


def scored(value, names=None):
    found = result_of(range(9), names)
    row = {"quantity": "FID", "unit": "squared feature distance", "value": value,
           "better_when": "lower", "measure": "fid"}  # fmt: skip
    return replace(found, rows=pd.DataFrame([row]))


def test_scores_of_sets_have_no_interval_and_want_the_same_pictures():
    (row,) = inversion_differences({"a": scored(3.0), "b": scored(2.0)}).to_dict("records")
    assert (row["difference"], row["better"]) == (-1, UNKNOWN)
    others = [f"q{i}" for i in range(9)]
    pair = {"a": scored(3.0), "b": scored(2.0, others)}
    (row,) = inversion_differences(pair).to_dict("records")
    assert (row["better"], row["note"]) == (WITHHELD, "The sets are of different pictures.")


def test_three_methods_are_compared_pair_by_pair():
    methods = {name: result_of(np.arange(9) + i) for i, name in enumerate("abc")}
    found = inversion_differences(methods)
    assert found.columns.tolist() == [*DIFFERENCES]
    assert [*zip(found["model_a"], found["model_b"], strict=True)] == [
        ("a", "b"), ("a", "c"), ("b", "c")
    ]  # fmt: skip


def test_of_pictures_of_one_name_the_first_counts_in_all():
    """Whether two targets look alike is asked of the pictures that are compared."""
    white, black = "ff" * 64, "00" * 64
    names = ["p", "p", "q"]
    a = result_of([1, 2, 3], names, [white, black, LOOK])
    b = result_of([1, 2, 3], names, [black, black, LOOK])
    common, others = common_pictures({"a": a, "b": b})
    assert common == ["q"]
    assert "not the same picture" in others["p"]
