import numpy as np
import pytest

from metrics.separability.entropy import (
    conditional_entropy,
    entropy,
    joint_tables,
    resampled_entropies,
)


def test_joint_tables_and_entropies_equal_the_published_ones(data):
    reference = np.load(data / "ls_sg1_32_ref.npz")
    for i in range(3):
        for space in ("z", "w"):
            outputs, classes = reference[f"svm_outputs_{i}_{space}"], reference[f"svm_targets_{i}"]
            table = joint_tables((2 * outputs + classes)[None])[0]
            np.testing.assert_allclose(table / 1000, reference[f"joint_{i}_{space}"], atol=1e-7)
            expected = reference[f"cond_entropy_{i}_{space}"]
            assert conditional_entropy(table) == pytest.approx(float(expected), abs=1e-6)


def test_the_entropy_of_fair_choices_is_their_number_of_bits():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(3)
    assert entropy(np.array([1.0, 0.0])) == 0


def test_what_an_output_says_of_the_class():
    perfect, useless = np.diag([3, 5]), np.outer([1, 3], [2, 2])
    assert conditional_entropy(np.stack([perfect, useless])) == pytest.approx([0, 1], abs=1e-12)
    assert conditional_entropy(perfect[::-1]) == pytest.approx(0, abs=1e-12)


def test_resampling_keeps_what_attributes_have_in_common():
    """Two equal attributes move together; a third, independent one does not."""
    rng = np.random.default_rng(0)
    cells = rng.integers(4, size=[2, 500]).astype(np.int8)
    draws = resampled_entropies(np.stack([cells[0], cells[0], cells[1]]), seed=0)
    assert np.array_equal(draws[:, 0], draws[:, 1])
    assert abs(np.corrcoef(draws[:, 0], draws[:, 2])[0, 1]) < 0.1


@pytest.mark.parametrize("at_once", [2**21, 70_000])
def test_resampling_equals_drawing_the_samples_themselves(at_once, monkeypatch):
    """Also where the samples are taken in parts of 70."""
    monkeypatch.setattr("metrics.separability.entropy._WEIGHTS_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    cells = np.where(rng.random(300) < 0.5, -1, rng.choice(4, size=300, p=[0.4, 0.1, 0.1, 0.4]))
    cells = cells.astype(np.int8)[None]
    draws = resampled_entropies(cells, seed=0)
    by_hand = [
        conditional_entropy(joint_tables(cells[:, rng.integers(300, size=300)])[0])
        for _ in range(1000)
    ]
    assert draws.mean() == pytest.approx(np.mean(by_hand), abs=0.01)
    assert draws.std() == pytest.approx(np.std(by_hand), rel=0.1)


def test_each_resampling_draws_as_many_as_there_are(monkeypatch):
    monkeypatch.setattr("metrics.separability.entropy._WEIGHTS_AT_ONCE", 1)
    seen = []
    monkeypatch.setattr("metrics.separability.entropy.conditional_entropy", seen.append)
    resampled_entropies(np.array([[0, 1, 2, 3, 3]], dtype=np.int8), seed=0)
    assert (seen[0].sum(axis=(-2, -1)) == 5).all()
    np.testing.assert_allclose(seen[0].mean(axis=(0, 1)), [[1, 1], [1, 2]], atol=0.15)
