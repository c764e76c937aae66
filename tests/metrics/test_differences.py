from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from metrics import MetricResult
from metrics.differences import compare
from metrics.result import Caution
from metrics.scheme import DIFFERENCES, NEITHER, UNKNOWN, WITHHELD


def result(value, half_width, better="lower", protocol="ppl2_wend", quantity="length", **settings):
    row = {"quantity": quantity, "unit": "m", "better_when": better, "value": value,
           "standard_error": half_width / 1.96, "ci_low": value - half_width,
           "ci_high": value + half_width}  # fmt: skip
    return MetricResult("path_length", pd.DataFrame([row]), {"protocol": protocol, **settings})


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
    first = [result(197.2, 2.0), result(3.74, 0.05, protocol="ls", quantity="in W")]
    second = [result(129.4, 1.6), result(4.27, 0.05, protocol="ls", quantity="in W")]
    rows = compare({"stylegan1": first, "stylegan2": second})
    assert rows["better"].tolist() == ["stylegan2", "stylegan1"]
    assert rows["quantity"].tolist() == ["length", "in W"]
    assert list(rows.columns) == list(DIFFERENCES)


def test_every_pair_of_three_models_is_compared():
    rows = compare({name: [result(float(i), 0.1)] for i, name in enumerate("abc")})
    assert list(zip(rows["model_a"], rows["model_b"], strict=True)) == [
        ("a", "b"), ("a", "c"), ("b", "c")
    ]  # fmt: skip


def test_only_equal_protocols_and_quantities_are_compared():
    a = [result(1.0, 0.1), result(1.0, 0.1, protocol="ls", quantity="in Z")]
    b = [result(1.0, 0.1, protocol="ppl_wend"), result(1.0, 0.1, protocol="ls", quantity="in W")]
    assert compare({"a": a, "b": b}).empty


def test_numbers_that_are_neither_better_nor_worse_are_left_out():
    shares = MetricResult("contributions", pd.DataFrame([{"resolution": 4, "value": 50.0}]), {})
    assert compare({"a": [shares], "b": [shares]}).empty
    details = result(1.0, 0.1).rows.assign(better_when=None)
    detail = MetricResult("path_length", details, {})
    assert compare({"a": [detail], "b": [detail]}).empty


def test_a_difference_without_intervals_is_never_significant():
    bare = [MetricResult("fid", pd.DataFrame([{"better_when": "lower", "value": v}]), {})
            for v in (1.0, 9.0)]  # fmt: skip
    rows = compare({"a": [bare[0]], "b": [bare[1]]})
    # The page said "not known" where this table said "neither".
    assert rows["better"].tolist() == [UNKNOWN]
    assert rows["significant"].tolist() == [False]
    assert rows["ci_low"].isna().all()


@pytest.mark.parametrize(("changes", "words"), [
    ({"resolution": 32}, "32x32 and 128x128 pixels: path lengths depend"),
    ({"distance": "lpips-alex"}, "different perceptual distances: lpips-alex and lpips-vgg"),
    ({"noise": "const"}, "different noise: const and random"),
])  # fmt: skip
def test_numbers_that_do_not_compare_have_no_verdict(changes, words):
    settings = {"resolution": 128, "distance": "lpips-vgg", "noise": "random"}
    rows = compare({"a": [result(1.0, 0.1, **{**settings, **changes})],
                    "b": [result(9.0, 0.1, **settings)]})  # fmt: skip
    assert rows["better"].tolist() == [WITHHELD]
    assert not rows["significant"].any()
    assert words in rows["note"][0]
    alike = compare({"a": [result(1.0, 0.1, **settings)], "b": [result(9.0, 0.1, **settings)]})
    assert alike["better"].tolist() == ["a"]


def test_pictures_that_the_distance_sees_at_one_size_compare():
    large = result(1.0, 0.1, resolution=512), result(9.0, 0.1, resolution=1024)
    assert compare({"a": [large[0]], "b": [large[1]]})["better"].tolist() == ["a"]


def test_cautions_are_told_with_their_model_and_may_withhold_the_verdict():
    few = Caution("Few.")
    doubtful = replace(result(1.0, 0.1), cautions=(few,))
    plain = result(9.0, 0.1)
    rows = compare({"a": [doubtful], "b": [plain]})
    assert (rows["better"][0], rows["note"][0]) == ("a", "a: Few.")
    assert compare({"a": [doubtful], "b": [doubtful]})["note"].tolist() == ["Few."]
    withheld = replace(doubtful, cautions=(few._replace(ranks=False),))
    rows = compare({"a": [withheld], "b": [plain]})
    assert (rows["better"][0], rows["note"][0]) == (WITHHELD, "Few.")


def test_the_error_of_a_difference_is_that_of_both():
    rows = compare({"a": [result(1.0, 3 * 1.96)], "b": [result(9.0, 4 * 1.96)]})
    assert rows["standard_error"].tolist() == pytest.approx([5.0])
