"""Files of yuuho/stylegans-pytorch against that code's, and the official networks', outputs.

No StyleGAN1 file of theirs is at hand. Theirs are conversions of the official TensorFlow networks,
so the reference networks are converted as that project does it and compared with what TensorFlow
rendered.
"""

import dataclasses

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, Generator
from latentlab.checkpoints.pickles.reader import read_pickle
from tests.support import foreign
from tests.support.tolerances import FOREIGN_IMAGE, W


def tensors(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def assert_images(found, expected):
    torch.testing.assert_close(found, expected, atol=FOREIGN_IMAGE, rtol=0)


@pytest.fixture(scope="module")
def genuine(shared):
    """The genuine file, opened once, and that code's outputs as tensors."""
    return latentlab.load(shared / "yuuho2_32.pth"), tensors(shared / "yuuho2_32_ref.npz")


class TestStyleGAN2:
    def test_the_file_is_whole(self, genuine):
        checkpoint, _ = genuine
        assert checkpoint.kind == "stylegan2-yuuho"
        assert list(checkpoint.networks) == ["G_ema"]
        assert checkpoint.config.skip_filter == "bilinear"
        assert checkpoint.config.channel_table == (16, 16, 16, 16)
        assert checkpoint.metadata["truncation"] == {"psi": 0.7, "cutoff": 10}
        first, second = checkpoint.metadata["notes"]
        assert "first 10 layers" in first
        assert "bilinearly" in second

    def test_images_and_styles(self, genuine):
        checkpoint, ref = genuine
        g, count = checkpoint.generator, checkpoint.generator.num_ws
        cutoff = checkpoint.metadata["truncation"]["cutoff"]
        ws = g.mapping(ref["z"], truncation_psi=0.7, truncation_cutoff=cutoff)
        # Theirs always has the 18 rows of 1024 px.
        torch.testing.assert_close(ws, ref["styles"][:, :count], atol=W, rtol=0)
        assert_images(g.synthesis(ws), ref["img"])

    def test_the_enlarging_of_the_image_is_all_that_differs_from_the_official_network(
        self, genuine
    ):
        checkpoint, ref = genuine
        g = checkpoint.generator
        official = Generator(dataclasses.replace(g.config, skip_filter="fir"))
        official.load_state_dict(g.state_dict())
        with torch.inference_mode():
            image = official.synthesis(ref["styles"][:, : g.num_ws])
            assert_images(image, ref["img_ada_same_ws"])
            assert_images(official(ref["z"], truncation_psi=0.7), ref["img_ada_trunc07_all"])
        assert (image - ref["img"]).abs().max() > 1

    def test_a_native_copy_renders_the_same_bits(self, genuine, tmp_path):
        checkpoint, ref = genuine
        latentlab.save(checkpoint, tmp_path / "copy.safetensors")
        copy = latentlab.load(tmp_path / "copy.safetensors")
        assert torch.equal(copy.generator(ref["z"]), checkpoint.generator(ref["z"]))
        assert copy.metadata["truncation"] == checkpoint.metadata["truncation"]

    def test_weights_arrive_under_our_names(self, tmp_path):
        found = foreign.yuuho2_g()
        torch.save(found, tmp_path / "x.pth")
        ours = latentlab.load(tmp_path / "x.pth").generator.state_dict()
        for name, theirs in {
            "mapping.fc1.weight": found["mapping.5.weight"],
            "mapping.fc1.bias": found["mapping.6.bias"],
            "mapping.w_avg": found["mapping.9.avg_style"],
            "synthesis.b4.const": found["const_input"][0],
            "synthesis.b8.conv0.weight": found["blocks.1.0.weight"].transpose(0, 1),
            "synthesis.b8.conv1.weight": found["blocks.2.0.weight"],
            "synthesis.b16.conv0.noise_strength": found["blocks.3.2.noise_scaler"][0],
            "synthesis.b16.conv1.noise_const": found["blocks.4.1.const_noise"][0, 0],
            "synthesis.b16.conv1.affine.bias": found["blocks.4.0.bias.bias"] + 1,
            "synthesis.b16.torgb.affine.bias": found["toRGBs.2.0.bias.bias"] + 1,
            "synthesis.b8.torgb.bias": found["toRGBs.1.1.bias"],
        }.items():
            assert torch.equal(ours[name], theirs), name


def variables(record, scope=""):
    """All variables of a TensorFlow network, by their names in it."""
    found = {}
    for name, value in record.state["variables"]:
        found[f"{scope}{name}"] = torch.tensor(value)
    for name, part in record.state["components"].items():
        found |= variables(part, f"G_{name}/")
    return found


class TestStyleGAN1:
    @pytest.mark.parametrize(("file", "resolution"), [("sg1_32", 32), ("sg1_128_fused", 128)])
    def test_a_conversion_renders_what_tensorflow_did(self, file, resolution, shared, tmp_path):
        averaged = read_pickle(shared / f"{file}.pkl")[2]
        ref = tensors(shared / f"{file}_ref.npz")
        found = foreign.yuuho1_from_tensorflow(variables(averaged), resolution)
        torch.save(found, tmp_path / "stylegan1_state_dict.pth")
        checkpoint = latentlab.load(tmp_path / "stylegan1_state_dict.pth")
        assert checkpoint.kind == "stylegan1-yuuho"
        assert checkpoint.metadata["truncation"] == {"psi": 0.7, "cutoff": 8}
        assert len(checkpoint.metadata["notes"]) == 1
        g = checkpoint.generator
        assert g.resolution == resolution
        torch.testing.assert_close(g.mapping(ref["z"]), ref["w"], atol=W, rtol=0)
        torch.testing.assert_close(g.w_mean, ref["dlatent_avg"], atol=0, rtol=0)
        assert_images(g(ref["z"]), ref["images_w"])
        ws = g.mapping(ref["z"], truncation_psi=0.7, truncation_cutoff=8)
        assert_images(g.synthesis(ws), ref["images_psi07"])

    def test_missing_and_unknown_weights_are_named(self, shared, tmp_path):
        averaged = read_pickle(shared / "sg1_32.pkl")[2]
        found = foreign.yuuho1_from_tensorflow(variables(averaged), 32)
        found["blocks.9.0.weight"] = found.pop("blocks.3.2.const_noise")
        torch.save(found, tmp_path / "x.pth")
        with pytest.raises(
            CheckpointError, match=r"x\.pth: weights that are missing: blocks\.3\.2"
        ):
            latentlab.load(tmp_path / "x.pth")
        found["blocks.3.2.const_noise"] = found["blocks.9.0.weight"]
        torch.save(found, tmp_path / "x.pth")
        with pytest.raises(CheckpointError, match=r"no known layer: blocks\.9\.0\.weight"):
            latentlab.load(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("const_input", (4, 4)), ("mapping.9.avg_style", (1, 5)), ("toRGBs.0.0.weight", (3, 8)),
        ("blocks.0.0.weight", ()), ("blocks.1.0.weight", (8, 8)), ("blocks.2.1.const_noise", (8,)),
        ("mapping.1.weight", (5,)), ("toRGBs.2.0.weight", (3, 9, 1, 1)),
    ],
)  # fmt: skip
def test_weights_of_other_shapes_are_refused(name, shape, tmp_path):
    torch.save(foreign.yuuho2_g() | {name: torch.ones(shape)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth"):
        latentlab.load(tmp_path / "x.pth")
