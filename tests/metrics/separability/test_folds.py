"""Planes of other folds, against scikit-learn's own cross-validation."""

import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.svm import LinearSVC

from metrics.separability.folds import FOLDS, folds_of, held_out_outputs
from metrics.separability.svm import ITERATIONS, PENALTY, TOLERANCE


def planted(n=300, d=20, seed=0, share=0.5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal([n, d]).astype(np.float32)
    value = x[:, 0] + rng.standard_normal(n)
    return x, (value < np.quantile(value, 1 - share)).astype(np.int8)


class TestFolds:
    @pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
    def test_each_has_its_part_of_each_class(self, share):
        _, classes = planted(share=share)
        folds = folds_of(classes)
        for value in (0, 1):
            counts = np.bincount(folds[classes == value], minlength=FOLDS)
            assert np.ptp(counts) <= 1
            assert counts.sum() == (classes == value).sum()

    def test_they_follow_from_the_seed_alone(self):
        _, classes = planted()
        assert (folds_of(classes, 3) == folds_of(classes, 3)).all()
        assert (folds_of(classes, 3) != folds_of(classes, 4)).any()


class TestHeldOut:
    @pytest.mark.parametrize("dual", [False, True])
    @pytest.mark.parametrize("share", [0.5, 0.1])
    @pytest.mark.filterwarnings("ignore:Liblinear failed to converge")  # the dual one, as published
    def test_outputs_are_those_of_cross_val_predict(self, share, dual):
        x, classes = planted(share=share)
        machine = LinearSVC(
            C=PENALTY, tol=TOLERANCE, max_iter=ITERATIONS, dual=dual, random_state=5
        )
        split = PredefinedSplit(folds_of(classes, 5))
        expected = cross_val_predict(machine, x, classes, cv=split)
        outputs, converged = held_out_outputs(x, classes, dual=dual, seed=5)
        assert converged or dual
        np.testing.assert_array_equal(outputs, expected)
        own = machine.fit(x, classes).predict(x)
        assert (outputs != own).any()

    def test_one_class_is_its_own_output(self):
        x, classes = planted()
        outputs, converged = held_out_outputs(x, np.ones_like(classes))
        assert outputs.all()
        assert converged

    def test_a_class_of_one_sample_is_never_found_in_its_own_fold(self):
        x, classes = planted(n=30)
        classes[:] = 1
        classes[7] = 0
        outputs, _ = held_out_outputs(x, classes)
        assert outputs[7] == 1

    def test_two_samples_are_fewer_than_the_folds(self):
        x = np.array([[-1.0], [1.0]])
        outputs, _ = held_out_outputs(x, np.array([0, 1], dtype=np.int8))
        assert outputs.tolist() == [1, 0]  # each fold knows the other class alone
