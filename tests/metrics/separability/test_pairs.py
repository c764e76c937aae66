"""Differences of scores with shared seeds, and of folders that earlier versions have measured."""

import numpy as np
import pandas as pd
import pytest

from metrics.comparability import on_common_ground
from metrics.differences import compare, described, quantities
from metrics.result import MetricResult
from metrics.separability.pairs import uncertainty_of
from metrics.separability.planes import fit_planes, plane_numbers
from metrics.separability.summary import CROSS_FITTED, summarise

N, D = 600, 4
QUANTITY = "cross-fitted separability in Z"


def measured(seed=0, noise=0, n=N, number=0, spread=1.0):
    """Two attributes of latents with a seed, whose logits have a noise of another seed."""
    z = np.random.default_rng(seed).standard_normal([n, D])
    logits = z[:, :2].T + spread * np.random.default_rng([7, noise]).standard_normal([2, n])
    rows, table, draws = summarise(fit_planes({"z": lambda: z}, logits, n), "ab", {"z": D}, number)
    settings = {"protocol": "ls", "n": n, "seed": number, "dimensions": {"z": D}}
    return MetricResult("separability", rows, settings, table, replicates=draws)


def earlier(result):
    """A result as earlier versions saved it."""
    names = [c for c in result.samples if c in (
        "attribute", "space", "status", "entropy", "ci_low", "ci_high", "class_entropy",
        "accuracy", "balance", "kept", "converged", "iterations",
    )]  # fmt: skip
    rows = result.rows[:1].drop(columns="bias").assign(better_when="lower")
    draws = result.replicates.iloc[:, : len(result.samples)]
    return MetricResult("separability", rows, result.settings, result.samples[names],
                        replicates=draws)  # fmt: skip


class TestShared:
    def test_the_same_twice_differs_by_no_chance(self):
        found = uncertainty_of(measured(), measured(), QUANTITY)
        assert found.standard_error == 0
        # What is in doubt about the limit of each besides chance stays in doubt.
        assert -0.1 < found.ci_low < 0 < found.ci_high < 0.1

    def test_what_is_shared_makes_the_difference_more_certain(self):
        a, b = measured(spread=0.5), measured(spread=0.7)  # the same latents and noise
        paired = uncertainty_of(a, b, QUANTITY)
        other = MetricResult("separability", b.rows, {**b.settings, "seed": 1}, b.samples)
        assert uncertainty_of(a, other, QUANTITY) is None
        (row,) = compare({"a": [a], "b": [b]}).to_dict("records")
        (apart,) = compare({"a": [a], "b": [other]}).to_dict("records")
        assert row["difference"] == apart["difference"]
        assert row["standard_error"] == paired.standard_error < 0.7 * apart["standard_error"]
        assert apart["ci_low"] < row["ci_low"] < row["difference"] < row["ci_high"]
        assert (row["quantity"], row["better"]) == (QUANTITY, "a")

    @pytest.mark.slow
    def test_intervals_of_differences_hold_nought_where_there_is_none(self):
        """Sixty differences of models as good as each other, half of their noise in common."""
        held = []
        for i in range(60):
            a, b = measured(seed=i, noise=i, number=i), measured(seed=i, noise=i + 1000, number=i)
            found = uncertainty_of(a, b, QUANTITY)
            held.append(found.ci_low <= 0 <= found.ci_high)
        assert np.mean(held) >= 0.88  # 95 % less 2.5 standard errors

    def test_attributes_that_do_not_count_are_left_out_of_it(self):
        a, b = measured(), measured(noise=1)
        settings = {"attributes_counted": ["a"]}
        one = [
            MetricResult(r.metric, r.rows, {**r.settings, **settings}, r.samples,
                         replicates=r.replicates)
            for r in (a, b)
        ]  # fmt: skip
        error = uncertainty_of(*one, QUANTITY).standard_error
        assert 0 < error < uncertainty_of(a, b, QUANTITY).standard_error


class TestRanking:
    def test_the_cross_fitted_score_ranks_and_the_other_is_shown(self):
        result = measured()
        assert [key.quantity for key, _ in quantities(result)] == [QUANTITY]
        assert [key.quantity for key, _ in described(result)] == ["separability in Z"]
        assert result.value == result.rows["value"][0] < result.rows["value"][1]
        assert result.rows["bias"][0] == pytest.approx(result.value / result.rows["value"][1] - 1)

    def test_one_of_an_earlier_version_is_ranked_by_the_other_score(self):
        old, new = earlier(measured()), measured(noise=1)
        found = on_common_ground({"old": [old], "new": [new]})
        assert found["old"][0] is old
        assert [key.quantity for key, _ in quantities(found["new"][0])] == ["separability in Z"]
        (row,) = compare({"old": [old], "new": [new]}).to_dict("records")
        assert row["quantity"] == "separability in Z"
        assert "measured old, without a cross-fitted score" in row["note"]
        both = on_common_ground({"old": [old], "older": [earlier(new)]})
        assert both["old"][0] is old


class TestResuming:
    def planes(self, finished=None):
        z = np.random.default_rng(0).standard_normal([N, D])
        logits = z[:, :2].T + np.random.default_rng(1).standard_normal([2, N])
        return fit_planes({"z": lambda: z}, logits, N // 2, finished=finished)

    def test_planes_of_an_earlier_version_are_taken_and_those_of_the_folds_added(self, monkeypatch):
        finished, whole = {}, self.planes()
        self.planes(finished)
        new = plane_numbers(N, 2, held_out=True)
        old = {part: arrays for part, arrays in finished.items() if part.start not in new}
        assert sorted(part.start for part in old) == [*plane_numbers(N, 2)]
        assert all({*arrays} == {"cells", "converged", "iterations", "seconds"}
                   for arrays in old.values())  # fmt: skip

        def refused(*_, **__):
            raise AssertionError("is fitted again")

        with monkeypatch.context() as patch:
            patch.setattr("metrics.separability.planes.separate", refused)
            again = self.planes(old)
        assert {part.start for part in old} == {*plane_numbers(N, 2), *new}
        with monkeypatch.context() as patch:
            patch.setattr("metrics.separability.planes.separate", refused)
            patch.setattr("metrics.separability.planes.held_out_outputs", refused)
            third = self.planes(old)
        for found in (again, third):
            np.testing.assert_array_equal(found.cells, whole.cells)
            np.testing.assert_array_equal(found.held_out, whole.held_out)

    def test_what_is_not_kept_has_no_output(self):
        found = self.planes()
        np.testing.assert_array_equal(found.cells < 0, found.held_out < 0)
        kept = found.cells >= 0
        np.testing.assert_array_equal(found.cells[kept] % 2, found.held_out[kept] % 2)
        assert (found.cells[kept] != found.held_out[kept]).any()


def test_columns_of_an_attribute_are_numbers():
    table = measured().samples
    assert pd.api.types.is_float_dtype(table[CROSS_FITTED])
    assert (table["cross_fitted_low"] < table[CROSS_FITTED]).all()
    assert (table["held_out"] > table["entropy"]).any()
