"""LPIPS as safetensors: made from what there is, opened again, and refused where it is damaged."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import latentlab
from latentlab import CheckpointError, SettingsError
from latentlab.lpips_files import lpips_network
from latentlab.perceptual import LpipsDistance
from latentlab.vgg import SCALE, SHIFT
from tests.support.scripted import Pixels, as_torchscript

ABOUT = {"format": "lpips", "network": "vgg"}


@pytest.fixture
def made(data, tmp_path):
    """The stand-in's weights as safetensors."""
    latentlab.save_distance(data / "vgg16_standin.pt", tmp_path / "lpips.safetensors")
    return tmp_path / "lpips.safetensors"


def test_what_was_written_equals_what_it_was_made_from(made, data):
    ref = np.load(data / "vgg16_standin_ref.npz")
    images = torch.from_numpy(ref["x"]) / 127.5 - 1
    before = latentlab.perceptual_distance(data / "vgg16_standin.pt")
    after = latentlab.perceptual_distance(made, trust=False)
    assert torch.equal(after(images[::2], images[1::2]), before(images[::2], images[1::2]))
    assert after.name == str(made)


def test_names_and_shapes_are_the_published_ones(made):
    tensors = load_file(made)
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {
        "features.0.weight": [16, 3, 3, 3], "features.0.bias": [16], "lin0.model.1.weight":
        [1, 16, 1, 1], "features.3.weight": [32, 16, 3, 3], "features.3.bias": [32],
        "lin1.model.1.weight": [1, 32, 1, 1], "features.6.weight": [48, 32, 3, 3],
        "features.6.bias": [48], "lin2.model.1.weight": [1, 48, 1, 1], "shift": [3], "scale": [3],
    }  # fmt: skip


def test_two_published_files_make_one(tmp_path):
    """As docs/path-length.md says, with SqueezeNet, the smallest backbone."""
    import torchvision

    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = torchvision.models.squeezenet1_1().state_dict()
    weights = {name: torch.randn(meta.shape, generator=rng) * 0.1 for name, meta in shapes.items()}
    features = {name: each for name, each in weights.items() if name.startswith("features.")}
    lins = {f"lin{i}.model.1.weight": torch.rand([1, maps, 1, 1], generator=rng)
            for i, maps in enumerate((64, 128, 256, 384, 384, 512, 512))}  # fmt: skip
    path = tmp_path / "squeeze.safetensors"
    save_file({**features, **lins}, path, {"format": "lpips", "network": "squeeze"})
    distance = latentlab.perceptual_distance(path)
    own = LpipsDistance("own", lpips_network("squeeze", {**weights, **lins}).eval())
    x, y = (torch.rand([1, 3, 48, 48], generator=rng) * 2 - 1 for _ in range(2))
    with torch.no_grad():
        assert torch.equal(distance(x, y), own(x, y))
    distance.save(tmp_path / "again.safetensors")
    assert load_file(tmp_path / "again.safetensors").keys() == {*features, *lins}


def test_without_a_scaling_it_is_that_of_imagenet(made):
    tensors = load_file(made)
    del tensors["shift"], tensors["scale"]
    save_file(tensors, made, ABOUT)
    scaling = latentlab.perceptual_distance(made)._model.scaling_layer
    assert scaling.shift.flatten().tolist() == torch.tensor(SHIFT).tolist()
    assert scaling.scale.flatten().tolist() == torch.tensor(SCALE).tolist()


@pytest.mark.parametrize(("change", "words"), [
    ({"features.3.bias": None}, "no features.3.bias"),
    ({"features.3.weight": torch.zeros(32, 8, 3, 3)}, "features.3.weight has shape"),
    ({"features.3.weight": torch.zeros(32, 16, 3, 3, dtype=torch.int8)}, "type torch.int8"),
    ({"lin1.model.1.weight": torch.full([1, 32, 1, 1], torch.nan)}, "NaN"),
    ({"lin7.model.1.weight": torch.zeros(1, 1, 1, 1)}, "unknown weights lin7"),
    ({"features.4.weight": torch.zeros(1)}, "does not follow"),
    ({"features.9.weight": torch.zeros(1)}, "no shape of a convolution"),
    ({"features.0.weight": None, "features.0.bias": None}, "numbered 3, 6"),
    ({"scale": torch.ones(4)}, "'scale' has shape [4]"),
])  # fmt: skip
def test_weights_that_do_not_fit_are_named(made, change, words):
    tensors = load_file(made) | change
    save_file({k: v for k, v in tensors.items() if v is not None}, made, ABOUT)
    with pytest.raises(CheckpointError, match=r"lpips\.safetensors: ") as error:
        latentlab.perceptual_distance(made)
    assert words in str(error.value)


@pytest.mark.parametrize("about", [None, {"format": "lpips"}, {"format": "x", "network": "vgg"},
                                   {"format": "lpips", "network": "vgg19"}])  # fmt: skip
def test_other_safetensors_are_refused(made, about):
    save_file(load_file(made), made, about)
    with pytest.raises(CheckpointError, match="not of LPIPS"):
        latentlab.perceptual_distance(made)


def test_a_missing_weight_of_another_network_is_named(made):
    save_file(load_file(made), made, {"format": "lpips", "network": "squeeze"})
    with pytest.raises(CheckpointError, match=r"lpips-squeeze: .* is missing"):
        latentlab.perceptual_distance(made)


def test_a_file_of_too_much_is_refused_before_it_is_read(tmp_path):
    header = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(300)}
    text = json.dumps({"__metadata__": ABOUT, **header}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(CheckpointError):
        latentlab.perceptual_distance(tmp_path / "x.safetensors")


def test_only_lpips_is_written_and_only_as_safetensors(tmp_path, data):
    with pytest.raises(SettingsError, match="one of LPIPS"):
        latentlab.save_distance("builtin:digits", tmp_path / "x.safetensors")
    with pytest.raises(SettingsError, match=r"must end in \.safetensors"):
        latentlab.save_distance(data / "vgg16_standin.pt", tmp_path / "x.pt")
    program = as_torchscript(Pixels(), tmp_path / "pixels.pt")
    with pytest.raises(latentlab.UnsafeCheckpoint):
        latentlab.save_distance(program, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()
