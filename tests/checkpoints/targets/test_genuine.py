"""What is written, against genuine files and the original code's own outputs."""

import json

import numpy as np
import pytest
import torch

import latentlab
from latentlab.checkpoints.pickles.reader import read_pickle
from latentlab.checkpoints.systems.torch_modules import state_dict_of
from latentlab.checkpoints.targets import rosinality1
from latentlab.tensor_files import read_safetensors
from tests.conftest import make_stylegan1, make_stylegan1_discriminator
from tests.support import foreign
from tests.support.tolerances import FOREIGN_IMAGE, FOREIGN_SCORE, IMAGE

# Absolute: a gain taken out of a weight and put in again, or 1 of a bias, rounds it once.
WEIGHT = 1e-6


def flat(found, prefix=""):
    """All tensors of nested state dicts, by their names."""
    if not isinstance(found, dict):
        return {prefix[:-1]: found}
    return {k: v for key, part in found.items() for k, v in flat(part, f"{prefix}{key}/").items()}


def assert_same_file(written, genuine, atol):
    written, genuine = flat(written), flat(genuine)
    assert written.keys() == genuine.keys()
    for name, expected in genuine.items():
        assert written[name].shape == expected.shape, name
        assert written[name].dtype == expected.dtype, name
        torch.testing.assert_close(written[name], expected, atol=atol, rtol=0)


def reference(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture
def there_and_back(shared, tmp_path):
    """Bring a genuine file to latentlab's own format, and that back to its own."""

    def run(name, to):
        latentlab.save(latentlab.load(shared / name), tmp_path / "ours.safetensors")
        ours = latentlab.load(tmp_path / "ours.safetensors")
        exported = latentlab.export(ours, tmp_path / "theirs.pt", to)
        assert exported.difference == 0
        return exported.path, torch.load(shared / name, weights_only=True)

    return run


def test_rosinality_stylegan2_is_the_same_file_to_the_last_bit(there_and_back, shared):
    path, genuine = there_and_back("ros2_32.pt", "rosinality")
    assert_same_file(torch.load(path, weights_only=True), genuine, atol=0)
    opened, ref = latentlab.load(path), reference(shared / "ros2_32_ref.npz")
    assert list(opened.networks) == ["G_ema", "G", "D"]
    image = opened.generator(ref["z"], truncation_psi=0.7)
    torch.testing.assert_close(image, ref["img_trunc07"], atol=FOREIGN_IMAGE, rtol=0)
    score = opened.discriminator(ref["img_const"])
    torch.testing.assert_close(score, ref["d_n8"], atol=FOREIGN_SCORE, rtol=0)


def test_yuuho_stylegan2_is_the_same_file(there_and_back, shared):
    path, genuine = there_and_back("yuuho2_32.pth", "yuuho")
    assert_same_file(torch.load(path, weights_only=True), genuine, atol=WEIGHT)
    g, ref = latentlab.load(path).generator, reference(shared / "yuuho2_32_ref.npz")
    image = g(ref["z"], truncation_psi=0.7, truncation_cutoff=10)
    torch.testing.assert_close(image, ref["img"], atol=FOREIGN_IMAGE, rtol=0)


def test_rosinality_stylegan1_is_the_same_file(shared):
    opened = latentlab.load(shared / "ros1_1024.model")
    written = rosinality1.write(opened.networks, "x", approximate=False)
    genuine = torch.load(shared / "ros1_1024.model", weights_only=True)
    assert_same_file(written.content, genuine, atol=WEIGHT)


@pytest.mark.parametrize("file", ["sg1_32", "sg1_128_fused"])
def test_yuuho_stylegan1_is_what_their_converter_makes_of_the_tensorflow_file(
    file, shared, tmp_path
):
    opened = latentlab.load(shared / f"{file}.pkl")
    exported = latentlab.export(opened, tmp_path / "x.pth", "yuuho")
    variables = {}
    for part, scope in (("mapping", "G_mapping/"), ("synthesis", "G_synthesis/"), (None, "")):
        record = read_pickle(shared / f"{file}.pkl")[2]
        record = record if part is None else record.state["components"][part]
        variables |= {f"{scope}{k}": torch.tensor(v) for k, v in record.state["variables"]}
    theirs = foreign.yuuho1_from_tensorflow(variables, opened.generator.resolution)
    assert_same_file(torch.load(exported.path, weights_only=True), theirs, atol=0)


# NVIDIA's pickles: names, shapes and values of their state dicts, and their constructor arguments.


@pytest.mark.parametrize("file", ["ada_skip_32", "ada_cond_32", "sg3t_32"])
def test_nvidia_state_dicts_are_those_of_the_pickles(file, shared, tmp_path):
    pickled = read_pickle(shared / f"{file}.pkl")
    exported = latentlab.export(
        latentlab.load(shared / f"{file}.pkl"), tmp_path / "x.pt", "nvidia-state"
    )
    assert exported.difference == 0
    written = torch.load(exported.path, weights_only=True)
    for name in ("G", "D", "G_ema"):
        genuine = state_dict_of(pickled[name], name)
        assert_same_file(written[name], genuine, atol=0)
        assert_arguments(written["config"][name], pickled[name].state["_init_kwargs"])


def assert_arguments(ours, genuine):
    """All that the original was made with is the same; what it left out has their default."""
    of_training = {"num_fp16_res", "fp16_channels_last", "w_avg_beta", "magnitude_ema_beta",
                   "freeze_layers"}  # fmt: skip
    for name, value in genuine.items():
        if isinstance(value, dict):
            assert_arguments(ours.get(name, {}), value)
        elif name not in of_training:
            assert ours[name] == value, name


@pytest.mark.parametrize("file", ["ada_skip_32", "ada_cond_32"])
def test_an_official_safetensors_file_is_the_same_again(file, shared, tmp_path):
    source = shared / f"{file}_state.safetensors"
    out = tmp_path / "x.safetensors"
    latentlab.export(latentlab.load(source), out, "nvidia-state")
    (header, tensors), (genuine, expected) = read_safetensors(out), read_safetensors(source)
    assert_same_file(tensors, expected, atol=0)
    config, asked = (json.loads(each["config"]) for each in (header, genuine))
    assert config.keys() == asked.keys()
    for name, settings in asked.items():
        assert_arguments(config[name], settings)
    ref = reference(shared / f"{file}_ref.npz")
    g = latentlab.load(out).generator
    c = ref["c"] if g.c_dim else None
    torch.testing.assert_close(g(ref["z"], c), ref["img_const"], atol=IMAGE, rtol=0)


# rosinality's StyleGAN1 has all stages up to 1024 px, or their code does not load it.


def test_stages_above_the_resolution_are_those_of_their_code(shared, tmp_path):
    genuine = torch.load(shared / "ros1_1024.model", weights_only=True)
    settings = {"z_dim": 5, "shared_noise": True, "instance_norm_epsilon": 1e-5,
                "blurred_bias": True, "mapping_layers": 8}  # fmt: skip
    g = make_stylegan1(**settings)
    d = make_stylegan1_discriminator(mbstd_group_size=None, widens_first=True)
    written = rosinality1.write({"G_ema": g, "D": d}, "x", approximate=False)
    found = written.content
    assert found["g_running"].keys() == genuine["g_running"].keys()
    assert found["discriminator"].keys() == genuine["discriminator"].keys()
    torch.save(found, tmp_path / "x.model")
    opened = latentlab.load(tmp_path / "x.model")
    assert opened.generator.resolution == opened.discriminator.config.resolution == 16
    assert any("above 16 px" in note for note in opened.metadata["notes"])
    later = {name: tensor for name, tensor in found["g_running"].items() if ".5." in name}
    drawn = [name for name, tensor in later.items() if tensor.std() > 0.5]
    assert {name.rpartition(".")[2] for name in drawn} >= {"weight_orig", "weight"}
    assert all(not tensor.any() for name, tensor in later.items() if ".noise" in name)
    again = rosinality1.write({"G_ema": g}, "x", approximate=False).content["g_running"]
    assert all(torch.equal(tensor, found["g_running"][name]) for name, tensor in again.items())


@pytest.mark.parametrize(
    ("maps", "later"),
    [((512, 512, 512), [512, 256, 128, 64, 32, 16]), ((9, 8, 7), [7] * 6)],
)
def test_later_stages_are_as_wide_as_theirs(maps, later):
    settings = {"shared_noise": True, "instance_norm_epsilon": 1e-5, "blurred_bias": True}
    g = make_stylegan1(channel_table=maps, z_dim=5, **settings)
    found = rosinality1.write({"G_ema": g}, "x", approximate=False).content["g_running"]
    widths = [len(found[f"generator.progression.{i}.conv2.conv.bias"]) for i in range(9)]
    assert widths == [*maps, *later]
