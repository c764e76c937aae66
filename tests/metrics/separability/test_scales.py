"""Unequal scales of latents: measured, and told where they keep planes from dividing."""

import re

import numpy as np
import pandas as pd
import pytest

from metrics.separability.folds import held_out_outputs
from metrics.separability.scales import scales_of, whitened_tables
from metrics.separability.score import separability_from_labels
from metrics.separability.svm import separate

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


class TestWhitened:
    def test_both_kinds_of_planes_are_those_of_whitened_latents(self):
        x, along = latents(1e-3)
        classes = (along > 0).astype(np.int8)
        found = scales_of(x)
        white = (x - found.mean) @ found.axes
        fitted, held_out = whitened_tables(x, classes, found)
        assert np.trace(fitted) == (separate(white, classes).outputs == classes).sum()
        assert np.trace(held_out) == (held_out_outputs(white, classes)[0] == classes).sum()
        assert fitted.sum() == held_out.sum() == N
        assert np.trace(held_out) > (held_out_outputs(x, classes)[0] == classes).sum() + 100

    def test_latents_of_like_scales_are_not_looked_at(self):
        x, along = latents(0.1)
        assert not whitened_tables(x, (along > 0).astype(np.int8), scales_of(x)).any()


class TestCautions:
    def test_planes_that_the_penalty_keeps_away_are_named(self):
        result = measured(1e-3)
        assert result.samples["better_whitened"].tolist() == [True, False]
        fine = result.samples.iloc[0]
        assert fine["cross_fitted_low"] <= fine["whitened"] < 0.3 < fine["cross_fitted"]
        texts = [caution.text for caution in result.cautions]
        solver, penalty = (next(t for t in texts if part in t) for part in ("solver", "penalty"))
        assert re.search(
            r"Scales in W are unequal: deviations along its axes differ \d{3,4}-fold", solver
        )
        assert "its scores are higher" in solver
        assert "divided better for 1 of 2 attributes (fine)" in penalty

    def test_the_interval_of_a_score_reaches_down_to_all_of_them_together(self):
        x, along = latents(1e-3)
        labels = pd.DataFrame({f"{cut}": along > cut for cut in np.linspace(-0.5, 0.5, 8)})
        result = separability_from_labels(x, labels.astype(int))
        assert result.samples["better_whitened"].all()
        score = result.rows.iloc[-1]
        assert score["ci_low"] <= 2 ** result.samples["whitened"].sum() < score["value"]

    def test_nothing_is_said_of_like_scales(self):
        result = measured(0.5)
        assert not any("cales" in caution.text for caution in result.cautions)
        assert not result.samples["better_whitened"].any()

    @pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
    def test_the_published_solver_is_not_above_itself(self):
        texts = [caution.text for caution in measured(1e-2, dual=True).cautions]
        assert not any("published solver" in text for text in texts)
