"""Files of torch.save that hold something else: told by what they hold, and what would open."""

import argparse

import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from tests.support import foreign

OTHERS = {
    "another state dict": (torch.nn.Linear(2, 2).state_dict(), "keys 'weight', 'bias'"),
    "a list": ([torch.ones(2)] * 3, "list of 3"),
    "a tensor": (torch.ones(2), "type Tensor"),
    "settings": (argparse.Namespace(size=3), "type argparse.Namespace"),
    "settings in a dict": ({"args": argparse.Namespace(size=3)}, "keys 'args'"),
    "nothing": ({}, "(none)"),
    "latents": ({"photo.png": {"latent": torch.ones(2), "noise": []}}, "keys 'photo.png'"),
    "half a name": ({"g_ema": {"conv1": torch.ones(2)}}, "keys 'g_ema'"),
    "no state dict": ({"g_ema": torch.ones(2), "g": None}, "keys 'g_ema', 'g'"),
    "a name in a list": (["conv1.conv.modulation.weight"], "list of 1"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("value", "words"), OTHERS.values(), ids=OTHERS)
def test_other_contents_are_told(value, words, zipped, tmp_path):
    path = tmp_path / "x.pt"
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsupportedCheckpoint) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert "rosinality/stylegan2-pytorch" in message
    assert "\n" not in message


LATENTS = "latents, if it holds these, go to `latentlab generate --projected-w`"


@pytest.mark.parametrize(("value", "may_be"), [
    (torch.ones(1, 6, 4), True), ([torch.ones(6, 4)] * 2, True), ([], False), ([1.0], False),
    ({"a.png": torch.ones(6, 4), "b.png": torch.ones(6, 4)}, True),
    ({"a.png": {"latent": torch.ones(4), "noise": []}}, True),
    ({"a.png": {"latent": torch.ones(4)}, "size": 3}, False), ({}, False), ("text", False),
    (torch.nn.Linear(2, 2).state_dict(), False),
])  # fmt: skip
def test_latents_are_told_where_to_go(value, may_be, tmp_path):
    torch.save(value, tmp_path / "x.pt")
    with pytest.raises(UnsupportedCheckpoint) as caught:
        latentlab.load(tmp_path / "x.pt")
    assert (LATENTS in str(caught.value)) == may_be


@pytest.mark.parametrize(
    "mark", ["conv1.conv.modulation.weight", "generator.progression.0.conv1.input",
             "adains.0.0.fc.weight", "toRGBs.0.0.fc.weight"]
)  # fmt: skip
@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(2, 2), 3, None])
def test_a_mark_alone_is_no_network(mark, value, tmp_path):
    torch.save({mark: value}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        latentlab.load(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"g_ema": foreign.rosinality_g()}, "stylegan2-rosinality"),
        (foreign.rosinality_g(), "stylegan2-rosinality"),
        ({"g_running": foreign.rosinality1_g()}, "stylegan1-rosinality"),
        (foreign.rosinality1_g(), "stylegan1-rosinality"),
        (foreign.yuuho2_g(), "stylegan2-yuuho"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_content_decides_the_kind(found, kind, zipped, tmp_path):
    path = tmp_path / "x.bin"
    torch.save(found, path, _use_new_zipfile_serialization=zipped)
    checkpoint = latentlab.load(path)
    assert checkpoint.kind == kind
    image = checkpoint.generator(torch.ones(1, 5))
    latentlab.save(checkpoint, tmp_path / "copy.safetensors")
    assert torch.equal(
        latentlab.load(tmp_path / "copy.safetensors").generator(torch.ones(1, 5)), image
    )


@pytest.mark.parametrize("name", ["input_layer.0.weight", "encoder.input_layer.0.weight"])
def test_encoders_are_told_where_to_go(name, tmp_path):
    torch.save({"state_dict": {name: torch.ones(2, 3, 3, 3)}}, tmp_path / "e4e.pt")
    with pytest.raises(UnsupportedCheckpoint, match="go to `latentlab project --encoder`"):
        latentlab.load(tmp_path / "e4e.pt")
