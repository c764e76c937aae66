import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score

from metrics.roc import area, area_difference, area_uncertainty, best_threshold, curve


@pytest.fixture
def groups():
    rng = np.random.default_rng(0)
    return rng.integers(0, 9, 30).astype(float), rng.integers(2, 12, 50).astype(float)  # with ties


def test_the_area_is_scikit_learns(groups):
    labels = np.repeat([0, 1], [30, 50])
    expected = roc_auc_score(labels, np.concatenate(groups))
    assert area(*groups) == pytest.approx(expected, rel=1e-12)
    assert area(*groups) == pytest.approx(mannwhitneyu(*groups[::-1]).statistic / 1500)


def test_the_area_of_many_resamples_at_once(groups):
    stacked = [np.stack([values, values[::-1] + 1]) for values in groups]
    one_by_one = [area(*pair) for pair in zip(*stacked, strict=True)]
    np.testing.assert_allclose(area(*stacked, axis=1), one_by_one)


def delong(negatives, positives):
    """The variance of DeLong et al. 1988, pair by pair."""
    pairs = (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2
    return pairs.mean(1).var(ddof=1) / len(positives) + pairs.mean(0).var(ddof=1) / len(negatives)


def test_the_standard_error_is_delongs(groups):
    found = area_uncertainty(*groups)
    assert found.standard_error == pytest.approx(np.sqrt(delong(*groups)), rel=1e-12)
    assert np.isnan(area_uncertainty(np.ones(1), np.arange(5.0)).standard_error)


@pytest.mark.parametrize(
    ("true", "n", "m", "spread"),
    [
        (0.5, 20, 20, 1), (0.6, 10, 10, 1), (0.8, 50, 50, 1), (0.95, 50, 50, 1),
        (0.99, 200, 200, 1), (0.95, 20, 200, 1),
        # Where sizes and spreads differ, method 5 of Newcombe 2006, which knows no spreads, holds
        # 87 and 99.6 % of them.
        (0.8, 200, 20, 2), (0.8, 20, 200, 2),
    ],
)  # fmt: skip
def test_the_interval_holds_the_area_of_two_gaussians_as_often_as_it_says(true, n, m, spread):
    rng, times, shift = np.random.default_rng(1), 300, norm.ppf(true) * np.hypot(1, spread)
    ends = []
    for _ in range(times):
        found = area_uncertainty(rng.normal(size=n), rng.normal(shift, spread, m))
        ends.append((found.ci_low, found.ci_high))
    low, high = np.array(ends).T
    # 95 % of 300 have a standard deviation of 1.3 %; of 10 values intervals are somewhat wide.
    assert 0.915 < ((low <= true) & (true <= high)).mean() <= 0.99


def test_the_interval_has_a_width_where_the_groups_do_not_overlap():
    found = area_uncertainty(np.arange(20.0), np.arange(30.0, 50.0))
    assert 0.8 < found.ci_low < 0.95
    assert found.ci_high == 1
    turned = area_uncertainty(np.arange(30.0, 50.0), np.arange(20.0))
    assert (turned.ci_low, turned.ci_high) == pytest.approx((0, 1 - found.ci_low))
    assert area_uncertainty(np.arange(200.0), np.arange(300.0, 500.0)).ci_low > 0.98
    assert area_uncertainty(np.zeros(2), np.ones(1)).ci_low < 0.5  # three pictures prove nothing


def test_equal_groups_have_an_interval_around_a_half():
    found = area_uncertainty(np.ones(20), np.ones(20))
    assert found.ci_low == pytest.approx(1 - found.ci_high)
    assert 0.2 < found.ci_low < 0.45


# Differences of two areas.


def test_the_error_of_a_paired_difference_is_delongs(groups):
    other = groups[0][::-1] + 1, groups[1] + np.random.default_rng(3).normal(size=50)
    pairs = [(p[:, None] > n) + (p[:, None] == n) / 2 for n, p in (groups, other)]
    shared = np.cov(pairs[0].mean(1), pairs[1].mean(1))[0, 1] / 50
    for paired, covariance in ((True, shared), (False, 0.0)):
        value, found = area_difference(groups, other, paired_positives=paired)
        assert value == pytest.approx(area(*other) - area(*groups))
        expected = np.sqrt(delong(*groups) + delong(*other) - 2 * covariance)
        assert found.standard_error == pytest.approx(expected, rel=1e-9)
    both = area_difference(groups, groups, paired_negatives=True, paired_positives=True)
    assert both[0] == 0
    assert both[1].standard_error == pytest.approx(0, abs=1e-8)
    assert (both[1].ci_low, both[1].ci_high) == pytest.approx((0, 0), abs=0.05)


def test_values_that_are_missing_count_for_neither_area_and_pair_with_nothing(groups):
    low, high = groups
    holed = high.copy()
    holed[[3, 7]] = np.nan
    value, found = area_difference((low, holed), (low, high), paired_positives=True)
    assert value == pytest.approx(area(low, high) - area(low, holed[np.isfinite(holed)]))
    whole = area_difference((low, high), (low, high), paired_positives=True)[1]
    assert found.standard_error == pytest.approx(whole.standard_error, rel=0.15)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_interval_of_a_difference_holds_it_as_often_as_it_says(correlation):
    rng, times, n = np.random.default_rng(2), 200, 50
    areas = 0.8, 0.9
    shifts = norm.ppf(areas) * np.sqrt(2)
    held, widths = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for _ in range(times):
        a, b, real, own = rng.normal(size=[4, n])
        other = correlation * real + np.sqrt(1 - correlation**2) * own
        for paired in held:
            _, found = area_difference(
                (a, real + shifts[0]), (b, other + shifts[1]), paired_positives=paired
            )
            held[paired] += found.ci_low <= areas[1] - areas[0] <= found.ci_high
            widths[paired] += found.ci_high - found.ci_low
    assert 0.9 < held[True] / times <= 0.99  # 95 % of 200 have a standard deviation of 1.5 %
    if correlation:  # apart they are too wide
        assert held[False] > held[True]
        assert widths[True] < 0.9 * widths[False]


def test_the_best_threshold_stands_between_separated_groups():
    assert best_threshold(np.array([1.0, 2.0]), np.array([4.0, 9.0])) == 3


def test_the_best_threshold_maximises_the_difference_of_the_rates(groups):
    threshold = best_threshold(*groups)
    gains = {
        t: (groups[1] >= t).mean() - (groups[0] >= t).mean() for t in np.arange(-0.5, 12.5, 0.5)
    }
    assert gains[threshold] == max(gains.values())


def test_groups_the_wrong_way_round_still_have_a_finite_threshold():
    assert best_threshold(np.array([4.0, 9.0]), np.array([1.0, 2.0])) == 1
    assert best_threshold(np.ones(3), np.ones(2)) == 1


def test_the_curve_runs_from_nothing_to_everything(groups):
    points = curve(*groups)
    rates = points[["false_positive_rate", "true_positive_rate"]].to_numpy()
    assert rates[0].tolist() == [0, 0]
    assert rates[-1].tolist() == [1, 1]
    assert np.trapezoid(rates[:, 1], rates[:, 0]) == pytest.approx(area(*groups))
