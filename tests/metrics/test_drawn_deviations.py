import numpy as np
import pytest

from metrics.drawn_deviations import Spread, drawn_share, uncertainty
from metrics.statistics import mean_uncertainty


@pytest.mark.parametrize(("draws", "share"), [(2, 0.7979), (5, 0.9400), (10, 0.9727), (25, 0.9896)])
def test_the_share_is_the_published_constant(draws, share):
    """c4 as tables of control charts have it, such as Montgomery's, appendix VI."""
    assert drawn_share(draws) == pytest.approx(share, abs=5e-5)


def test_so_many_gaussian_draws_give_that_share():
    deviations = np.random.default_rng(0).normal(size=[100_000, 4]).std(axis=1, ddof=1)
    assert deviations.mean() == pytest.approx(drawn_share(4), abs=0.004)


def test_the_interval_is_of_infinitely_many_draws_and_holds_the_value():
    values = np.array([1.0, 1.1, 1.2, 0.9])
    plain, found = mean_uncertainty(values, 0.0), uncertainty(values, 100)
    assert found.ci_high == pytest.approx(plain.ci_high / drawn_share(100))
    assert found.ci_low == pytest.approx(plain.ci_low / drawn_share(100))
    few = uncertainty(np.full(9, 1.0), 2)
    assert (few.ci_low, few.ci_high) == (1.0, pytest.approx(1 / drawn_share(2)))


def test_the_running_deviation_is_numpys():
    images = np.random.default_rng(0).normal(size=[7, 3, 4, 4]) + 1e4
    spread = Spread()
    spread.add(images[:3])
    spread.add(images[3:])
    np.testing.assert_allclose(spread.deviation(), images.std(axis=0, ddof=1), rtol=1e-9)
