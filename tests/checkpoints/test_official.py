import copy
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.checkpoints.assemble import build_network
from latentlab.checkpoints.systems.nvidia_torch import (
    discriminator_config,
    generator_config,
    networks_from_official,
)
from latentlab.networks.discriminators import StyleGAN2Discriminator
from latentlab.networks.generator import Generator
from tests.support.tolerances import IMAGE

IMAGES = {"c_dim": 0, "img_resolution": 64, "img_channels": 3}  # arguments of both networks
GENERATOR = {**IMAGES, "z_dim": 512, "w_dim": 512}

# The defaults in the signatures of the official classes.
NOT_OF_ADA = {"channel_table": None, "growing": False}  # settings that only other releases have
GENERATOR_DEFAULTS = {
    **NOT_OF_ADA, "label_input": "embed", "normalize_latents": True, "skip_filter": "fir",
    "resolution": 64, "channels": 3, "c_dim": 0, "z_dim": 512, "w_dim": 512,
    "channel_base": 32768, "channel_max": 512, "conv_clamp": None, "architecture": "skip",
    "resample_filter": (1, 3, 3, 1), "use_noise": True,
    "mapping_layers": 8, "mapping_lr_multiplier": 0.01,
    "embed_features": None, "layer_features": None,
}  # fmt: skip
DISCRIMINATOR_DEFAULTS = {
    **NOT_OF_ADA, "fc_features": None, "label_output": "projection", "clamps_last_rgb": False,
    "resolution": 64, "channels": 3, "c_dim": 0,
    "channel_base": 32768, "channel_max": 512, "conv_clamp": None, "architecture": "resnet",
    "resample_filter": (1, 3, 3, 1), "mapping_layers": 8, "cmap_dim": None,
    "mbstd_group_size": 4, "mbstd_num_channels": 1,
}  # fmt: skip


def nested(base, place, **arguments):
    return {**base, place: arguments} if place else {**base, **arguments}


def parts(path):
    with safe_open(path, "pt") as file:
        return dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


# Constructor arguments.


def test_the_generators_defaults_are_the_official_ones():
    assert asdict(generator_config(GENERATOR, "x")) == GENERATOR_DEFAULTS


def test_the_discriminators_defaults_are_the_official_ones():
    assert asdict(discriminator_config(IMAGES, "x")) == DISCRIMINATOR_DEFAULTS


@pytest.mark.parametrize(
    ("place", "argument", "value", "field", "translated"),
    [
        ("", "z_dim", 32, "z_dim", 32),
        ("", "w_dim", 48, "w_dim", 48),
        ("", "c_dim", 10, "c_dim", 10),
        ("", "img_resolution", 256, "resolution", 256),
        ("", "img_channels", 1, "channels", 1),
        ("mapping_kwargs", "num_layers", 2, "mapping_layers", 2),
        ("mapping_kwargs", "embed_features", 24, "embed_features", 24),
        ("mapping_kwargs", "layer_features", 40, "layer_features", 40),
        ("mapping_kwargs", "lr_multiplier", 0.5, "mapping_lr_multiplier", 0.5),
        ("synthesis_kwargs", "channel_base", 16384, "channel_base", 16384),
        ("synthesis_kwargs", "channel_max", 64, "channel_max", 64),
        ("synthesis_kwargs", "architecture", "resnet", "architecture", "resnet"),
        ("synthesis_kwargs", "resample_filter", [1, 2, 1], "resample_filter", (1, 2, 1)),
        ("synthesis_kwargs", "conv_clamp", 256, "conv_clamp", 256),
        ("synthesis_kwargs", "use_noise", False, "use_noise", False),
    ],
)
def test_generator_arguments(place, argument, value, field, translated):
    config = generator_config(nested(GENERATOR, place, **{argument: value}), "x")
    assert asdict(config) == {**GENERATOR_DEFAULTS, field: translated}


@pytest.mark.parametrize(
    ("place", "argument", "value", "field", "translated"),
    [
        ("", "c_dim", 10, "c_dim", 10),
        ("", "img_resolution", 256, "resolution", 256),
        ("", "img_channels", 1, "channels", 1),
        ("", "architecture", "orig", "architecture", "orig"),
        ("", "channel_base", 16384, "channel_base", 16384),
        ("", "channel_max", 64, "channel_max", 64),
        ("", "conv_clamp", 256, "conv_clamp", 256),
        ("", "cmap_dim", 24, "cmap_dim", 24),
        ("block_kwargs", "resample_filter", [1, 2, 1], "resample_filter", (1, 2, 1)),
        ("mapping_kwargs", "num_layers", 2, "mapping_layers", 2),
        ("epilogue_kwargs", "mbstd_group_size", None, "mbstd_group_size", None),
        ("epilogue_kwargs", "mbstd_num_channels", 2, "mbstd_num_channels", 2),
    ],
)
def test_discriminator_arguments(place, argument, value, field, translated):
    config = discriminator_config(nested(IMAGES, place, **{argument: value}), "x")
    assert asdict(config) == {**DISCRIMINATOR_DEFAULTS, field: translated}


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("mapping_kwargs", {"w_avg_beta": 0.998, "activation": "lrelu"}),
        ("synthesis_kwargs", {"num_fp16_res": 4, "fp16_channels_last": True}),
        ("synthesis_kwargs", {"activation": "lrelu"}),
    ],
)
def test_arguments_about_speed_and_training_change_nothing(place, arguments):
    config = generator_config(nested(GENERATOR, place, **arguments), "x")
    assert asdict(config) == GENERATOR_DEFAULTS


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("", {"num_fp16_res": 4}),
        ("block_kwargs", {"fp16_channels_last": False, "freeze_layers": 10}),
        ("block_kwargs", {"activation": "lrelu"}),
        ("epilogue_kwargs", {"activation": "lrelu"}),
    ],
)
def test_a_discriminators_arguments_about_speed_and_training_change_nothing(place, arguments):
    config = discriminator_config(nested(IMAGES, place, **arguments), "x")
    assert asdict(config) == DISCRIMINATOR_DEFAULTS


PLACES = [
    (generator_config, GENERATOR, ""),
    (generator_config, GENERATOR, "mapping_kwargs"),
    (generator_config, GENERATOR, "synthesis_kwargs"),
    (discriminator_config, IMAGES, ""),
    (discriminator_config, IMAGES, "block_kwargs"),
    (discriminator_config, IMAGES, "mapping_kwargs"),
    (discriminator_config, IMAGES, "epilogue_kwargs"),
]


@pytest.mark.parametrize(("translate", "base", "place"), PLACES)
def test_d18_an_unknown_argument_is_refused_by_name(translate, base, place):
    with pytest.raises(UnsupportedCheckpoint, match=r"model\.pkl: G.*extra_layers, warmth"):
        translate(nested(base, place, warmth=1, extra_layers=2), "model.pkl: G")


@pytest.mark.parametrize(("translate", "base", "place"), PLACES)
def test_another_activation_is_refused(translate, base, place):
    with pytest.raises(UnsupportedCheckpoint, match=r"model\.pkl: G.*lrelu"):
        translate(nested(base, place, activation="relu"), "model.pkl: G")


@pytest.mark.parametrize(
    ("translate", "base", "place"), [row for row in PLACES if row[2].endswith("kwargs")]
)
@pytest.mark.parametrize("value", [None, [1, 2]])
def test_arguments_that_are_no_dictionary_are_refused(translate, base, place, value):
    with pytest.raises(UnsupportedCheckpoint, match=f"model.*{place}"):
        translate({**base, place: value}, "model")


@pytest.mark.parametrize(
    ("translate", "base"), [(generator_config, GENERATOR), (discriminator_config, IMAGES)]
)
def test_a_missing_resolution_is_refused(translate, base):
    with pytest.raises(UnsupportedCheckpoint, match=r"model.*resolution"):
        translate({k: v for k, v in base.items() if k != "img_resolution"}, "model")


@pytest.mark.parametrize(
    ("kwargs", "name"),
    [
        ({"G_ema": GENERATOR, "augment_pipe": {}}, "augment_pipe"),
        ({"G": None}, "G"),
        ({"D": 3}, "D"),
    ],
)
def test_other_networks_are_refused(kwargs, name):
    with pytest.raises(UnsupportedCheckpoint, match=rf"model: {name}: expected"):
        networks_from_official(kwargs, [], "model")


def test_each_network_gets_its_own_class_and_the_arguments_are_left_alone():
    kwargs = {name: copy.deepcopy(GENERATOR) for name in ("G", "G_ema")}
    kwargs["D"] = {**IMAGES, "block_kwargs": {"activation": "lrelu"}}
    before = copy.deepcopy(kwargs)
    described = networks_from_official(kwargs, [], "model")
    networks = {name: type(build_network(config)) for name, config in described.items()}
    assert networks == {"G": Generator, "G_ema": Generator, "D": StyleGAN2Discriminator}
    assert kwargs == before


# Genuine weights.


@pytest.mark.parametrize(("name", "labels"), [("skip", 0), ("cond", 5)])
def test_a_genuine_state_dict_arrives_whole(name, labels, shared):
    path = shared / f"ada_{name}_32_state.safetensors"
    checkpoint = latentlab.load(path)
    assert checkpoint.kind == "stylegan2-ada"
    assert list(checkpoint.networks) == ["G_ema", "D"]
    assert checkpoint.raw_generator is None
    assert asdict(checkpoint.config) == {
        **GENERATOR_DEFAULTS, "resolution": 32, "c_dim": labels, "z_dim": 64, "w_dim": 64,
        "channel_base": 1024, "channel_max": 32,
    }  # fmt: skip
    weights = {
        f"{part}.{key}": tensor
        for part, network in checkpoint.networks.items()
        for key, tensor in network.state_dict().items()
    }
    genuine = parts(path)[1]
    assert set(weights) == set(genuine)
    assert all(torch.equal(weights[key], genuine[key]) for key in genuine)


@pytest.mark.parametrize("name", ["skip", "cond"])
def test_a_genuine_state_dict_renders_the_reference_before_and_after_saving(name, shared, tmp_path):
    first = latentlab.load(shared / f"ada_{name}_32_state.safetensors")
    latentlab.save(first, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors")
    ref = np.load(shared / f"ada_{name}_32_ref.npz")
    z, c = torch.from_numpy(ref["z"]), torch.from_numpy(ref["c"]) if ref["c"].size else None
    image = first.generator(z, c)
    np.testing.assert_allclose(image, ref["img_const"], atol=IMAGE, rtol=0)
    assert torch.equal(again.generator(z, c), image)
    assert again.kind == "stylegan2-native"
    assert again.metadata["source"]["kind"] == "stylegan2-ada"
    assert again.metadata["source"]["sha256"] == first.sha256


DROPPED = {
    "G_ema.mapping.w_avg": "mapping.w_avg is missing",
    "G_ema.synthesis.b16.conv1.noise_const": "synthesis.b16.conv1.noise_const is missing",
    "D.b4.out.bias": "b4.out.bias is missing",
}


@pytest.mark.parametrize(("key", "words"), DROPPED.items())
def test_a_genuine_state_dict_must_be_complete(key, words, shared, tmp_path):
    header, tensors = parts(shared / "ada_skip_32_state.safetensors")
    del tensors[key]
    save_file(tensors, tmp_path / "cut.safetensors", header)
    with pytest.raises(CheckpointError, match=rf"cut\.safetensors: {key.split('.')[0]}.*{words}"):
        latentlab.load(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("key", ["G_ema.mapping.fc8.weight", "D.b64.conv0.bias", "G.mapping.w_avg"])
def test_a_genuine_state_dict_must_hold_nothing_else(key, shared, tmp_path):
    header, tensors = parts(shared / "ada_skip_32_state.safetensors")
    tensors[key] = torch.zeros(4)
    save_file(tensors, tmp_path / "more.safetensors", header)
    with pytest.raises(CheckpointError, match=rf"more\.safetensors.*{key.split('.', 1)[1]}"):
        latentlab.load(tmp_path / "more.safetensors")


@pytest.mark.parametrize("config", ["{", "[]", "7", json.dumps({"G_ema": {**GENERATOR, "a": 1}})])
def test_a_description_that_does_not_fit_is_refused(config, shared, tmp_path):
    _, tensors = parts(shared / "ada_skip_32_state.safetensors")
    save_file(tensors, tmp_path / "odd.safetensors", {"config": config})
    with pytest.raises(CheckpointError, match=r"odd\.safetensors: "):
        latentlab.load(tmp_path / "odd.safetensors")


def test_bare_weights_ask_for_a_description(shared, tmp_path):
    _, tensors = parts(shared / "ada_skip_32_state.safetensors")
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(UnsupportedCheckpoint, match=r"bare\.safetensors: "):
        latentlab.load(tmp_path / "bare.safetensors")
