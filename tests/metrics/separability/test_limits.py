"""Where the best plane is, against closed forms and a planted truth that intervals must hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from benchmarks.separability.fits import KINDS, cut, limit
from latentlab import NumericalError
from metrics.separability.entropy import conditional_entropy
from metrics.separability.limits import limits, together
from metrics.separability.planes import OK, fit_planes
from metrics.separability.summary import scores, summarise
from metrics.separability.svm import separate


def tables(wrong, n=100_000):
    """Joint counts [1,2,2] of two classes of n samples, with shares of each on the wrong side."""
    a, b = (round(n * share) for share in wrong)
    return np.array([[[n - a, b], [a, n - b]]])


class TestLimits:
    def test_the_best_sensitivity_is_between_both(self):
        z, z_held_out = 1.2, 0.9
        fitted = tables([stats.norm.sf(z)] * 2)
        held_out = tables([stats.norm.sf(z_held_out)] * 2)
        best = z**0.6 * z_held_out**0.4  # three folds have two thirds of the samples
        expected = conditional_entropy(tables([stats.norm.sf(best)] * 2))[0]
        own, other = conditional_entropy(fitted)[0], conditional_entropy(held_out)[0]
        weight = limits(fitted, held_out, 64).weight[0]
        assert own + weight * (other - own) == pytest.approx(expected, abs=2e-5)  # whole counts

    def test_planes_that_agree_leave_no_doubt(self):
        same = tables([0.1, 0.2])
        found = limits(same, same, 64)
        assert (found.fit_error[0], found.below[0], found.above[0]) == (0, 0, 0)
        assert 0 <= found.weight[0] <= 1

    def test_a_fit_without_error_leaves_much_doubt(self):
        found = limits(tables([0, 0], 200), tables([0.1, 0.1], 200), 64)
        gap = conditional_entropy(tables([0.1, 0.1], 200))[0]
        z = 1.37 * -special.ndtri(20.5 / 201)  # the best plane's, from the held-out one's
        expected = conditional_entropy(tables([stats.norm.sf(z)] * 2))[0]
        assert found.weight[0] * gap == pytest.approx(expected, rel=0.03)  # half a sample more
        way = found.weight[0] - 0.04
        assert found.below[0] == pytest.approx(gap * (0.04 + 0.6 * way))
        assert found.above[0] == pytest.approx(gap * (0.04 + 0.4))

    def test_a_fit_of_more_dimensions_is_surer(self):
        """A gap is a sum of as many parts as there are dimensions."""
        pair = tables([0.1, 0.1]), tables([0.2, 0.2])
        few, many = (limits(*pair, d).fit_error[0] for d in (64, 256))
        gap = np.diff([conditional_entropy(each)[0] for each in pair])[0]
        assert few == pytest.approx(0.15 * gap)
        assert many == pytest.approx(few / 2)

    def test_doubts_add_up_in_part(self):
        assert together(np.array([0.3])) == pytest.approx(0.3)
        assert together(np.full(40, 0.1)) == pytest.approx(0.1 * np.sqrt(0.1 * 1600 + 0.9 * 40))

    @pytest.mark.parametrize(
        ("fitted", "held_out"),
        [([0, 0], [0, 0]), ([0.5, 0.5], [0.5, 0.5]), ([1, 0], [1, 0]), ([0.4, 0.4], [0.6, 0.6]),
         ([0, 1], [0.5, 0.5]), ([0.9, 0], [0.95, 0.01])],
    )  # fmt: skip
    def test_whatever_the_tables_numbers_are_finite(self, fitted, held_out):
        found = limits(tables(fitted, 20), tables(held_out, 20), 64)
        assert np.isfinite(np.stack(found)).all()
        assert (np.stack(found) >= 0).all()

    def test_one_class_or_nothing_at_all(self):
        alone = np.array([[[10, 0], [0, 0]], [[0, 0], [0, 0]]])
        found = limits(alone, alone, 64)
        assert np.isfinite(np.stack(found)).all()


class TestTheLimitOfTheSimulation:
    @pytest.mark.parametrize("kind", ["hard", "10 %"])
    def test_it_is_that_of_a_very_large_sample(self, kind):
        correlation, share = KINDS[kind]
        shift, _ = cut(share)
        rng = np.random.default_rng(0)
        x = rng.standard_normal([400_000, 1])
        noise = np.sqrt(1 - correlation**2) * rng.standard_normal(len(x))
        logits = shift + correlation * x[:, 0] + noise
        kept = np.argsort(-np.abs(logits))[: len(x) // 2]
        classes = (logits[kept] < 0).astype(np.int8)
        fitted = separate(x[kept], classes)
        table = np.array([[np.sum((fitted.outputs == o) & (classes == c)) for c in (0, 1)]
                          for o in (0, 1)])  # fmt: skip
        assert (classes == 0).mean() == pytest.approx(share, abs=0.002)
        # Delta method: entropy moves by less than 4 bits for each unit of a share of 200,000.
        assert conditional_entropy(table) == pytest.approx(limit(kind), abs=3 * 4 / np.sqrt(2e5))

    def test_a_balanced_one_in_closed_form(self):
        """The plane passes through the middle: what is wrong is a bivariate normal integral."""
        correlation, size = 0.7, stats.norm.ppf(0.75)
        wrong, _ = integrate.dblquad(
            lambda e, s: stats.norm.pdf(s) * stats.norm.pdf(e),
            -9, 0, lambda s: (size - correlation * s) / np.sqrt(1 - correlation**2), lambda s: 9,
            epsabs=1e-9,
        )  # fmt: skip
        share = wrong / 0.25
        expected = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
        assert limit("middle") == pytest.approx(expected, abs=1e-5)


def simulated(repetitions, d=12, kept=12 * 16, attributes=6, seed=0):
    """Scores of attributes as hard as "middle", and of how many the intervals hold the limit."""
    correlation, best = KINDS["middle"][0], limit("middle")
    held, flattered, values = [], [], []
    for i in range(repetitions):
        rng = np.random.default_rng([seed, i])
        u = rng.standard_normal([attributes, d])
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        z = rng.standard_normal([2 * kept, d])
        noise = rng.standard_normal([attributes, 2 * kept])
        logits = correlation * (u @ z.T) + np.sqrt(1 - correlation**2) * noise
        planes = fit_planes({"z": lambda z=z: z}, logits, kept)
        rows, table, _ = summarise(planes, [str(a) for a in range(attributes)], {"z": d})
        held += [*((table["cross_fitted_low"] <= best) & (table["cross_fitted_high"] >= best))]
        flattered += [*((table["ci_low"] <= best) & (table["ci_high"] >= best))]
        values.append(np.log2(rows["value"]) - attributes * best)
    return np.mean(held), np.mean(flattered), np.mean(values, axis=0)


def test_intervals_hold_the_limit_that_fitted_planes_flatter():
    """120 intervals: three standard errors of a coverage of 95 % are 6 %."""
    held, flattered, (fitted, honest) = simulated(20)
    assert held >= 0.89
    assert flattered < 0.85
    assert fitted < -0.15  # bits, of six attributes
    assert abs(honest) < 0.25 * abs(fitted)


def test_a_score_beyond_all_numbers_is_refused():
    """More than a thousand attributes that nothing divides."""
    count = 1100
    column = dict.fromkeys(("cross_fitted", "entropy"), 1.0) | {"status": OK, "space": "w"}
    column |= dict.fromkeys(("fit_error", "doubt_below", "doubt_above"), 0.0)
    attributes = pd.DataFrame([column] * count)
    with pytest.raises(NumericalError, match="fewer attributes"):
        scores(attributes, pd.DataFrame(np.ones([20, 2 * count])))
