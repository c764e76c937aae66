from dataclasses import replace

import numpy as np
import pytest

from metrics.attribution_difference import auc_difference, uncertainty_of
from metrics.roc import area, area_difference
from metrics.source_attribution import attribution_of


@pytest.fixture
def pair():
    """Two models that find the same real pictures about as hard."""
    rng = np.random.default_rng(0)
    real = rng.normal(1.5, 1, 40)
    first = attribution_of(rng.normal(size=30), real, seed=0)
    second = attribution_of(rng.normal(size=30), real + rng.normal(0, 0.2, 40), seed=1)
    return first, second


def distances(result, group):
    return result.samples.query("group == @group")["distance"].to_numpy()


def test_the_difference_is_that_of_the_values(pair):
    value, found = auc_difference(*pair)
    assert value == pytest.approx(pair[1].value - pair[0].value)
    assert found.ci_low <= value <= found.ci_high
    turned, other = auc_difference(*pair[::-1])
    assert turned == -value
    assert (other.ci_low, other.ci_high) == pytest.approx((-found.ci_high, -found.ci_low))


def test_the_same_real_pictures_make_it_better_known(pair):
    (_, same), (_, others) = (auc_difference(*pair, same_real=each) for each in (True, False))
    assert same.standard_error < 0.95 * others.standard_error
    assert same.ci_high - same.ci_low < others.ci_high - others.ci_low
    groups = [(distances(each, "generated"), distances(each, "real")) for each in pair]
    assert same == area_difference(*groups, paired_positives=True)[1]


def test_generated_pictures_are_paired_where_the_seeds_are_equal(pair):
    second = replace(pair[1], settings={**pair[1].settings, "seed": 0})
    groups = [(distances(each, "generated"), distances(each, "real")) for each in pair]
    expected = area_difference(*groups, paired_negatives=True, paired_positives=True)
    assert auc_difference(pair[0], second) == expected


def test_pictures_that_only_one_has_count_in_its_own_area(pair):
    fewer = attribution_of(distances(pair[1], "generated"), distances(pair[1], "real")[:25], 1)
    value, found = auc_difference(pair[0], fewer)
    assert value == pytest.approx(fewer.value - pair[0].value)
    assert found.ci_low <= value <= found.ci_high


def test_projections_that_diverged_are_left_out(pair):
    holed = pair[0].samples.copy()
    holed.loc[holed.index[[2, 35]], "distance"] = np.nan
    value, _ = auc_difference(replace(pair[0], samples=holed), pair[1])
    groups = [distances(replace(pair[0], samples=holed), each) for each in ("generated", "real")]
    known = [each[np.isfinite(each)] for each in groups]
    assert value == pytest.approx(pair[1].value - float(area(*known)))


def test_what_does_not_name_its_pictures_is_paired_with_nothing(pair):
    """Distances by hand may be in the order of their size, as any two groups then go together."""
    rng = np.random.default_rng(0)
    a, b = (attribution_of(*np.sort(rng.normal([[0], [1]], 1, (2, 40)))) for _ in range(2))
    groups = [(distances(each, "generated"), distances(each, "real")) for each in (a, b)]
    assert uncertainty_of(a, b, "auc") == area_difference(*groups)[1]
    named = [replace(each, settings={**each.settings, "pictures": ["x"], "resolution": 8,
                                     "steps": 5}) for each in pair]  # fmt: skip
    assert uncertainty_of(*named, "auc") == auc_difference(*pair)[1]
