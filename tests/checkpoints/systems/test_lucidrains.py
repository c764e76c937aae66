"""Files of lucidrains/stylegan2-pytorch against that code's own outputs."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError, UnsupportedCheckpoint
from latentlab.checkpoints.pickles.torch_save import read_torch
from tests.projection.test_start import Counting
from tests.support.tolerances import W

IMAGE = 5e-6  # absolute, of images in [0,1]: three times what float32 loses in their own code


@pytest.fixture(scope="module")
def genuine(shared):
    """The genuine file, opened once, and that code's outputs as tensors."""
    file = shared / "more" / "lucidrains_16.pt"
    if not file.exists():
        pytest.skip(f"reference data not found at {file}")
    with np.load(shared / "more" / "lucidrains_16_ref.npz") as arrays:
        ref = {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
    return file, latentlab.load(file), ref


@pytest.fixture
def rewritten(genuine, tmp_path):
    """Write the genuine file with other contents."""

    def write(change):
        found = read_torch(genuine[0])
        change(found["GAN"])
        torch.save(found, tmp_path / "model_1.pt")
        return tmp_path / "model_1.pt"

    return write


def theirs(images):
    """Bring images from [-1,1] to their [0,1]."""
    return (images + 1) / 2


def test_the_file_is_whole(genuine):
    _, checkpoint, _ = genuine
    assert checkpoint.kind == "stylegan2-lucidrains"
    assert list(checkpoint.networks) == ["G_ema", "G"]
    g = checkpoint.generator
    assert (g.resolution, g.channels, g.z_dim, g.w_dim, g.num_ws) == (16, 3, 16, 16, 3)
    assert checkpoint.metadata["ignored"] == ["D", "D_aug"]
    assert len(checkpoint.metadata["notes"]) == 3


def test_w(genuine):
    _, checkpoint, ref = genuine
    ws = checkpoint.generator.mapping(ref["z"])
    torch.testing.assert_close(ws[:, 0], ref["w"], atol=W, rtol=0)


def test_images(genuine):
    _, checkpoint, ref = genuine
    g, noise = checkpoint.generator, [ref["noise"].permute(0, 3, 1, 2)]
    ws = g.mapping(ref["z"])
    found = theirs(g.synthesis(ws, noise=noise))
    torch.testing.assert_close(found, ref["img"], atol=IMAGE, rtol=0)
    mixed = torch.cat([ws[0:2, :2], ws[1:3, 2:]], dim=1)
    found = theirs(g.synthesis(mixed, noise=[noise[0][:2]]))
    torch.testing.assert_close(found, ref["img_mix_2"], atol=IMAGE, rtol=0)


def test_truncated_images(genuine):
    file, _, ref = genuine
    g = latentlab.load(file).generator
    g.mapping.w_avg.copy_(ref["average_w"][0])  # theirs is of random latents, and not stored
    found = theirs(g(ref["z"], None, 0.6, noise=[ref["noise"].permute(0, 3, 1, 2)]))
    torch.testing.assert_close(found, ref["img_psi06"], atol=IMAGE, rtol=0)


def test_each_resolution(genuine):
    _, checkpoint, ref = genuine
    g, noise = checkpoint.generator, [ref["noise"].permute(0, 3, 1, 2)]
    walk = list(g.synthesis._walk(g.mapping(ref["z"]), noise))
    for i, (_, x, _) in enumerate(walk):
        torch.testing.assert_close(x[0], ref[f"x_block{i}_s0"], atol=IMAGE, rtol=0)


def test_it_can_be_saved_and_opened_again(genuine, tmp_path):
    _, checkpoint, ref = genuine
    latentlab.save(checkpoint, tmp_path / "x.safetensors")
    again = latentlab.load(tmp_path / "x.safetensors")
    assert torch.equal(again.generator(ref["z"]), checkpoint.generator(ref["z"]))


def test_an_answer_changes_the_mapping(genuine):
    file, checkpoint, ref = genuine
    other = latentlab.load(file, assume={"lr_mlp": 0.2}).generator
    assert not torch.allclose(other.mapping(ref["z"]), checkpoint.generator.mapping(ref["z"]))
    with pytest.raises(SettingsError, match="lr_mlp"):
        latentlab.load(file, assume={"lr_mpl": 0.2})


def test_a_file_without_averages_opens_as_the_raw_generator(rewritten):
    def change(weights):
        for name in [name for name in weights if name.startswith(("GE.", "SE."))]:
            weights.pop(name)
        assert any(name.startswith("G.") for name in weights)

    checkpoint = latentlab.load(rewritten(change))
    assert list(checkpoint.networks) == ["G"]
    assert checkpoint.raw_generator is checkpoint.generator


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("GE.blocks.1.conv2.weight"), r"blocks\.1\.conv2"),
        (lambda w: w.update({"GE.blocks.1.strange": torch.zeros(1)}), "belong to no known layer"),
        (lambda w: w.update({"GE.blocks.2.to_style1.bias": torch.zeros(3)}), "do not fit"),
        (lambda w: [w.pop(name) for name in list(w) if name.startswith("SE.")], "no mapping SE"),
    ],
)
def test_what_does_not_fit_is_named(change, says, rewritten):
    with pytest.raises(CheckpointError, match=says):
        latentlab.load(rewritten(change))


def test_attention_is_refused_in_words(rewritten):
    path = rewritten(lambda w: w.update({"GE.attns.2.0.fn.to_q.weight": torch.zeros(4, 4, 1, 1)}))
    with pytest.raises(UnsupportedCheckpoint, match="self-attention"):
        latentlab.load(path)


def test_a_projection_leaves_its_noise_alone(genuine):
    _, checkpoint, ref = genuine
    g = checkpoint.generator
    result = latentlab.project(g, g(ref["z"][:1]), Counting(), steps=3)
    assert torch.equal(result.noise[0][0, 0], g.synthesis.noise.noise_const)
