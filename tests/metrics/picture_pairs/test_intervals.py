"""Intervals of means: what they cover, and how they compare with Student's."""

import numpy as np
import pytest
from scipy import stats

from metrics.picture_pairs.intervals import FEWEST, difference_uncertainty, mean_uncertainty


def test_of_many_normal_values_it_is_students_interval():
    values = np.random.default_rng(0).normal(3, 2, 2000)
    found = mean_uncertainty(values, seed=0)
    low, high = stats.t.interval(0.95, 1999, values.mean(), stats.sem(values))
    assert found.standard_error == pytest.approx(stats.sem(values))
    # 5,000 resamples know a quantile of the tails to 3 % of the interval.
    assert found.ci_low == pytest.approx(low, abs=0.03 * (high - low))
    assert found.ci_high == pytest.approx(high, abs=0.03 * (high - low))


def test_of_few_values_it_covers_the_truth_nearly_always_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(150):
        found = mean_uncertainty(rng.normal(1, 1, 12), seed)
        hits += found.ci_low < 1 < found.ci_high
    assert hits / 150 > 0.89  # 0.95, less three and a half deviations of 150 tries


def test_it_follows_a_long_tail():
    """Of lognormal values the interval reaches farther up than down, where Student's ends."""
    values = np.random.default_rng(0).lognormal(0, 1, 60)
    found = mean_uncertainty(values, seed=0)
    assert found.ci_high - values.mean() > 1.15 * (values.mean() - found.ci_low)


def test_neither_end_is_nearer_than_students():
    """Else 89.8 % of the intervals of six lognormal values (sigma 0.5) hold the truth, not 92.8."""
    for seed in range(20):
        values = np.random.default_rng(seed).lognormal(0, 0.5, FEWEST)
        found, least = mean_uncertainty(values, seed), difference_uncertainty(values)
        assert found.ci_low <= least.ci_low
        assert found.ci_high >= least.ci_high


def test_differences_have_students_interval():
    values = np.random.default_rng(0).normal(3, 2, 20)
    found = difference_uncertainty(values)
    expected = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected)
    assert found.standard_error == pytest.approx(stats.sem(values))


def test_fewer_than_six_have_none():
    assert np.isnan(difference_uncertainty(np.arange(FEWEST - 1.0)).ci_low)
    assert np.isnan(mean_uncertainty(np.arange(FEWEST - 1.0), seed=0).ci_low)
    assert np.isfinite(mean_uncertainty(np.arange(FEWEST * 1.0), seed=0).ci_low)


def test_the_seed_decides_the_last_digits():
    values = np.random.default_rng(0).normal(size=50)
    assert mean_uncertainty(values, 3) == mean_uncertainty(values, 3) != mean_uncertainty(values, 4)


def test_equal_values_are_certain():
    found = mean_uncertainty(np.full(8, 0.25), seed=0)
    assert (found.standard_error, found.ci_low, found.ci_high) == (0, 0.25, 0.25)
