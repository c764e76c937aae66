import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import latentlab
from latentlab import UnsupportedCheckpoint
from latentlab.checkpoints.systems.nvidia_stylegan3 import stylegan3_config
from latentlab.networks.stylegan3_config import StyleGAN3Config
from tests.conftest import make_discriminator, make_generator, make_stylegan3, scarce_memory
from tests.support.generators import stylegan3_reference as reference
from tests.support.snapshots import Persistent, write_snapshot
from tests.support.tolerances import IMAGE

RADIAL = {"conv_kernel": 1, "use_radial_filters": True}
# What the official code would be called with to make the network of make_stylegan3.
IMAGES = {"c_dim": 0, "img_resolution": 16, "img_channels": 3}
GENERATOR = {**IMAGES, "z_dim": 6, "w_dim": 5, "mapping_kwargs": {"num_layers": 2},
             "channel_base": 64, "channel_max": 6, "num_layers": 4, "num_critical": 1,
             "first_cutoff": 1.0, "first_stopband": 3.0, "margin_size": 4,
             "magnitude_ema_beta": 0.999}  # fmt: skip
DISCRIMINATOR = {**IMAGES, "channel_base": 128, "channel_max": 8, "num_fp16_res": 4}


def images_of(g, labels=None):
    z = torch.from_numpy(np.random.RandomState(0).randn(2, g.z_dim)).float()
    return g(z, labels, truncation_psi=0.5)


def equal_weights(a, b):
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a snapshot of our own networks as the official code would."""

    def snapshot(g, kwargs, args=(), **rest):
        found = {"G": None, "D": None, "G_ema": Persistent(g, "Generator", args, kwargs), **rest}
        return write_snapshot(tmp_path / "network.pkl", found, monkeypatch)

    return snapshot


# Constructor arguments.


def test_the_defaults_are_the_official_ones():
    """As the signatures of the official classes say."""
    named = {"z_dim": 512, "c_dim": 0, "w_dim": 512, "img_resolution": 1024, "img_channels": 3}
    assert asdict(stylegan3_config(named, "x")) == {
        "resolution": 1024, "channels": 3, "c_dim": 0, "z_dim": 512, "w_dim": 512,
        "mapping_layers": 2, "mapping_lr_multiplier": 0.01, "embed_features": None,
        "layer_features": None, "label_input": "embed", "normalize_latents": True,
        "channel_base": 32768, "channel_max": 512, "num_layers": 14, "num_critical": 2,
        "first_cutoff": 2, "first_stopband": 2**2.1, "last_stopband_rel": 2**0.3,
        "margin_size": 10, "output_scale": 0.25, "conv_kernel": 3, "filter_size": 6,
        "lrelu_upsampling": 2, "use_radial_filters": False, "conv_clamp": 256,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argument", "value", "field"),
    [
        ("channel_base", 65536, "channel_base"), ("channel_max", 64, "channel_max"),
        ("num_layers", 10, "num_layers"), ("num_critical", 3, "num_critical"),
        ("first_cutoff", 1.5, "first_cutoff"), ("first_stopband", 5.0, "first_stopband"),
        ("last_stopband_rel", 1.5, "last_stopband_rel"), ("margin_size", 8, "margin_size"),
        ("output_scale", 1.0, "output_scale"), ("conv_kernel", 1, "conv_kernel"),
        ("filter_size", 8, "filter_size"), ("lrelu_upsampling", 4, "lrelu_upsampling"),
        ("use_radial_filters", True, "use_radial_filters"), ("conv_clamp", None, "conv_clamp"),
        ("mapping_kwargs", {"num_layers": 8}, "mapping_layers"),
        ("mapping_kwargs", {"lr_multiplier": 0.5}, "mapping_lr_multiplier"),
        ("mapping_kwargs", {"w_avg_beta": 0.9}, None),
        ("num_fp16_res", 0, None), ("magnitude_ema_beta", 0.5, None),
    ],
)  # fmt: skip
def test_arguments(argument, value, field):
    named = {"z_dim": 512, "c_dim": 0, "w_dim": 512, "img_resolution": 256, "img_channels": 3}
    config = stylegan3_config({**named, argument: value}, "x")
    held = next(iter(value.values())) if isinstance(value, dict) else value
    changes = {} if field is None else {field: held}
    assert config == StyleGAN3Config(256, **changes)


# Whole files.


def test_a_genuine_snapshot_says_what_it_is(shared):
    opened = latentlab.load(shared / "sg3t_32.pkl")
    assert opened.kind == "stylegan3-t-nvidia"
    assert list(opened.networks) == ["G_ema", "G", "D"]
    assert opened.config == StyleGAN3Config(
        32, channel_base=512, channel_max=24, z_dim=64, w_dim=64
    )
    assert opened.discriminator.config.conv_clamp == 256
    assert not equal_weights(opened.generator, opened.raw_generator)
    assert opened.metadata["training_set"]["path"] == "/data/sg3t_32.zip"


def test_a_genuine_snapshot_survives_saving(shared, tmp_path):
    opened = latentlab.load(shared / "sg3t_32.pkl")
    opened.generator.synthesis.input.set_transform(torch.diag(torch.tensor([-1.0, 1.0, 1.0])))
    latentlab.save(opened, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors")
    assert again.kind == "stylegan3-native"
    assert again.config == opened.config
    assert all(equal_weights(again.networks[k], n) for k, n in opened.networks.items())
    assert torch.equal(images_of(again.generator), images_of(opened.generator))


@pytest.mark.parametrize(
    ("settings", "kind"), [({}, "stylegan3-t-nvidia"), (RADIAL, "stylegan3-r-nvidia")]
)
def test_both_configs_open(settings, kind, write, tmp_path):
    g, d = make_stylegan3(**settings), make_discriminator(conv_clamp=256)
    other = make_stylegan3(seed=1, **settings)
    kwargs = {**GENERATOR, **settings}
    path = write(g, kwargs, G=Persistent(other, "Generator", (), kwargs),
                 D=Persistent(d, "Discriminator", (), DISCRIMINATOR))  # fmt: skip
    opened = latentlab.load(path)
    assert opened.kind == kind
    assert opened.config == g.config
    assert equal_weights(opened.generator, g)
    assert equal_weights(opened.raw_generator, other)
    assert equal_weights(opened.discriminator, d)
    weights = {key: value.double().numpy() for key, value in g.state_dict().items()}
    ws = opened.generator.mapping(torch.eye(6)[:2])
    expected = reference.synthesis(weights, ws.double().numpy(), opened.config)
    np.testing.assert_allclose(opened.generator.synthesis(ws), expected, atol=IMAGE, rtol=0)
    latentlab.save(opened, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors")
    assert torch.equal(images_of(again.generator), images_of(g))


def test_an_official_state_dict_opens(tmp_path):
    g = make_stylegan3(**RADIAL)
    tensors = {f"G_ema.{key}": value for key, value in g.state_dict().items()}
    config = {"G_ema": {**GENERATOR, **RADIAL}}
    save_file(tensors, tmp_path / "x.safetensors", {"config": json.dumps(config)})
    opened = latentlab.load(tmp_path / "x.safetensors")
    assert opened.kind == "stylegan3-r-nvidia"
    assert torch.equal(images_of(opened.generator), images_of(g))


def test_labels(write):
    g = make_stylegan3(c_dim=3)
    opened = latentlab.load(write(g, {**GENERATOR, "c_dim": 3}))
    labels = torch.eye(3)[:2]
    assert torch.equal(images_of(opened.generator, labels), images_of(g, labels))


def test_arguments_by_position(write):
    g = make_stylegan3()
    rest = {k: v for k, v in GENERATOR.items() if k not in {"z_dim", "c_dim", "w_dim"}}
    assert equal_weights(latentlab.load(write(g, rest, args=(6, 0, 5))).generator, g)


def test_a_discriminator_is_limited_as_this_release_does_by_default(write):
    """ADA's release has no limit where none is given; this one has 256, and None is a choice."""
    d = make_discriminator()
    for given, held in (({}, 256), ({"conv_clamp": None}, None), ({"conv_clamp": 8}, 8)):
        part = Persistent(d, "Discriminator", (), {**DISCRIMINATOR, **given})
        opened = latentlab.load(write(make_stylegan3(), GENERATOR, D=part))
        assert opened.discriminator.config.conv_clamp == held


# What does not fit.


def check_refused(path, *words):
    with scarce_memory(), pytest.raises(UnsupportedCheckpoint) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (str(path), "G_ema", *words) if word not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warmth": 1}, "unknown setting warmth"),
        ({"synthesis_kwargs": {"channel_base": 64}}, "unknown setting synthesis_kwargs"),
        ({"mapping_kwargs": {"embed_features": 4}}, "unknown setting embed_features"),
        ({"mapping_kwargs": [2]}, "named settings"),
        ({"img_resolution": 24}, "resolution"),
        ({"num_layers": 10**6}, "num_layers"),
        ({"num_critical": 4}, "num_critical"),
        ({"margin_size": 10**6}, "margin_size"),
        ({"filter_size": 10**6}, "filter_size"),
        ({"first_cutoff": 1e300}, "first_cutoff"),
        ({"conv_kernel": "3"}, "conv_kernel"),
        ({"channel_base": 2**30, "channel_max": 8192, "num_layers": 64}, "weights"),
    ],
)
def test_arguments_that_do_not_fit_are_named(changes, words, write):
    check_refused(write(make_stylegan3(), {**GENERATOR, **changes}), words)


@pytest.mark.parametrize("field", ["num_layers", "margin_size", "use_radial_filters"])
def test_a_native_file_whose_settings_do_not_fit_is_refused(field, tmp_path):
    path = tmp_path / "x.safetensors"
    latentlab.save(make_stylegan3(), path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    networks = json.loads(header["__metadata__"]["networks"])
    networks["G_ema"]["config"][field] = -1
    header["__metadata__"]["networks"] = json.dumps(networks)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + size :])
    check_refused(path, field)


def test_weights_of_another_config_are_named(write):
    path = write(make_stylegan3(), {**GENERATOR, **RADIAL})
    shapes = r"L0_16_6\.weight has shape \[6, 6, 3, 3\], not \[6, 6, 1, 1\]"
    with pytest.raises(latentlab.CheckpointError, match=f"G_ema: weights do not fit: .*{shapes}"):
        latentlab.load(path)


def test_weights_of_stylegan2_do_not_pass_for_stylegan3(write):
    """The names of the weights decide, and StyleGAN2 has no cutoffs."""
    check_refused(write(make_generator(), GENERATOR), "unknown setting first_cutoff")
