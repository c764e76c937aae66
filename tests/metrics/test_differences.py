import numpy as np
import pandas as pd
import pytest

from metrics import MetricResult
from metrics.differences import COLUMNS, NEITHER, compare


def result(value, half_width, better="lower", protocol="ppl2_wend", **labels):
    row = {**labels, "better": better, "value": value, "standard_error": half_width / 1.96,
           "ci_low": value - half_width, "ci_high": value + half_width}  # fmt: skip
    return MetricResult("path_length", pd.DataFrame([row]), {"protocol": protocol})


@pytest.mark.parametrize(("a", "b", "better", "expected"), [
    (10.0, 20.0, "lower", "old"), (20.0, 10.0, "lower", "new"),
    (10.0, 20.0, "higher", "new"), (20.0, 10.0, "higher", "old"),
    (10.0, 11.0, "lower", NEITHER), (10.0, 10.0, "higher", NEITHER),
])  # fmt: skip
def test_the_better_model_is_named_only_where_the_interval_leaves_out_zero(a, b, better, expected):
    rows = compare({"old": [result(a, 1.0, better)], "new": [result(b, 1.0, better)]})
    assert rows["better"].tolist() == [expected]
    assert rows["significant"].tolist() == [expected != NEITHER]
    assert rows["difference"].iloc[0] == b - a
    # Independent intervals of equal width: the difference's is wider by the root of two.
    assert rows["ci_high"].iloc[0] - rows["ci_low"].iloc[0] == pytest.approx(2 * np.sqrt(2))


def test_the_published_figures_have_no_winner_on_all_counts():
    """StyleGAN2 has the shorter paths, StyleGAN1 the better separability in W."""
    first = [result(197.2, 2.0), result(3.74, 0.05, protocol="ls", space="w")]
    second = [result(129.4, 1.6), result(4.27, 0.05, protocol="ls", space="w")]
    rows = compare({"stylegan1": first, "stylegan2": second})
    assert rows["better"].tolist() == ["stylegan2", "stylegan1"]
    assert rows["quantity"].tolist() == ["", "w"]
    assert list(rows.columns) == list(COLUMNS)


def test_every_pair_of_three_models_is_compared():
    rows = compare({name: [result(float(i), 0.1)] for i, name in enumerate("abc")})
    assert list(zip(rows["model_a"], rows["model_b"], strict=True)) == [
        ("a", "b"), ("a", "c"), ("b", "c")
    ]  # fmt: skip


def test_only_equal_protocols_and_quantities_are_compared():
    a = [result(1.0, 0.1), result(1.0, 0.1, protocol="ls", space="z")]
    b = [result(1.0, 0.1, protocol="ppl_wend"), result(1.0, 0.1, protocol="ls", space="w")]
    assert compare({"a": a, "b": b}).empty


def test_numbers_that_are_neither_better_nor_worse_are_left_out():
    shares = MetricResult("contributions", pd.DataFrame([{"resolution": 4, "value": 50.0}]), {})
    assert compare({"a": [shares], "b": [shares]}).empty
    details = result(1.0, 0.1).rows.assign(better=None)
    detail = MetricResult("path_length", details, {})
    assert compare({"a": [detail], "b": [detail]}).empty


def test_a_difference_without_intervals_is_never_significant():
    bare = [MetricResult("fid", pd.DataFrame([{"better": "lower", "value": v}]), {})
            for v in (1.0, 9.0)]  # fmt: skip
    rows = compare({"a": [bare[0]], "b": [bare[1]]})
    assert rows["better"].tolist() == [NEITHER]
    assert rows["ci_low"].isna().all()
