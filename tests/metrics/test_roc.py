import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score

from metrics.roc import area, area_interval, best_threshold, curve


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


def test_the_interval_holds_the_true_area_of_two_gaussians_as_often_as_it_says():
    rng, times = np.random.default_rng(1), 400
    for shift, n, m in ((0.0, 20, 20), (1.0, 10, 40), (3.0, 20, 20)):
        true = norm.cdf(shift / np.sqrt(2))
        found = area(rng.normal(size=(times, n)), rng.normal(shift, size=(times, m)))
        ends = np.array([area_interval(float(value), n, m) for value in found])
        share = ((ends[:, 0] <= true) & (true <= ends[:, 1])).mean()
        assert 0.92 < share < 0.995


def test_the_interval_has_a_width_where_the_groups_do_not_overlap():
    low, high = area_interval(1.0, 20, 20)
    assert 0.8 < low < 0.95
    assert high == 1
    assert area_interval(0.0, 20, 20) == pytest.approx((1 - high, 1 - low))
    assert area_interval(1.0, 200, 200)[0] > 0.98


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
