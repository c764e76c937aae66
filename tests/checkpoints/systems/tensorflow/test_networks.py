"""Genuine TensorFlow pickles: what the original code computes from them, and what they say."""

import json

import numpy as np
import pytest
import torch

import latentlab
from latentlab.images import to_uint8
from latentlab.networks.discriminators import Discriminator
from tests.support.tolerances import IMAGE, SCORE, W

KINDS = {
    "sg1_32": "stylegan1-tf", "sg1_128_fused": "stylegan1-tf", "sg1_32_lod": "stylegan1-tf",
    "sg2_skip_32": "stylegan2-tf", "sg2_resnet_32": "stylegan2-tf", "pgan_32": "progan-tf",
}  # fmt: skip
STYLEGANS = [name for name in KINDS if name != "pgan_32"]
LAYERS = {"Const": "layer0", "Conv": "layer1", "Conv0_up": "layer0", "Conv1": "layer1"}
LAYERS2 = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1"}


@pytest.fixture(scope="module")
def opened():
    """Open each file once."""
    return {}


@pytest.fixture
def open_genuine(shared, opened):
    def run(name):
        if name not in opened:
            reference = shared / f"{name}_ref.npz"
            opened[name] = latentlab.load(shared / f"{name}.pkl"), dict(np.load(reference))
        return opened[name]

    return run


def tensor(array):
    return torch.from_numpy(array)


def check(ours, array, tolerance):
    np.testing.assert_allclose(ours, array, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", STYLEGANS)
def test_w_is_that_of_the_original_code(name, open_genuine):
    checkpoint, ref = open_genuine(name)
    g, cutoff = checkpoint.generator, checkpoint.truncation_cutoff
    assert (cutoff or g.num_ws) == ref["truncation_cutoff"]
    check(g.mapping(tensor(ref["z"])), ref["w"], W)
    check(g.mapping(tensor(ref["z"]), None, 0.7, cutoff), ref["w_psi07"], W)
    assert np.array_equal(g.w_mean, ref["dlatent_avg"])
    assert np.array_equal(checkpoint.raw_generator.w_mean, ref["dlatent_avg_G"])


@pytest.mark.parametrize("name", STYLEGANS)
def test_images_are_those_of_the_original_code(name, open_genuine):
    checkpoint, ref = open_genuine(name)
    g, z = checkpoint.generator, tensor(ref["z"])
    defaults = checkpoint.metadata["truncation"]
    psi07 = {"truncation_psi": 0.7, "truncation_cutoff": defaults["cutoff"]}
    check(g.synthesis(tensor(ref["w"])), ref["images_w"], IMAGE)
    check(g(z), ref["images_w"], IMAGE)
    images = g(z, **psi07)
    check(images, ref["images_psi07"], IMAGE)
    assert np.abs(to_uint8(images).permute(0, 2, 3, 1).numpy().astype(int)
                  - ref["images_psi07_u8_nhwc"]).max() <= 1  # fmt: skip
    check(checkpoint.raw_generator(z[:1], **psi07), ref["images_G_psi07"], IMAGE)
    check(g.synthesis(tensor(ref["w_mix"])), ref["images_mix"], IMAGE)
    if "images_default" in ref:
        shown = g(z, truncation_psi=defaults["psi"], truncation_cutoff=defaults["cutoff"])
        check(shown, ref["images_default"], IMAGE)


@pytest.mark.parametrize("name", ["sg1_32", "sg2_skip_32", "sg2_resnet_32"])
def test_layers_are_those_of_the_original_code(name, open_genuine):
    checkpoint, ref = open_genuine(name)
    g, found = checkpoint.generator, {}
    layers = LAYERS if name.startswith("sg1") else LAYERS2
    hooks = []
    for key in [key for key in ref if key.startswith("act_")]:
        _, size, layer = key.split("_", 2)
        module = g.synthesis.get_submodule(f"b{size.split('x')[0]}.{layers[layer]}")
        hooks.append(
            module.register_forward_hook(lambda _m, _i, out, key=key: found.update({key: out}))
        )
    g.synthesis(tensor(ref["w"][:1]))
    for hook in hooks:
        hook.remove()
    assert len(found) >= 7
    for key, output in found.items():
        scale = np.sqrt(0.5) if "resnet" in name and key.endswith("Conv1") else 1.0
        check(output[:, : ref[key].shape[1]], ref[key] * scale, IMAGE)


def test_rgb_of_every_resolution_is_that_of_the_original_code(open_genuine):
    checkpoint, ref = open_genuine("sg2_skip_32")
    w = tensor(ref["w"])
    ours = checkpoint.generator.rgb_by_resolution(w)
    assert sorted(f"rgb_{size}x{size}" for size in ours) == sorted(k for k in ref if "rgb_" in k)
    for size, rgb in ours.items():
        check(rgb, ref[f"rgb_{size}x{size}"], IMAGE)


@pytest.mark.parametrize("name", KINDS)
def test_scores_are_those_of_the_original_code(name, open_genuine):
    checkpoint, ref = open_genuine(name)
    d, images = checkpoint.discriminator, tensor(ref["images_psi07"])
    check(d(images), ref["D_psi07"], SCORE)
    single = torch.cat([d(image[None]) for image in images])
    check(single, ref["D_psi07_single"], SCORE)
    if "D_8" in ref:
        check(d(torch.cat([images, tensor(ref["images_w"])])), ref["D_8"], SCORE)


def test_a_progressive_gan_renders_as_the_original_code(open_genuine):
    checkpoint, ref = open_genuine("pgan_32")
    z = tensor(ref["z"])
    check(checkpoint.generator(z), ref["images_psi07"], IMAGE)
    check(checkpoint.raw_generator(z[:1]), ref["images_G_psi07"], IMAGE)
    pixels = to_uint8(checkpoint.generator(z)).permute(0, 2, 3, 1).numpy().astype(int)
    assert np.abs(pixels - ref["images_psi07_u8_nhwc"]).max() <= 1
    assert "truncation" not in checkpoint.metadata


def test_a_growing_network_renders_at_every_stage(open_genuine):
    checkpoint, ref = open_genuine("sg1_32_lod")
    g, d = checkpoint.generator, checkpoint.discriminator
    assert g.synthesis.lod == d.lod == ref["lod"] == 1.5
    w, images = tensor(ref["w"]), tensor(ref["images_psi07"])
    for form in ("linear", "recursive"):
        check(g.synthesis(w), ref[f"images_w_{form}"], IMAGE)
        check(d(images), ref[f"D_psi07_{form}"], SCORE)
    stages = [key.removeprefix("D_lod") for key in ref if key.startswith("D_lod")]
    assert len(stages) == 6
    for lod in stages:
        g.synthesis.set_lod(float(lod))
        d.set_lod(float(lod))
        check(g.synthesis(w[:1]), ref[f"images_w_lod{lod}"], IMAGE)
        check(d(images), ref[f"D_lod{lod}"], SCORE)
    g.synthesis.set_lod(0)
    d.set_lod(0)
    check(g.synthesis(w), ref["images_w_fixed"], IMAGE)  # that form knows no growth
    check(d(images), ref["D_psi07_fixed"], SCORE)
    g.synthesis.set_lod(1.5)
    d.set_lod(1.5)


def test_a_published_classifier_opens(shared):
    path = shared / "classifier_00_dbasic.pkl"
    ref = np.load(shared / "classifier_00_ref.npz")
    classifier = latentlab.load_classifier(path)
    images = tensor(ref["images"])
    check(classifier(images), ref["logits_0_batch8"], SCORE)
    batches = torch.cat([classifier(images[:4]), classifier(images[4:])])
    check(batches, ref["logits_0_batch4"], SCORE)
    check(torch.cat([classifier(x[None]) for x in images]), ref["logits_0_single"], SCORE)
    checkpoint = latentlab.load(path)
    assert checkpoint.kind == "classifier-tf"
    assert list(checkpoint.networks) == ["classifier"]
    assert isinstance(classifier, Discriminator)
    assert checkpoint.config.resolution == 32


@pytest.mark.parametrize("name", KINDS)
def test_the_checkpoint_says_what_it_is(name, shared, open_genuine):
    checkpoint, _ = open_genuine(name)
    assert checkpoint.kind == KINDS[name]
    assert list(checkpoint.networks) == ["G_ema", "G", "D"]
    facts = json.loads((shared / f"{name}_vars.json").read_text())
    said = facts["static_kwargs"]
    assert checkpoint.metadata["static_kwargs"] == {
        "G_ema": said["Gs"], "G": said["G"], "D": said["D"],
    }  # fmt: skip
    truncation = {"psi": 0.7, "cutoff": 8} if "sg1" in name else {"psi": 0.5, "cutoff": None}
    assert checkpoint.metadata.get("truncation") == (None if "pgan" in name else truncation)
    assert set(checkpoint.metadata) <= {"static_kwargs", "truncation"}
    for network in checkpoint.networks.values():
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())
        assert all(t.dtype == torch.float32 for t in network.state_dict().values())


@pytest.mark.parametrize("name", [*KINDS, "classifier_00_dbasic"])
def test_saving_and_loading_gives_bit_equal_results(name, shared, tmp_path):
    first = latentlab.load(shared / f"{name}.pkl")
    latentlab.save(first, tmp_path / "x.safetensors")
    again = latentlab.load(tmp_path / "x.safetensors")
    assert again.metadata["source"]["kind"] == first.kind
    assert again.metadata["static_kwargs"] == first.metadata["static_kwargs"]
    assert again.config == first.config
    images = torch.randn([4, 3, *[first.config.resolution] * 2])
    for role, network in first.networks.items():
        other = again.networks[role]
        if role in ("D", "classifier"):
            assert torch.equal(other(images), network(images))
        else:
            z = torch.randn([2, network.z_dim])
            assert torch.equal(other(z), network(z))
