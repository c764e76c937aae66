"""Bare state dicts of NVIDIA's releases: read off their shapes, or asked for."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError, UnsupportedCheckpoint
from tests.conftest import make_discriminator, make_generator, make_stylegan3
from tests.support.tolerances import IMAGE

RATE = {"mapping_lr_multiplier": 0.01}
PLAIN = {**RATE, "conv_clamp": None}


@pytest.fixture
def opened(tmp_path):
    """Save what a file holds, and open it."""

    def run(found, **assume):
        torch.save(found, tmp_path / "state.pt")
        return latentlab.load(tmp_path / "state.pt", assume=assume or None)

    return run


def weights_of(network):
    return dict(network.state_dict())


# What the shapes show.


@pytest.mark.parametrize("changes", [
    {}, {"architecture": "resnet"}, {"architecture": "orig"}, {"c_dim": 3}, {"channels": 1},
    {"resolution": 4}, {"channel_base": 64, "channel_max": 512}, {"channel_table": (3, 5, 2)},
    {"mapping_layers": 0, "z_dim": 5}, {"mapping_layers": 1}, {"mapping_layers": 4},
    {"c_dim": 3, "embed_features": 7}, {"layer_features": 9}, {"use_noise": False},
    {"resample_filter": (1.0, 2.0, 1.0)}, {"resample_filter": (1.0, 2.0, 3.0, 4.0)},
    {"channels": 4, "c_dim": 1},
], ids=str)  # fmt: skip
def test_stylegan2_is_described_by_its_shapes(changes, opened):
    g = make_generator(**changes)
    found = opened(weights_of(g), **PLAIN)
    assert found.kind == "stylegan2-ada"
    labels = torch.eye(g.c_dim)[:1] if g.c_dim else None
    z = torch.ones(1, g.z_dim)
    assert torch.equal(found.generator(z, labels), g(z, labels))
    for field in ("z_dim", "w_dim", "c_dim", "resolution", "channels", "architecture"):
        assert getattr(found.config, field) == getattr(g.config, field)
    if "resample_filter" not in changes and "channel_table" not in changes:
        expected = {**vars(g.config)}
        # Equal feature maps are described by the smallest numbers that give them.
        for field in ("channel_base", "channel_max"):
            expected[field] = getattr(found.config, field)
        if changes.get("embed_features") is None and changes.get("mapping_layers", 2) > 1:
            assert vars(found.config) == expected


@pytest.mark.parametrize("changes", [
    {}, {"architecture": "skip"}, {"architecture": "orig"}, {"c_dim": 3}, {"channels": 1},
    {"c_dim": 3, "cmap_dim": 6}, {"mbstd_num_channels": 0}, {"mbstd_num_channels": 2},
    {"channel_table": (4, 6, 2)}, {"resolution": 4}, {"c_dim": 2, "mapping_layers": 3},
], ids=str)  # fmt: skip
def test_discriminators_are_described_by_their_shapes(changes, opened):
    d = make_discriminator(**changes)
    c_dim, channels = d.config.c_dim, d.config.channels
    g = make_generator(c_dim=c_dim, channels=channels, resolution=d.config.resolution)
    found = opened({"g_ema": weights_of(g), "D": weights_of(d)}, **PLAIN)
    assert list(found.networks) == ["G_ema", "D"]
    labels = torch.eye(c_dim)[:1].repeat(2, 1) if c_dim else None
    images = torch.randn(2, channels, d.config.resolution, d.config.resolution)
    assert torch.equal(found.discriminator(images, labels), d(images, labels))


@pytest.mark.parametrize("changes", [
    {}, {"conv_kernel": 1, "use_radial_filters": True}, {"c_dim": 3}, {"channels": 1},
    {"channel_max": 6}, {"channel_base": 2**20}, {"num_layers": 6},
    {"mapping_layers": 1}, {"margin_size": 4}, {"num_critical": 1},
], ids=str)  # fmt: skip
def test_stylegan3_is_described_by_its_layers(changes, opened):
    g = make_stylegan3(**changes)
    own = {name: changes[name] for name in ("margin_size", "num_critical") if name in changes}
    usual = {name: getattr(g.config, name) for name in GEOMETRY}
    found = opened(weights_of(g), **RATE, **{**usual, **own})
    letter = "r" if changes.get("use_radial_filters") else "t"
    assert found.kind == f"stylegan3-{letter}-nvidia"
    labels = torch.eye(g.c_dim)[:1] if g.c_dim else None
    z = torch.ones(1, g.z_dim)
    assert torch.equal(found.generator(z, labels), g(z, labels))


GEOMETRY = ("first_cutoff", "first_stopband", "last_stopband_rel", "margin_size", "num_critical",
            "filter_size", "output_scale", "conv_clamp", "lrelu_upsampling")  # fmt: skip


# Genuine ones.


@pytest.mark.parametrize("name", ["ada_skip_32", "ada_cond_32", "sg3t_32"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_genuine_state_dicts_give_the_reference(name, wrapped, shared, opened):
    snapshot = latentlab.load(shared / f"{name}.pkl")
    weights = weights_of(snapshot.generator)
    assume = RATE if name == "sg3t_32" else PLAIN
    found = opened({"g_ema": weights} if wrapped else weights, **assume)
    assert found.config == snapshot.config
    ref = np.load(shared / f"{name}_ref.npz")
    z, c = torch.from_numpy(ref["z"]).float(), None
    if "c" in ref.files and ref["c"].size:
        c = torch.from_numpy(ref["c"])
    image = found.generator(z, c)
    assert torch.equal(image, snapshot.generator(z, c))
    expected = ref["img_const"] if "img_const" in ref.files else ref["img"]
    np.testing.assert_allclose(image, expected, atol=IMAGE, rtol=0)


def test_the_file_of_a_report_is_recognised_and_opens(shared, tmp_path):
    path = shared / "reports" / "ada_state_dict.pt"
    with pytest.raises(UnsupportedCheckpoint, match=r"mapping_lr_multiplier .* usually 0\.01"):
        latentlab.load(path)
    found = latentlab.load(path, assume=RATE)
    assert found.kind == "stylegan2-ada"
    assert found.generator.resolution == 16
    (note,) = found.metadata["notes"]
    assert "mapping_lr_multiplier 0.01, conv_clamp 256" in note
    latentlab.save(found, tmp_path / "whole.safetensors")
    again = latentlab.load(tmp_path / "whole.safetensors")
    z = torch.ones(1, found.generator.z_dim)
    assert torch.equal(again.generator(z), found.generator(z))


# What they do not show.


def test_the_rate_of_the_mapping_network_counts(opened):
    g = make_generator(mapping_lr_multiplier=1.0)
    with pytest.raises(UnsupportedCheckpoint, match="mapping_lr_multiplier"):
        opened(weights_of(g))
    right = opened(weights_of(g), mapping_lr_multiplier="1", conv_clamp="none").generator
    usual = opened(weights_of(g), **PLAIN).generator
    z = torch.ones(1, 6)
    assert torch.equal(right(z), g(z))
    assert not torch.allclose(usual(z), g(z))


def test_the_limit_of_activations_counts(opened):
    g = make_generator(conv_clamp=0.5)
    z = torch.ones(1, 6)
    assert torch.equal(opened(weights_of(g), **RATE, conv_clamp=0.5).generator(z), g(z))


def test_only_what_the_file_has_is_asked_for(opened):
    weights = weights_of(make_generator())
    with pytest.raises(SettingsError, match="one of mapping_lr_multiplier, conv_clamp;"):
        opened(weights, mbstd_group_size=4, **RATE)
    found = {"g_ema": weights, "D": weights_of(make_discriminator())}
    d = opened(found, mbstd_group_size="none", **RATE).discriminator
    assert d.config.mbstd_group_size is None


def test_a_snapshot_says_everything(shared):
    with pytest.raises(SettingsError, match="`assume` must be left out"):
        latentlab.load(shared / "ada_skip_32.pkl", assume=RATE)
    with pytest.raises(SettingsError, match="`assume` must be left out"):
        latentlab.load(shared / "ros2_32.pt", assume=RATE)
    with pytest.raises(SettingsError, match="`assume` must be left out"):
        latentlab.load(shared / "sg2_skip_32.pkl", assume=RATE)
    with pytest.raises(SettingsError, match="`assume` must be left out"):
        latentlab.load("builtin:digits-stylegan2", assume=RATE)


# Damaged and unfit ones.


@pytest.mark.parametrize("name", [
    "mapping.w_avg", "synthesis.b16.torgb.bias", "mapping.fc1.bias", "synthesis.b8.conv0.weight",
    "synthesis.b16.torgb.weight", "synthesis.b4.conv1.noise_const",
])  # fmt: skip
def test_missing_weights_are_named(name, opened):
    weights = weights_of(make_generator())
    del weights[name]
    with pytest.raises(CheckpointError, match=r"state\.pt: G_ema: "):
        opened(weights, **RATE)


@pytest.mark.parametrize(("name", "value"), [
    ("synthesis.b4.conv1.weight", torch.ones(3)), ("mapping.fc0.weight", torch.ones(5, 0)),
    ("mapping.fc0.weight", torch.ones(5)), ("mapping.embed.weight", torch.ones(9, 9)),
    ("synthesis.b4.resample_filter", torch.zeros(4, 4)), ("extra.weight", torch.ones(1)),
    ("synthesis.b4.resample_filter", torch.full((4, 4), float("nan"))), ("mapping.w_avg", 3),
    ("synthesis.b4.resample_filter", torch.ones(0)), ("synthesis.b32.conv0.weight", torch.ones(2)),
    ("synthesis.b4.conv1.affine.weight", torch.ones(8, 70_000)),
])  # fmt: skip
def test_weights_that_do_not_fit_are_refused(name, value, opened):
    with pytest.raises(CheckpointError, match=r"state\.pt: G_ema: "):
        opened({**weights_of(make_generator()), name: value}, **RATE)


@pytest.mark.parametrize("rename", [
    lambda name: name.replace("L3_", "L99_"), lambda name: name.replace("L0_", "L1_"),
    lambda name: name.replace("L2_", "L02_"), lambda name: name.replace("L1_", "L1_9"),
])  # fmt: skip
def test_layers_that_no_stylegan3_has(rename, opened):
    weights = {rename(name): tensor for name, tensor in weights_of(make_stylegan3()).items()}
    with pytest.raises(CheckpointError, match=r"state\.pt: G_ema: "):
        opened(weights, **RATE)


def test_other_settings_of_the_layers_are_asked_for(opened):
    g = make_stylegan3(margin_size=4)
    with pytest.raises(UnsupportedCheckpoint, match=r"margin_size.* with `assume`"):
        opened(weights_of(g), **RATE)


def test_a_strange_discriminator_is_left_aside(opened):
    d = {"layer.0.weight": torch.ones(2)}
    found = opened({"g_ema": weights_of(make_generator()), "D": d}, **RATE)
    assert list(found.networks) == ["G_ema"]
    assert "The discriminator is left aside" in found.metadata["notes"][-1]
    damaged = weights_of(make_discriminator()) | {"b4.fc.bias": torch.ones(1)}
    with pytest.raises(CheckpointError, match=r"D: .*b4\.fc\.bias"):
        opened({"g_ema": weights_of(make_generator()), "D": damaged}, **RATE)
