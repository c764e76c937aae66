"""State dicts of NVIDIA's networks with their settings, as ``latentlab.export`` writes them."""

import json

import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.checkpoints.foreign import read_foreign
from tests.conftest import make_generator


@pytest.fixture
def found(tmp_path):
    """What a file holds."""
    latentlab.export(make_generator(c_dim=2), tmp_path / "good.pt", "nvidia-state")
    return torch.load(tmp_path / "good.pt", weights_only=True)


@pytest.fixture
def refused(tmp_path):
    def check(found, *words, kind=CheckpointError):
        path = tmp_path / "x.pt"
        torch.save(found, path)
        with pytest.raises(kind) as caught:
            latentlab.load(path)
        message = str(caught.value)
        assert [word for word in (str(path), *words) if word not in message] == [], message
        assert "\n" not in message
        assert len(message) < len(str(path)) + 400

    return check


@pytest.mark.parametrize("version", [2, 0, "1", None, True, 1.0, [1]])
def test_other_versions(version, found, refused):
    refused(
        {**found, "nvidia_state": version}, "this latentlab reads 1", kind=UnsupportedCheckpoint
    )


@pytest.mark.parametrize("config", [None, {}, [], "x", 3, torch.ones(1)])
def test_settings_that_are_none(config, found, refused):
    refused({**found, "config": config})


@pytest.mark.parametrize(("name", "value", "words"), [
    ("img_resolution", 17, ["G_ema", "resolution"]), ("z_dim", "6", ["z_dim"]),
    ("w_dim", 10**12, ["w_dim"]), ("colour", 1, ["colour"]),
    ("mapping_kwargs", 3, ["mapping_kwargs"]),
])  # fmt: skip
def test_settings_that_do_not_fit(name, value, words, found, refused):
    refused({**found, "config": {"G_ema": {**found["config"]["G_ema"], name: value}}}, *words)


@pytest.mark.parametrize("part", [None, 3, [torch.ones(1)], torch.ones(2)])
def test_networks_that_are_no_state_dict(part, found, refused):
    refused({**found, "G_ema": part}, "'G_ema' is not a state dict")


def test_a_network_that_the_settings_name_and_the_file_lacks(found, refused):
    refused({**found, "config": {**found["config"], "D": {}}}, "'D' is not a state dict")


def test_weights_that_are_missing_extra_or_no_tensors(found, refused):
    weights = found["G_ema"]
    less = {k: v for k, v in weights.items() if k != "mapping.w_avg"}
    refused({**found, "G_ema": less}, "mapping.w_avg is missing")
    refused({**found, "G_ema": {**weights, "more": torch.ones(1)}}, "more is not part")
    refused({**found, "G_ema": {**weights, "mapping.w_avg": 3}}, "mapping.w_avg")
    refused({**found, "G_ema": {**weights, "mapping.w_avg": torch.ones(5) / 0}}, "NaN or infinity")


@pytest.mark.parametrize("metadata", ["{", "[1]", 3, [1], "[" * 100_000, torch.ones(1)])
def test_metadata_that_are_none(metadata, found, refused):
    refused({**found, "metadata": metadata}, "metadata")


def test_what_else_the_file_holds_is_named(found, tmp_path):
    torch.save({**found, "optimiser": 3, "metadata": json.dumps({"x": 1})}, tmp_path / "x.pt")
    opened = latentlab.load(tmp_path / "x.pt")
    assert opened.metadata == {"x": 1, "ignored": ["optimiser"]}
    assert opened.generator.c_dim == 2


@pytest.mark.parametrize("inner", [lambda held: [held], lambda held: [held, held]])
def test_a_version_that_cannot_be_written_out(inner, tmp_path):
    """Deeper than Python's stack, or one list in 2**60 places."""
    version = []
    for _ in range(60 if len(inner(0)) == 2 else 5000):
        version = inner(version)
    with pytest.raises(UnsupportedCheckpoint, match="this latentlab reads"):
        read_foreign(tmp_path / "x.pt", "a pickle", {"nvidia_state": version, "config": {}})
