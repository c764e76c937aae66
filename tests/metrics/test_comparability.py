"""Numbers that must not be ranked, by what was different where they were measured."""

import pandas as pd
import pytest

from metrics.comparability import THE_SAME, reasons_against
from metrics.result import Caution, MetricResult

ROWS = pd.DataFrame({"quantity": ["it"], "value": [1.0]})


def result(metric, cautions=(), **settings):
    return MetricResult(metric, ROWS, settings, cautions=cautions)


@pytest.mark.parametrize(
    ("metric", "name", "words"),
    [(metric, name, words) for metric, names in THE_SAME.items() for name, words in names.items()],
)
class TestSettings:
    def test_other_ones_are_a_reason(self, metric, name, words):
        a, b = result(metric, **{name: "mine"}), result(metric, **{name: "yours"})
        assert reasons_against(a, b, "it") == [f"Measured with different {words}: mine and yours."]

    def test_equal_ones_are_none(self, metric, name, words):
        a, b = result(metric, **{name: ["mine"]}), result(metric, **{name: ["mine"]})
        assert reasons_against(a, b, "it") == []

    def test_what_one_of_them_does_not_say_is_none(self, metric, name, words):
        assert reasons_against(result(metric, **{name: "mine"}), result(metric), "it") == []

    def test_other_metrics_have_it_not(self, metric, name, words):
        a, b = result("contributions", **{name: 1}), result("contributions", **{name: 2})
        assert reasons_against(a, b, "it") == []


class TestSizes:
    @pytest.mark.parametrize("metric", ["path_length", "droplets", "fidelity"])
    def test_pictures_of_another_size_are_a_reason(self, metric):
        (reason,) = reasons_against(
            result(metric, resolution=32), result(metric, resolution=64), "it"
        )
        assert reason.startswith("Pictures of 32x32 and 64x64 pixels: ")

    def test_crops_of_the_same_size_are_none(self):
        a = result("path_length", resolution=128, crop=True)
        assert reasons_against(a, result("path_length", resolution=64, crop=False), "it") == []

    def test_nor_are_those_that_the_distance_brings_to_one_size(self):
        a, b = result("path_length", resolution=1024), result("path_length", resolution=256)
        assert reasons_against(a, b, "it") == []


def test_a_caution_against_ranking_is_a_reason_for_its_own_row():
    doubtful = result("ppl", (Caution("Too few.", ("it",), ranks=False),))
    assert reasons_against(doubtful, result("ppl"), "it") == ["Too few."]
    assert reasons_against(doubtful, result("ppl"), "another") == []
    assert reasons_against(result("ppl", (Caution("Small."),)), result("ppl"), "it") == []


def test_droplets_of_another_rule_are_a_reason_and_the_first_had_no_number():
    old, new = result("droplets"), result("droplets", rule=2)
    (reason,) = reasons_against(old, new, "it")
    assert reason == "Found by different rules: 1 and 2; measure the older again."
    assert reasons_against(new, new, "it") == reasons_against(old, old, "it") == []
