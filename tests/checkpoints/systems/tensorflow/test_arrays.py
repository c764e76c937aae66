"""Dicts of TensorFlow variables, as yuuho saves them, against what TensorFlow rendered."""

import pickle

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError
from latentlab.checkpoints.pickles.reader import read_pickle
from tests.checkpoints.systems.test_yuuho import tensors, variables
from tests.support.tolerances import FOREIGN_IMAGE, W


@pytest.fixture
def save(tmp_path):
    def run(found, protocol=4):
        (tmp_path / "ndarray.pkl").write_bytes(pickle.dumps(found, protocol))
        return tmp_path / "ndarray.pkl"

    return run


def arrays(path):
    """The variables of the averaged generator; single numbers as numpy has them."""
    found = variables(read_pickle(path)[2])
    return {name: tensor.numpy()[()] for name, tensor in found.items()}


FILES = {
    "sg1_32": ("stylegan1-tf", {"psi": 0.7, "cutoff": 8}),
    "sg1_128_fused": ("stylegan1-tf", {"psi": 0.7, "cutoff": 8}),
    "sg2_skip_32": ("stylegan2-tf", {"psi": 0.5, "cutoff": None}),
}


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("file", FILES)
def test_the_generator_renders_what_tensorflow_did(file, protocol, shared, save):
    ref = tensors(shared / f"{file}_ref.npz")
    checkpoint = latentlab.load(save(arrays(shared / f"{file}.pkl"), protocol))
    assert (checkpoint.kind, checkpoint.metadata["truncation"]) == FILES[file]
    assert list(checkpoint.networks) == ["G_ema"]
    assert "variables alone" in checkpoint.metadata["notes"][-1]
    assert "static_kwargs" not in checkpoint.metadata
    g = checkpoint.generator
    assert g.config == latentlab.load(shared / f"{file}.pkl").generator.config
    torch.testing.assert_close(g.mapping(ref["z"]), ref["w"], atol=W, rtol=0)
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


def test_missing_and_unknown_variables_are_named(shared, save):
    found = arrays(shared / "sg2_skip_32.pkl")
    found["G_synthesis/8x8/Conv1/extra"] = found.pop("G_synthesis/8x8/Conv1/bias")
    with pytest.raises(CheckpointError, match=r"8x8/Conv1/bias is missing.*Conv1/extra is not"):
        latentlab.load(save(found))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dlatent_avg", None), ("dlatent_avg", 3), ("dlatent_avg", np.ones((2, 2), "f4")),
        ("G_synthesis/4x4/Const/const", np.ones(3, "f4")), ("G_mapping/Dense0/weight", [1]),
        ("G_synthesis/32x32/Conv0_up/weight", np.ones((3, 3), "f4")),
        ("G_synthesis/32x32/ToRGB/weight", np.ones((1, 1, 8), "f4")), (7, np.ones(1, "f4")),
        ("G_mapping/Dense1/bias", "x"), ("G_synthesis/noise0", {"a": 1}),
    ],
)  # fmt: skip
def test_variables_that_do_not_fit(name, value, shared, save):
    found = arrays(shared / "sg2_skip_32.pkl")
    with pytest.raises(CheckpointError, match=r"ndarray\.pkl"):
        latentlab.load(save({**found, name: value}))
    assert latentlab.load(save(found)).generator.resolution == 32
