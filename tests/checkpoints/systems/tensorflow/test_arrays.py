"""Dicts of TensorFlow variables, as yuuho saves them, against what TensorFlow rendered."""

import pickle

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError
from latentlab.checkpoints.pickles.reader import read_pickle
from tests.checkpoints.systems.test_yuuho import tensors, variables
from tests.support.tensorflow.pickles import make_generator
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


# Single numbers, and networks that were cut, as yuuho's converter and others write them.


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("file", FILES)
def test_single_numbers_may_be_arrays(file, shape, shared, save):
    ref = tensors(shared / f"{file}_ref.npz")
    found = arrays(shared / f"{file}.pkl")
    single = [name for name in found if name.endswith(("lod", "noise_strength"))]
    assert len(single) == (7 + 1 if file.startswith("sg2") else 2)
    found |= {name: np.asarray(found[name], np.float32).reshape(shape) for name in single}
    g = latentlab.load(save(found)).generator
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


@pytest.mark.parametrize("shape", [(2,), (1, 1), (0,)])
def test_numbers_that_are_not_single_are_refused(shape, shared, save):
    found = arrays(shared / "sg2_skip_32.pkl")
    found["G_synthesis/4x4/Conv/noise_strength"] = np.ones(shape, np.float32)
    with pytest.raises(CheckpointError, match=r"4x4/Conv/noise_strength has shape"):
        latentlab.load(save(found))


def renumbered(found, above):
    """Number the RGB layers as in a network of more resolutions."""
    moved = {}
    for name, value in found.items():
        start, mark, rest = name.partition("ToRGB_lod")
        level, slash, part = rest.partition("/")
        moved[f"{start}{mark}{int(level) + above}{slash}{part}" if mark else name] = value
    return moved


@pytest.mark.parametrize("lod", [0.0, 5.0, 3.0, np.zeros(1, np.float32)])
def test_a_network_that_was_cut_is_numbered_as_the_whole_one(lod, shared, save):
    """4x4 has the layer ToRGB_lod8, and 32x32 lod5, as in a network of 1024 px."""
    ref = tensors(shared / "sg1_32_ref.npz")
    found = renumbered(arrays(shared / "sg1_32.pkl"), 5)
    assert {"G_synthesis/ToRGB_lod8/weight", "G_synthesis/ToRGB_lod5/bias"} <= found.keys()
    checkpoint = latentlab.load(save({**found, "lod": lod}))
    assert "part up to 32 px of one of 1024 px" in checkpoint.metadata["notes"][-1]
    g = checkpoint.generator
    assert float(g.synthesis.lod) == 0
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


def test_a_network_that_was_cut_while_it_grew(shared, save):
    """The level of detail is that of the whole network, too."""
    ref = tensors(shared / "sg1_32_lod_ref.npz")
    found = arrays(shared / "sg1_32_lod.pkl")
    found = {**renumbered(found, 5), "lod": np.float32(found["lod"] + 5)}
    g = latentlab.load(save(found)).generator
    assert float(g.synthesis.lod) == 1.5
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


@pytest.mark.parametrize("above", [0, 5])
def test_only_the_last_rgb_layer_is_needed(above, shared, save):
    ref = tensors(shared / "sg1_32_ref.npz")
    found = renumbered(arrays(shared / "sg1_32.pkl"), above)
    last = f"ToRGB_lod{above}/"
    found = {name: value for name, value in found.items() if "ToRGB" not in name or last in name}
    g = latentlab.load(save(found)).generator
    assert not g.config.growing
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


def test_rgb_layers_with_a_gap_are_named(shared, save):
    found = renumbered(arrays(shared / "sg1_32.pkl"), 5)
    del found["G_synthesis/ToRGB_lod6/weight"], found["G_synthesis/ToRGB_lod6/bias"]
    with pytest.raises(CheckpointError, match=r"ToRGB_lod1/weight is missing"):
        latentlab.load(save(found))


def test_other_architectures_are_told_by_their_layers(shared, save):
    ref = tensors(shared / "sg2_resnet_32_ref.npz")
    g = latentlab.load(save(arrays(shared / "sg2_resnet_32.pkl"))).generator
    assert g.config.architecture == "resnet"
    torch.testing.assert_close(g(ref["z"]), ref["images_w"], atol=FOREIGN_IMAGE, rtol=0)


@pytest.mark.parametrize("options", [
    {"architecture": "orig"}, {"synthesis_func": "G_synthesis_stylegan_revised", "lod": 0.5},
])  # fmt: skip
def test_forms_of_stylegan2_against_float64(options, save):
    network, z, _, (images, _) = make_generator("G_main", latent_size=5, **options)
    found = dict(network.state["variables"])
    for part, inner in network.state["components"].items():
        found |= {f"G_{part}/{name}": value for name, value in inner.state["variables"]}
    found = {name: value[()] for name, value in found.items()}
    g = latentlab.load(save(found)).generator
    np.testing.assert_allclose(g(torch.from_numpy(z).float()).numpy(), images, atol=FOREIGN_IMAGE)


@pytest.mark.parametrize("name", ["G_synthesis/ToRGB_lod99/weight", "G_synthesis/ToRGB_lod5/x"])
def test_numbers_of_layers_cannot_lead_astray(name, shared, save):
    found = {**arrays(shared / "sg1_32.pkl"), name: np.ones(1, "f4")}
    with pytest.raises(CheckpointError, match=r"is not part of the network"):
        latentlab.load(save(found))
