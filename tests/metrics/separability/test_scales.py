"""Unequal scales of latents: measured, and told where they keep planes from dividing."""

import numpy as np
import pandas as pd
import pytest

from metrics.separability.folds import held_out_outputs
from metrics.separability.scales import better_whitened, scales_of, whitened_gains
from metrics.separability.score import separability_from_labels

N, D = 900, 6


def latents(smallest, seed=0):
    """Turned latents [N,D] with deviations from this to 1, and the coordinate that varies least."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal([N, D])
    turn, _ = np.linalg.qr(rng.standard_normal([D, D]))
    return 3 + (z * np.geomspace(smallest, 1, D)) @ turn, z[:, 0]


def measured(smallest, **options):
    x, along = latents(smallest)
    hard = np.random.default_rng(1).standard_normal(N)
    labels = pd.DataFrame({"fine": along > 0.2, "none": hard > 0}).astype(int)
    return separability_from_labels(x, labels, **options)


class TestScales:
    @pytest.mark.parametrize("smallest", [1, 0.1, 1e-4])
    def test_the_ratio_is_that_of_the_axes(self, smallest):
        found = scales_of(latents(smallest)[0])
        assert found.ratio == pytest.approx(1 / smallest, rel=0.2)  # of 900 samples

    def test_whitened_latents_vary_alike(self):
        x, _ = latents(1e-4)
        found = scales_of(x)
        np.testing.assert_allclose(np.cov(((x - found.mean) @ found.axes).T), np.eye(D), atol=1e-6)

    def test_axes_without_any_deviation_are_numbers(self):
        x, _ = latents(0.1)
        found = scales_of(np.concatenate([x, x[:, :1], np.ones([N, 1])], axis=1))
        assert np.isfinite(found.ratio)
        assert np.isfinite(found.axes).all()

    def test_few_samples_tell_no_scales(self):
        assert scales_of(latents(0.1)[0][:D]).ratio == 1


class TestGains:
    def test_samples_right_in_one_kind_alone_are_counted(self):
        x, along = latents(1e-3)
        classes = (along > 0).astype(np.int8)
        outputs, _ = held_out_outputs(x, classes)
        found = scales_of(x)
        white, plain = whitened_gains(x, classes, outputs, found)
        other, _ = held_out_outputs((x - found.mean) @ found.axes, classes)
        assert white - plain == (other == classes).sum() - (outputs == classes).sum()
        assert white > 100

    def test_latents_of_like_scales_are_not_looked_at(self):
        x, along = latents(0.1)
        classes = (along > 0).astype(np.int8)
        assert whitened_gains(x, classes, 1 - classes, scales_of(x)).tolist() == [0, 0]

    def test_only_what_chance_does_not_explain_is_better(self):
        gains = np.array([[0, 0], [20, 15], [15, 0], [12, 0], [0, 90]])
        assert better_whitened(gains).tolist() == [False, False, True, False, False]


class TestCautions:
    def test_planes_that_the_penalty_keeps_away_are_named(self):
        result = measured(1e-3)
        assert result.samples["better_whitened"].tolist() == [True, False]
        texts = [caution.text for caution in result.cautions]
        solver, penalty = (next(t for t in texts if part in t) for part in ("solver", "penalty"))
        assert "Scales in W are unequal (deviations along its axes differ 994-fold)" in solver
        assert "its scores are higher" in solver
        assert "divided better for 1 of 2 attributes (fine)" in penalty

    def test_nothing_is_said_of_like_scales(self):
        result = measured(0.5)
        assert not any("cales" in caution.text for caution in result.cautions)
        assert not result.samples["better_whitened"].any()

    @pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
    def test_the_published_solver_is_not_above_itself(self):
        texts = [caution.text for caution in measured(1e-2, dual=True).cautions]
        assert not any("published solver" in text for text in texts)
