"""What single TensorFlow releases have otherwise, defaults that are told, and native copies."""

import numpy as np
import pytest
import torch

import latentlab
from tests.checkpoints.systems.tensorflow.test_options import (
    ADA,
    REVISED,
    TRADITIONAL,
    check,
    check_images,
    title,
)
from tests.support.tensorflow.pickles import (
    Network,
    OriginalNetwork,
    make_discriminator,
    make_generator,
    write_pickle,
)


def test_the_first_release_of_progressive_gan(tmp_path, monkeypatch):
    """Its class has another name, its upsampling weights another order, its D says labels too."""
    g, z, c, images = make_generator("G_paper", label_size=3, lod=0.5)
    variables = dict(g.state["variables"])
    for name in [name for name in variables if name.endswith("Conv0_up/weight")]:
        variables[name] = np.ascontiguousarray(variables[name].transpose(0, 1, 3, 2))
    first = OriginalNetwork("G_paper", variables, g.state["static_kwargs"], version=2)
    d, x, _, scores = make_discriminator("D_paper", label_size=3)
    variables = dict(d.state["variables"])
    weight, bias = variables["4x4/Dense1/weight"], variables["4x4/Dense1/bias"]
    variables["4x4/Dense1/weight"] = np.concatenate([weight] * 4, axis=1)
    variables["4x4/Dense1/weight"][:, 1:] += 1
    variables["4x4/Dense1/bias"] = np.concatenate([bias] * 4)
    second = OriginalNetwork("D_paper", variables, d.state["static_kwargs"], version=2)
    path = write_pickle(tmp_path / "x.pkl", (first, second, first), monkeypatch, protocol=2)
    checkpoint = check_images("G_paper", {}, path, z, c, images)
    check(checkpoint.discriminator.double()(torch.from_numpy(x)), scores, "D_paper", {})
    assert "other outputs are left aside" in checkpoint.metadata["notes"][0]
    assert list(checkpoint.networks) == ["G_ema", "D"]  # the same network twice is one


@pytest.mark.parametrize("protocol", [2, 3, 5])
@pytest.mark.parametrize("function", ["G_style", "G_main"])
def test_every_protocol_gives_the_same_weights(function, protocol, tmp_path, monkeypatch):
    """The releases write the highest protocol there is: 5 since Python 3.8."""
    d, *_ = make_discriminator("D_stylegan" if function == "G_main" else "D_basic")
    found = (make_generator(function)[0], d)
    usual = latentlab.load(write_pickle(tmp_path / "4.pkl", found, monkeypatch))
    path = write_pickle(tmp_path / "x.pkl", found, monkeypatch, protocol)
    assert (b"_frombuffer" in path.read_bytes()) == (protocol == 5)
    other = latentlab.load(path)
    assert other.kind == usual.kind
    for name, network in usual.networks.items():
        weights = other.networks[name].state_dict()
        for key, value in network.state_dict().items():
            assert torch.equal(weights[key], value), key


def test_outputs_and_inputs_of_comparison_methods_are_left_aside(tmp_path, monkeypatch):
    """ADA's release compared itself with rotations told by D, and with bits given to it."""
    d, x, _, scores = make_discriminator("D_main")
    variables = dict(d.state["variables"])
    kwargs = {**d.state["static_kwargs"], "score_max": 5, "use_pagan": True, "pagan_num": 16}
    noise = np.random.RandomState(0).randn(8, 4).astype(np.float32)
    variables["Output/weight"] = np.concatenate([variables["Output/weight"], noise], axis=1)
    variables["Output/bias"] = np.concatenate([variables["Output/bias"], noise[0]])
    variables["16x16/FromRGB/PAGAN/weight"] = np.ones([16, 3], np.float32)
    found = (Network("D_main", variables, kwargs), make_generator()[0])
    checkpoint = latentlab.load(write_pickle(tmp_path / "x.pkl", found, monkeypatch))
    check(checkpoint.discriminator.double()(torch.from_numpy(x)), scores, "D_main", {})
    assert len(checkpoint.metadata["notes"]) == 2


def test_noise_maps_without_content_are_no_noise(tmp_path, monkeypatch):
    g, z, c, images = make_generator("G_style", use_noise=False)
    own = g.part("synthesis")["variables"]
    own += [(f"noise{i}", np.zeros([1, 0, 4, 4], np.float32)) for i in range(6)]
    path = write_pickle(tmp_path / "x.pkl", g, monkeypatch)
    assert check_images("G_style", {}, path, z, c, images).generator.synthesis.noise_layers == []


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        ("G_style", {}, {"psi": 0.7, "cutoff": 8}),
        ("G_style", {"truncation_psi": 0.5, "truncation_cutoff": 4}, {"psi": 0.5, "cutoff": 4}),
        ("G_style", {"truncation_psi": 1}, {"psi": 1.0, "cutoff": 8}),
        ("G_style", {"truncation_psi": None}, {"psi": None, "cutoff": 8}),
        ("G_style", {"truncation_cutoff": None}, {"psi": None, "cutoff": None}),
        ("G_style", {"truncation_cutoff": 0}, {"psi": None, "cutoff": None}),
        ("G_main", {}, {"psi": 0.5, "cutoff": None}),
        ("G_main", {"truncation_cutoff": 4}, {"psi": 0.5, "cutoff": 4}),
        ("G_main", {"truncation_psi": None, "truncation_cutoff": 4}, {"psi": None, "cutoff": 4}),
        ("G_paper", {}, None),
        ("G_main", {"truncation_cutoff": 0}, {"psi": None, "cutoff": None}),
        ("G_main", {"truncation_psi": None}, {"psi": None, "cutoff": None}),
        ("G_main", {"truncation_psi": 1.0}, {"psi": 1.0, "cutoff": None}),
        ("G_main", {**ADA, "truncation_psi": 0.8}, {"psi": 0.8, "cutoff": None}),
    ],
)
def test_default_truncation_is_told(function, options, expected, tmp_path, monkeypatch):
    g, *_ = make_generator(function, **options)
    checkpoint = latentlab.load(write_pickle(tmp_path / "x.pkl", g, monkeypatch))
    assert checkpoint.metadata.get("truncation") == expected


def test_arguments_of_training_are_accepted(tmp_path, monkeypatch):
    training = {"dlatent_avg_beta": 0.99, "style_mixing_prob": None, "truncation_psi_val": None,
                "truncation_cutoff_val": None, "randomize_noise": False}  # fmt: skip
    g, z, c, images = make_generator("G_style", **training)
    check_images("G_style", {}, write_pickle(tmp_path / "x.pkl", g, monkeypatch), z, c, images)
    training["fused_modconv"] = False
    g, z, c, images = make_generator("G_main", **training)
    check_images("G_main", {}, write_pickle(tmp_path / "x.pkl", g, monkeypatch), z, c, images)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("G_style", {"label_size": 3, "lod": 1.5}),
        ("G_style", {**TRADITIONAL, "nonlinearity": "relu"}),
        ("G_main", {"architecture": "resnet", "fmap_decay": 0.7}),
        ("G_main", {**REVISED, "lod": 0.5}),
        ("G_main", {**ADA, "label_size": 3, "conv_clamp": 0.5}),
        ("G_paper", {"label_size": 3, "pixelnorm_epsilon": 1e-4}),
    ],
    ids=title,
)
def test_saving_and_loading_gives_bit_equal_images(function, options, tmp_path, monkeypatch):
    g, z, c, _ = make_generator(function, **options)
    first = latentlab.load(write_pickle(tmp_path / "x.pkl", g, monkeypatch))
    latentlab.save(first, tmp_path / "x.safetensors")
    again = latentlab.load(tmp_path / "x.safetensors")
    assert again.config == first.config
    z, c = torch.from_numpy(z), torch.from_numpy(c) if c.shape[1] else None
    assert torch.equal(again.generator(z, c), first.generator(z, c))


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("D_basic", {"lod": 1.5}), ("D_paper", {"fused_scale": False}),
        ("D_stylegan", {"lod": 0.5, "label_size": 3}), ("D_stylegan2", {"architecture": "skip"}),
        ("D_main", {"conv_clamp": 0.5, "architecture": "skip", "label_size": 3}),
    ],
    ids=title,
)  # fmt: skip
def test_saving_and_loading_gives_bit_equal_scores(function, options, tmp_path, monkeypatch):
    d, x, c, _ = make_discriminator(function, **options)
    first = latentlab.load(write_pickle(tmp_path / "x.pkl", d, monkeypatch))
    assert first.kind == "classifier-tf"
    latentlab.save(first, tmp_path / "x.safetensors")
    classifier = latentlab.load_classifier(tmp_path / "x.safetensors")
    x, c = torch.from_numpy(x).float(), torch.from_numpy(c) if c.shape[1] else None
    assert torch.equal(classifier(x, c), first.classifier(x, c))
