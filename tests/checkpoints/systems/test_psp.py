"""Files of pSp, e4e and ReStyle: the generator in them opens."""

import pytest
import torch

import latentlab
from tests.checkpoints.test_contents import MEAN, psp
from tests.support import foreign


def opened(tmp_path, found):
    torch.save(found, tmp_path / "psp.pt")
    return latentlab.load(tmp_path / "psp.pt")


@pytest.mark.parametrize("mean", [
    MEAN, MEAN[None], MEAN.repeat(6, 1), MEAN.double(), MEAN.repeat(1, 6, 1), MEAN[None, None],
], ids=["one", "a row", "a row for each layer", "float64", "one W+", "one row of W+"])  # fmt: skip
def test_the_mean_of_w_is_the_centre_of_truncation(mean, tmp_path):
    checkpoint = opened(tmp_path, psp(mean))
    assert torch.equal(checkpoint.generator.w_mean, MEAN)
    assert checkpoint.kind == "stylegan2-rosinality"
    assert checkpoint.metadata["notes"] == [
        "The encoder in the file is left aside; `latentlab project --encoder` takes those of pSp "
        "and e4e."
    ]
    assert checkpoint.metadata["ignored"] == ["encoder"]
    assert checkpoint.metadata["training"] == {"opts": {"output_size": 16}}


def test_a_mean_that_differs_from_layer_to_layer_is_none(tmp_path):
    torch.save(foreign.rosinality_g(), tmp_path / "bare.pt")
    computed = latentlab.load(tmp_path / "bare.pt").generator.w_mean
    checkpoint = opened(tmp_path, psp(torch.stack([*[MEAN] * 5, MEAN + 1])))
    assert torch.equal(checkpoint.generator.w_mean, computed)
    notes = " ".join(checkpoint.metadata["notes"])
    assert "latent_avg differs from layer to layer" in notes
    assert "mean of 4096 random w" in notes


def test_what_training_adds_is_told(tmp_path):
    """As e4e writes it with ``save_training_data``."""
    more = {"global_step": 300, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}
    more |= {"discriminator_state_dict": {"module.fc.weight": torch.ones(2)}, "best_val_loss": None}
    checkpoint = opened(tmp_path, psp(MEAN) | more)
    assert checkpoint.metadata["training"]["global_step"] == 300
    assert checkpoint.metadata["ignored"] == ["discriminator_state_dict", "encoder"]
    assert checkpoint.discriminator is None


@pytest.mark.parametrize("mean", [None, torch.zeros(4), torch.zeros(0, 5), torch.zeros(2, 6, 5), 3])
def test_means_that_do_not_fit(mean, tmp_path):
    if mean is None:
        assert "4096 random w" in str(opened(tmp_path, psp(mean)).metadata["notes"])
        return
    with pytest.raises(latentlab.CheckpointError, match=r"psp\.pt"):
        opened(tmp_path, psp(mean))


def test_the_genuine_layout_opens(shared):
    checkpoint = latentlab.load(shared / "reports" / "psp.pt")
    found = torch.load(shared / "reports" / "psp.pt", weights_only=True)
    assert torch.equal(checkpoint.generator.w_mean, found["latent_avg"].reshape(-1, 8)[0])
    assert "encoder" in checkpoint.metadata["ignored"]
    decoder = {k.removeprefix("decoder."): v for k, v in found["state_dict"].items()
               if k.startswith("decoder.")}  # fmt: skip
    ours = checkpoint.generator.state_dict()
    assert torch.equal(ours["synthesis.b4.const"], decoder["input.input"][0])
