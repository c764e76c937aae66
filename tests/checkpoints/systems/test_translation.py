import pytest
import torch

from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    only_one,
    reshaped,
    scaled,
)


def weights(**found):
    return ForeignWeights(found, "model.pt: g")


def test_rules_rename_and_change():
    found = weights(
        a=torch.ones(1, 2, 3), b=torch.arange(6.0).reshape(2, 1, 3), c=torch.tensor([2.0])
    )
    rules = {"x": Rule("a", only_one), "y": Rule("b", reshaped(2, 3)), "z": Rule("c", scaled(3))}
    rules["again"] = Rule("b")
    ours = found.translate(rules)
    assert ours["x"].shape == (2, 3)
    assert torch.equal(ours["y"], torch.tensor([[0.0, 1, 2], [3, 4, 5]]))
    assert ours["z"].item() == 6
    assert torch.equal(ours["again"], torch.arange(6.0).reshape(2, 1, 3))


def test_every_weight_is_used_once_and_none_is_left():
    found = weights(a=torch.ones(1), b=torch.ones(1), odd=torch.ones(1), more=torch.ones(1))
    with pytest.raises(CheckpointError, match=r"model\.pt: g: .*missing: c, d$"):
        found.translate({"x": Rule("a"), "y": Rule("d"), "z": Rule("c")})
    with pytest.raises(CheckpointError, match=r"model\.pt: g: .*no known layer: b, more, odd$"):
        found.translate({"x": Rule("a")})
    found.ignore("odd", "more", "b")
    assert list(found.translate({"x": Rule("a")})) == ["x"]


def test_many_names_make_a_short_message():
    found = weights(**{f"w{i:03}": torch.ones(1) for i in range(500)})
    with pytest.raises(CheckpointError, match="and 480 more") as caught:
        found.translate({})
    assert len(str(caught.value)) < 300


def test_names_are_counted_up_to_the_first_gap():
    found = weights(**{f"a.{i}.b": torch.ones(1) for i in (0, 1, 2, 4)})
    assert found.count("a.{}.b") == 3
    assert found.count("a.{}.b", start=4) == 1
    assert found.count("a.{}.b", step=2) == 3
    assert found.count("c.{}") == 0


def test_shapes_have_the_expected_rank():
    found = weights(a=torch.ones(2, 3))
    assert found.shape("a", 2) == (2, 3)
    with pytest.raises(CheckpointError, match=r"model\.pt: g: a has shape \[2, 3\]"):
        found.shape("a", 3)
    with pytest.raises(CheckpointError, match="b is missing"):
        found.shape("b", 1)


def test_filters_are_compared():
    found = weights(a=torch.full((4, 1, 2, 2), 0.25), b=torch.full((2, 2), 0.2))
    found.check("a", torch.full((2, 2), 0.25), 4, 1)
    assert found.translate({"x": Rule("b")})
    with pytest.raises(UnsupportedCheckpoint, match=r"model\.pt: g: b is not the usual filter"):
        found.check("b", torch.full((2, 2), 0.25))
    found.check("c", torch.ones(1))
    with pytest.raises(CheckpointError, match="missing: c"):
        found.translate({"x": Rule("b")})


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.ones(3), r"has shape \[3\], which does not fit"),
        (torch.ones(4, dtype=torch.int32), "has type torch.int32"),
    ],
)
def test_weights_that_a_change_does_not_fit(tensor, words):
    with pytest.raises(CheckpointError, match=rf"model\.pt: g: a {words}"):
        weights(a=tensor).translate({"x": Rule("a", reshaped(2, 2))})


@pytest.mark.parametrize("found", [{3: torch.ones(1)}, {"a": 3}, {"a": {"b": torch.ones(1)}}])
def test_entries_that_are_no_tensors(found):
    with pytest.raises(CheckpointError, match=r"model\.pt: g: '[3a]' is not a named tensor"):
        ForeignWeights(found, "model.pt: g")


def test_half_precision_becomes_single():
    ours = weights(a=torch.ones(2).half()).translate({"x": Rule("a")})
    assert ours["x"].dtype == torch.float32
