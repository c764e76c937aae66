"""NVIDIA's vgg16.pt as data: equal to its program, which is not run."""

import numpy as np
import pytest
import torch
from torch import nn

import latentlab
from latentlab import UnsafeCheckpoint
from latentlab.checkpoints.pickles.records import Record
from latentlab.checkpoints.systems import nvidia_vgg16
from latentlab.checkpoints.systems.nvidia_vgg16 import read_nvidias_vgg16
from latentlab.perceptual import LpipsDistance, TorchScriptDistance
from tests.support.scripted import Pixels, Vgg16, as_torchscript

EQUAL = 1e-6  # measured on the stand-in: 1.1e-8 of features of 0.03, distances to the last bit


@pytest.fixture
def no_programs(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a program was run")

    monkeypatch.setattr(torch.jit, "load", refuse)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A file with the layout of the published one."""
    return as_torchscript(Vgg16(), tmp_path_factory.mktemp("vgg") / "vgg16.pt")


def features(distance, images):
    """What the program gives for images: weighted activations of all stages [N,F]."""
    found = distance.features(images)
    weights = [lin.model[-1].weight.sqrt() for lin in distance._model.lins]
    stages = zip(found, weights, strict=True)
    return torch.cat([(x * w / (x.shape[2] * x.shape[3]) ** 0.5).flatten(1) for x, w in stages], 1)


def test_it_equals_the_reference_without_its_program(data, no_programs):
    ref = np.load(data / "vgg16_standin_ref.npz")
    images = torch.from_numpy(ref["x"]) / 127.5 - 1
    distance = latentlab.perceptual_distance(data / "vgg16_standin.pt", trust=False)
    assert isinstance(distance, LpipsDistance)
    found = distance(images[::2], images[1::2])
    np.testing.assert_allclose(found, ref["dist_noresize"], rtol=EQUAL, atol=EQUAL)


def test_its_features_equal_the_reference(shared, no_programs):
    ref = np.load(shared / "vgg16_standin_ref.npz")
    distance = latentlab.perceptual_distance(shared / "vgg16_standin.pt")
    found = features(distance, torch.from_numpy(ref["x"][:1]) / 127.5 - 1)
    np.testing.assert_allclose(found, ref["lpips_feat_noresize"], rtol=0, atol=EQUAL)


def test_the_published_layout_equals_its_program(narrow):
    images = torch.rand([4, 3, 32, 32], generator=torch.Generator().manual_seed(1)) * 2 - 1
    distance, program = latentlab.perceptual_distance(narrow), TorchScriptDistance(narrow)
    assert isinstance(distance, LpipsDistance)
    assert [len(stage) for stage in distance._model.config.stages] == [2, 2, 3, 3, 3]
    theirs = program.features(images)[0]
    torch.testing.assert_close(features(distance, images), theirs, rtol=0, atol=EQUAL)
    torch.testing.assert_close(
        distance(images[:2], images[2:]), program(images[:2], images[2:]), rtol=1e-5, atol=0
    )


def one_more(module):
    module.extra = nn.Parameter(torch.ones(3))


def negative(module):
    module.lpips2 *= -1


def without_mean(module):
    del module._buffers["mean"]
    module.mean = 1.0


def wider(module):
    module.layers["conv3"].weight.data = torch.zeros(4, 4, 5, 5)


def not_finite(module):
    module.layers["conv3"].weight.data[0] = torch.nan


def fewer(module):
    module.lpips4 = module.lpips4[:, :3]


@pytest.mark.parametrize("change", [one_more, negative, without_mean, wider, not_finite, fewer])
def test_what_is_not_its_layout_is_a_program(change, tmp_path, no_programs):
    module = Vgg16()
    change(module)
    path = as_torchscript(module, tmp_path / "other.pt")
    if change is not not_finite:  # whose weights are refused by the network
        assert read_nvidias_vgg16(path) is None
    with pytest.raises(latentlab.CheckpointError):
        latentlab.perceptual_distance(path, trust=False)


def test_d07_modules_that_many_names_lead_to_are_looked_into_once():
    below = Record("class", "Linear", {"weight": torch.zeros(1)})
    for _ in range(3):
        below = Record("class", "Same", dict.fromkeys(map(str, range(100)), below))
    assert len([*nvidia_vgg16._tensors(below, set())]) == 1  # of a million ways


def test_another_program_is_refused_with_both_ways_out(tmp_path, no_programs):
    path = as_torchscript(Pixels(), tmp_path / "pixels.pt")
    with pytest.raises(UnsafeCheckpoint) as error:
        latentlab.perceptual_distance(path, trust=False)
    for words in (str(path), "a program, and was not run", "give `trust`", ".safetensors"):
        assert words in str(error.value)


def test_another_program_runs_where_it_is_trusted(tmp_path):
    path = as_torchscript(Pixels(), tmp_path / "pixels.pt")
    assert isinstance(latentlab.perceptual_distance(path, trust=True), TorchScriptDistance)
