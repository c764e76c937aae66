import numpy as np
import pytest
import torch

from metrics.separability.attributes import (
    attribute_logits,
    attribute_names,
    most_confident,
    predictions,
    targets,
)


@pytest.mark.parametrize("attribute", range(3))
def test_the_samples_kept_are_the_published_ones(attribute, data):
    reference = np.load(data / "ls_sg1_32_ref.npz")
    logits, kept = reference["logits"][attribute], reference["kept_indices"][attribute]
    found = most_confident(logits, int(reference["num_keep"]))
    assert np.array_equal(found, kept)
    assert np.array_equal(targets(logits[found]), reference[f"svm_targets_{attribute}"])
    theirs = reference["predictions"][attribute]
    np.testing.assert_allclose(
        predictions(logits), theirs, atol=1.2e-7
    )  # one unit in the last place


def test_the_order_of_confidence_is_the_published_one_at_every_cut(data):
    reference = np.load(data / "ls_sg1_32_ref.npz")
    for logits, theirs in zip(reference["logits"], reference["predictions"], strict=True):
        order = np.argsort(-theirs.max(axis=1), kind="stable")
        assert np.array_equal(most_confident(logits, len(logits)), order)


def test_confidences_that_saturate_keep_their_order():
    logits = np.array([9.0, 0.1, -50, 20, -9.5, 30])  # 9 and more are certain in float32
    assert most_confident(logits, 4).tolist() == [0, 2, 3, 4]
    assert targets(logits).tolist() == [0, 0, 1, 0, 1, 0]


def test_unknown_samples_are_not_kept():
    assert most_confident(np.array([np.nan, 1, np.nan, -2]), 4).tolist() == [3, 1]


@pytest.mark.parametrize("scale", [1, 30, 500])
def test_each_class_against_the_rest_has_its_own_probability(scale):
    z = torch.randn(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale
    logits = attribute_logits(z)
    p = z.softmax(dim=1)
    pair = torch.stack([logits, -logits], dim=2).softmax(dim=2)
    torch.testing.assert_close(pair[..., 0], p)
    rest = torch.stack([p[:, [j for j in range(6) if j != k]].sum(dim=1) for k in range(6)], dim=1)
    torch.testing.assert_close(pair[..., 1], rest)
    assert torch.isfinite(logits).all()


def test_two_classes_are_one_attribute_and_one_output_stays():
    z = torch.tensor([[1.0, 4.0], [2.0, 0.0]])
    assert attribute_logits(z).tolist() == [[1.5], [-1.0]]
    assert attribute_logits(z[:, :1]).tolist() == [[1.0], [2.0]]
    assert torch.equal(attribute_logits(z, "attributes"), z)


def test_names_come_from_the_classes_where_there_are_any():
    assert attribute_names("digits", 2, ["a", "b"]) == ["a", "b"]
    assert attribute_names("smile", 1, ["no", "yes"]) == ["yes"]
    assert attribute_names("smile", 1) == ["smile"]
    assert attribute_names("celeba", 2) == ["celeba 0", "celeba 1"]
