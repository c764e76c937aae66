"""Tidy rows: the same around every metric's own columns."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from latentlab import NumericalError
from metrics import MetricResult, contributions, perceptual_path_length
from metrics.result import Caution
from metrics.scheme import LEADING, TRAILING, UNCERTAINTY
from tests.conftest import make_generator
from tests.metrics.doubles import squared


def some_result(**changes):
    rows = pd.DataFrame({
        "part": ["a", "b"], "size": [4, 8], "std": [0.5, 0.25], "value": [1.0, 2.0],
        "ci_low": [0.5, math.nan], "ci_high": [1.5, math.nan],
    })  # fmt: skip
    settings = {"n": 10, "seed": 3, "crop": True, "psi": 0.7}
    return MetricResult("some", rows.assign(**changes), settings, seconds=1.5)


def test_own_columns_stand_between_those_of_all_metrics():
    frame = some_result().frame()
    assert list(frame.columns) == [*LEADING, "part", "size", "std", *TRAILING]
    assert frame["metric"].tolist() == frame["protocol"].tolist() == ["some", "some"]
    assert frame["n"].tolist() == [10, 10]
    assert frame["seconds"].tolist() == [1.5, 1.5]
    assert [json.loads(text) for text in frame["settings"]] == [{"crop": True, "psi": 0.7}] * 2


def test_unknown_uncertainty_stays_empty():
    result = some_result()
    frame = result.frame()
    assert frame["standard_error"].isna().all()
    assert frame["ci_low"].tolist()[0] == 0.5
    assert math.isnan(result.standard_error)
    bare = MetricResult("some", pd.DataFrame({"value": [1]}), {})
    assert all(bare.frame()[name].dtype == np.float64 for name in UNCERTAINTY)


def test_the_first_row_is_the_headline():
    result = some_result(standard_error=[0.25, 0.1])
    assert (result.value, result.standard_error, result.ci_low, result.ci_high) == (
        1.0, 0.25, 0.5, 1.5,
    )  # fmt: skip


def test_frames_of_all_metrics_fit_one_table():
    g = make_generator()
    results = [
        perceptual_path_length(g, squared, num_samples=8, seed=1),
        contributions(g, num_samples=8, seed=1),
        some_result(),
    ]
    frames = [result.frame() for result in results]
    for frame in frames:
        assert list(frame.columns[: len(LEADING)]) == [*LEADING]
        assert list(frame.columns[-len(TRAILING) :]) == [*TRAILING]
        assert frame["value"].dtype == np.float64
    table = pd.concat(frames, ignore_index=True)
    assert len(table) == 1 + 6 + 2
    assert frames[0].loc[0, "protocol"] == "ppl2_wend"


def test_the_result_does_not_share_its_frame():
    result = some_result()
    frame = result.frame()
    frame["value"] = 7.0
    assert result.rows["value"].tolist() == [1.0, 2.0]
    assert "metric" not in result.rows


@pytest.mark.parametrize(
    ("column", "number"),
    [("value", math.nan), ("value", math.inf), ("std", -math.inf), ("ci_high", math.inf)],
)
def test_numbers_that_are_not_finite_are_refused(column, number):
    with pytest.raises(NumericalError, match=f"some: {column} holds NaN or infinity"):
        some_result(**{column: [1.0, number]})


def test_only_the_value_must_be_known():
    assert some_result(std=[math.nan, 1.0]).value == 1.0


def test_whole_numbers_stay_whole_beside_metrics_that_have_none():
    bare = MetricResult("bare", pd.DataFrame({"value": [1.0]}), {})
    table = pd.concat([some_result().frame(), bare.frame()], ignore_index=True)
    assert [str(table[name].dtype) for name in ("n", "seed", "size")] == ["Int64"] * 3
    assert table["size"].tolist()[:2] == [4, 8]
    assert table["size"].isna().tolist() == [False, False, True]


class TestCautions:
    def result(self, *cautions):
        rows = pd.DataFrame({"quantity": ["a", "b"], "value": [1.0, 2.0], "ci_low": [0.5, 1.5]})
        return MetricResult("some", rows, {}, cautions=cautions)

    def test_they_stand_beside_their_rows(self):
        found = self.result(Caution("Few."), Caution("Bent.", ("b",)), Caution("Few.", ("b",)))
        assert found.frame()["note"].tolist() == ["Few.", "Few. Bent."]
        assert found.notes == ["Few.", "Bent."]

    def test_values_that_say_nothing_are_left_out(self):
        found = self.result(Caution("No score.", ("a",), ranks=False, void=True))
        frame = found.frame()
        assert frame["value"].isna().tolist() == frame["ci_low"].isna().tolist() == [True, False]
        assert found.value == 1.0

    def test_those_that_come_as_lists_from_a_file_are_the_same(self):
        cautions = (Caution("Few."), Caution("Bent.", ("b",), ranks=False))
        read = json.loads(json.dumps(cautions))
        assert self.result(*read).cautions == cautions
