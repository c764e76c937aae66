"""Uncertainty against formulas, published examples and simulated coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from metrics.statistics import (
    RESAMPLES,
    Uncertainty,
    bootstrap,
    bootstrap_rows,
    difference,
    mean_uncertainty,
    share_interval,
    share_uncertainty,
)

# Relative. 1000 resamples give a standard error to 1 / sqrt(2000) = 2.2 %, and the ends of its
# interval to 4 % of its width; three times that.
RESAMPLING = 0.07
ENDS = 0.12


def some(count=400, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, count)


def test_the_standard_error_of_a_mean_is_the_formulas():
    values = some()
    expected = values.std() / math.sqrt(len(values))
    found = bootstrap([values], np.mean, seed=0)
    assert found.standard_error == pytest.approx(expected, rel=RESAMPLING)
    for end, sign in ((found.ci_low, -1), (found.ci_high, 1)):
        normal = values.mean() + sign * 1.96 * expected
        assert end == pytest.approx(normal, abs=ENDS * 2 * 1.96 * expected)


def test_paired_samples_are_resampled_together():
    a = some()
    b = a + np.random.default_rng(1).normal(0.0, 0.1, len(a))

    def gap(a, b, axis):
        return a.mean(axis=axis) - b.mean(axis=axis)

    paired, apart = (bootstrap([a, b], gap, seed=0, paired=paired) for paired in (True, False))
    assert paired.standard_error == pytest.approx((a - b).std() / 20, rel=RESAMPLING)
    expected = math.hypot(a.std(), b.std()) / 20
    assert apart.standard_error == pytest.approx(expected, rel=RESAMPLING)


def test_the_seed_alone_decides_the_resampling():
    values, state = some(), np.random.get_state()[1].tolist()
    first, again, other = (bootstrap([values], np.mean, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert np.random.get_state()[1].tolist() == state


def test_one_sample_has_no_known_uncertainty():
    found = bootstrap([np.array([3.0])], np.mean, seed=0)
    assert all(map(math.isnan, found.columns().values()))
    rows = bootstrap_rows(np.ones([1, 2]), lambda means: means, seed=0)
    assert len(rows) == 2
    assert all(math.isnan(end) for row in rows for end in row.columns().values())


def test_equal_samples_have_no_spread():
    assert bootstrap([np.full(50, 3.0)], np.mean, seed=0) == Uncertainty(0.0, 3.0, 3.0)


def test_rows_resampled_by_their_sums_agree_with_the_bootstrap():
    values = np.stack([some(seed=1), some(seed=2) * 3], axis=1)  # [N,2]
    moments = np.stack([values, values**2], axis=2)  # [N,2,2]

    def spread(means):
        return np.sqrt(means[..., 1] - means[..., 0] ** 2)

    rows = bootstrap_rows(moments, spread, seed=0)
    for row, column in zip(rows, values.T, strict=True):
        expected = bootstrap([column], np.std, seed=1)
        width = expected.ci_high - expected.ci_low
        assert row.standard_error == pytest.approx(expected.standard_error, rel=2 * RESAMPLING)
        assert row.ci_low == pytest.approx(expected.ci_low, abs=2 * ENDS * width)
        assert row.ci_high == pytest.approx(expected.ci_high, abs=2 * ENDS * width)


def test_rows_are_resampled_in_parts_that_fit_in_memory(monkeypatch):
    values, whole = some(count=50)[:, None], []
    for at_once in (2**23, 50 * 7):
        monkeypatch.setattr("metrics.statistics._VALUES_AT_ONCE", at_once)
        parts = []
        rows = bootstrap_rows(values, lambda means, parts=parts: parts.append(means) or means, 0)
        assert sum(map(len, parts)) == RESAMPLES
        whole.append(list(rows[0].columns().values()))
    assert whole[0] == pytest.approx(whole[1], rel=1e-12)


# Shares.


@pytest.mark.parametrize(("hits", "total"), [(0, 20), (1, 20), (7, 15), (20, 20), (500, 1000)])
def test_a_share_has_wilsons_interval(hits, total):
    share, z = hits / total, 1.959963984540054
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) * z / (1 + z**2 / total)
    found = share_uncertainty(hits, total)
    assert found.ci_low == pytest.approx(middle - half, abs=1e-12)
    assert found.ci_high == pytest.approx(middle + half, abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(share * (1 - share) / total))
    assert found.ci_high > found.ci_low


def test_a_share_may_be_of_a_part_of_a_sample():
    low, high = share_interval(0.3, 50)
    assert low < share_interval(0.3, 50.5)[0]
    assert share_interval(0.3, 50.5)[1] < high
    assert share_interval(1.0, 7.3)[1] == 1.0


# Differences.


def of_share(hits, total):
    found = share_uncertainty(hits, total)
    return hits / total, found.ci_low, found.ci_high


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        # Newcombe 1998, "Interval estimation for the difference between independent proportions",
        # table II, method 10.
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_a_difference_of_shares_has_newcombes_interval(first, second, interval):
    value, low, high = difference(of_share(*first), of_share(*second))
    assert value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (round(low, 4), round(high, 4)) == interval


def test_symmetric_intervals_give_the_normal_formula():
    found = difference((5.0, 4.0, 6.0), (2.0, 1.5, 2.5))
    assert found == pytest.approx((3.0, 3 - math.hypot(1, 0.5), 3 + math.hypot(1, 0.5)))


def test_a_difference_turned_round_has_its_interval_turned_round():
    a, b = (5.0, 4.5, 7.0), (2.0, 1.0, 2.25)
    value, low, high = difference(a, b)
    assert difference(b, a) == (-value, -high, -low)
    assert difference((5.0, math.nan, math.nan), b)[0] == 3.0
    assert math.isnan(difference((5.0, math.nan, math.nan), b)[1])


def test_correlated_errors_make_a_difference_narrower():
    found = difference((5.0, 4.0, 6.0), (2.0, 1.5, 2.5), correlation=0.8)
    reach = math.sqrt(1 + 0.25 - 0.8)
    assert found == pytest.approx((3.0, 3 - reach, 3 + reach))
    assert difference((5.0, 4.0, 6.0), (2.0, 1.0, 3.0), 1.0) == pytest.approx((3.0, 3.0, 3.0))


# Means of a few values.


def test_the_mean_of_symmetric_values_has_students_interval():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    found = mean_uncertainty(values)
    expected = stats.t.interval(0.95, 6, loc=4.0, scale=stats.sem(values))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, rel=1e-12)
    assert found.standard_error == pytest.approx(stats.sem(values), rel=1e-12)


def test_the_interval_of_a_mean_undoes_halls_transformation():
    values = np.array([0.2, 0.3, 0.3, 0.5, 0.6, 0.9, 1.4, 4.0])
    found, n = mean_uncertainty(values), len(values)
    reach, skewness = stats.t.ppf(0.975, n - 1), stats.skew(values) * (1 - 1 / n) ** 1.5
    for end, expected in ((found.ci_low, reach), (found.ci_high, -reach)):
        # Hall's g(t) = t + a t^2 + a^2 t^3 / 3 + b, of the mean that stands at this end.
        t, a = (values.mean() - end) / found.standard_error, skewness / (3 * math.sqrt(n))
        transformed = t + a * t**2 + a**2 * t**3 / 3 + skewness / (6 * math.sqrt(n))
        assert transformed == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_a_mean_stays_where_the_mean_can_be():
    assert mean_uncertainty(np.array([0.0, 1.0])).ci_low < 0
    assert mean_uncertainty(np.array([0.0, 1.0]), least=0.0).ci_low == 0
    assert mean_uncertainty(np.full(5, 2.5)) == Uncertainty(0.0, 2.5, 2.5)
    assert math.isnan(mean_uncertainty(np.array([3.0])).ci_low)


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_interval_of_a_few_values_holds_their_mean(draw):
    rng, times = np.random.default_rng(1), 1000
    samples = getattr(rng, draw)(size=[times, 16])
    truth = 0.0 if draw == "normal" else 1.0
    ends = np.array([(u.ci_low, u.ci_high) for u in map(mean_uncertainty, samples)])
    # 95 % of 1,000 have a standard deviation of 0.7 %. A bootstrap's percentiles hold it in 92 and
    # 90 %, a t interval in 95 and 91 %.
    assert 0.93 <= ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean() <= 0.975
