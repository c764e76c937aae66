"""Scores of several models count the attributes that are valid in all of them."""

import numpy as np
import pandas as pd
import pytest

from metrics.comparability import on_common_ground
from metrics.differences import compare
from metrics.scheme import WITHHELD
from metrics.separability.score import separability_from_labels

N, D = 400, 3


def measured(missing=(), seed=0, n=N):
    """Labels "a" and "b" that planes divide in part; one class of those that are ``missing``."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=[n, D])
    labels = pd.DataFrame({
        name: (latents[:, i] + rng.normal(size=n) > 0).astype(int) for i, name in enumerate("ab")
    })  # fmt: skip
    for name in missing:
        labels[name] = 1
    return separability_from_labels(latents, labels)


def test_an_attribute_of_one_class_counts_in_no_model():
    whole, part = measured(), measured("b", seed=1)
    # "part" divides "b" without error, as it has none without it: it must not win by that.
    assert part.value < 0.8 * whole.value
    found = on_common_ground({"whole": [whole], "part": [part]})
    (restricted,), (same,) = found["whole"], found["part"]
    alone = whole.samples.set_index("attribute").loc["a", "entropy"]
    assert restricted.value == pytest.approx(2**alone, rel=1e-12)
    assert same.value == part.value
    text = "Counts 1 of 2 attributes"
    for each in (restricted, same):
        assert each.frame()["note"][0].startswith(text)
        assert "for: attribute b in part." in each.frame()["note"][0]
        assert each.frame()["attributes"].tolist() == [1, 1]
        assert len(each.samples) == 2
    rows = compare({"whole": [whole], "part": [part]})
    assert rows["value_a"].tolist() == [restricted.rows["value"][1]]
    assert rows["better"].tolist() == ["neither"]
    assert text in rows["note"][0]


def test_its_interval_is_that_of_a_measurement_without_it():
    whole, part = measured(), measured("b", seed=1)
    restricted = on_common_ground({"whole": [whole], "part": [part]})["whole"][0]
    rng = np.random.default_rng(0)
    latents = rng.normal(size=[N, D])
    alone = pd.DataFrame({"a": (latents[:, 0] + rng.normal(size=N) > 0).astype(int)})
    pd.testing.assert_frame_equal(
        restricted.rows, separability_from_labels(latents, alone).rows, check_exact=False
    )


def test_without_the_resampled_values_the_interval_is_wider():
    whole, part = measured(), measured("b", seed=1)
    bare = {"whole": [without(whole)], "part": [without(part)]}
    wide = on_common_ground(bare)["whole"][0].rows.loc[0]
    near = on_common_ground({"whole": [whole], "part": [part]})["whole"][0].rows.loc[0]
    assert wide["value"] == near["value"]
    assert wide["ci_low"] <= near["ci_low"] + 1e-6
    assert wide["ci_high"] >= near["ci_high"] - 1e-6


def without(result):
    return type(result)(**{**vars(result), "replicates": pd.DataFrame()})


def test_nothing_in_common_is_no_score():
    rows = compare({"x": [measured("a")], "y": [measured("b")]})
    assert rows["better"].tolist() == [WITHHELD]
    assert rows["value_a"].isna().all()
    assert "No score" in rows["note"][0]


def test_one_class_alone_is_no_score():
    result = measured("ab")
    frame = result.frame()
    assert frame["value"].isna().all()
    assert "No score: only one class" in frame["note"][0]
    assert result.notes == [frame["note"][0]]


def test_too_few_samples_withhold_the_verdict():
    rows = compare({"x": [measured(n=20)], "y": [measured(n=20, seed=1)]})
    assert rows["better"].tolist() == [WITHHELD]
    assert "Few samples: in 3 dimensions" in rows["note"][0]
    assert compare({"x": [measured()], "y": [measured(seed=1)]})["better"][0] != WITHHELD


def test_valid_attributes_change_nothing_and_twice_is_once():
    results = {"x": [measured()], "y": [measured(seed=1)]}
    assert on_common_ground(results)["x"][0] is results["x"][0]
    once = on_common_ground({"x": [measured()], "y": [measured("b", seed=1)]})
    twice = on_common_ground(once)
    assert twice["x"][0].notes == once["x"][0].notes
    assert twice["x"][0].value == once["x"][0].value
