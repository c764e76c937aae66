"""TensorFlow pickles that are not opened: hostile ones, unknown networks, unfit arguments."""

import builtins
import sys

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from tests.support import attacks
from tests.support.attacks import plain
from tests.support.tensorflow.pickles import (
    EasyDict,
    Network,
    make_discriminator,
    make_generator,
    write_pickle,
)

ADA = {"synthesis_func": "G_synthesis"}


# C7 is a row of the project's list of attacks.


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_c07_the_source_text_is_never_run(protocol, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    g, *_ = make_generator()
    d, *_ = make_discriminator()
    for network in (g, d, g.state["components"]["mapping"]):
        network.state["build_module_src"] = f"open({str(marker)!r}, 'w')"
    path = write_pickle(tmp_path / "x.pkl", (g, d, g), monkeypatch, protocol)
    latentlab.load(path)  # whatever loading imports is there now

    def forbidden(*_):
        raise AssertionError("the checkpoint's source was run")

    before = set(sys.modules)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "exec", forbidden)
        patch.setattr(builtins, "eval", forbidden)
        opened = latentlab.load(path)
    assert set(sys.modules) == before
    assert not marker.exists()
    assert list(opened.networks) == ["G_ema", "D"]


def test_c07_the_source_may_be_missing_or_no_text(tmp_path, monkeypatch):
    g, *_ = make_generator()
    g.state["build_module_src"] = [b"x"]
    del g.part("mapping")["build_module_src"]
    assert latentlab.load(write_pickle(tmp_path / "x.pkl", g, monkeypatch)).kind == "stylegan1-tf"


# What a network is.


@pytest.mark.parametrize("name", ["vgg16_zhang_perceptual", "G_synthesis", "G_mapping", "x\n" * 99])
def test_unknown_functions_are_named(name, refuse):
    refuse(Network(name, {}, {}), UnsupportedCheckpoint, ascii(name)[1:-1][:30], "not known")


@pytest.mark.parametrize("name", [None, 7, b"G_style", ["G_style"], np.float32(1)])
def test_functions_that_are_no_text_are_refused(name, refuse):
    refuse(Network(name, {}, {}), UnsupportedCheckpoint, "not known")


def changed(function="G_style", options=None, **states):
    """A generator whose sub-networks have other states."""
    g, *_ = make_generator(function, **(options or {}))
    for part, values in states.items():
        g.part(part).update(values)
    return g


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (changed(synthesis={"build_func_name": "G_synthesis_other"}), ["G_synthesis_other"]),
        (changed(mapping={"build_func_name": "G_mapping_other"}), ["G_mapping_other"]),
        (changed("G_main", synthesis={"build_func_name": "G_style"}), ["unknown sub-networks"]),
        (changed("G_main", synthesis={"build_func_name": 3}), ["unknown sub-networks"]),
        (changed("G_main", {"synthesis_func": "G_synthesis_stylegan_revised"},
                 synthesis={"build_func_name": "G_synthesis_stylegan2"}), ["synthesis_func"]),
        (changed(synthesis={"static_kwargs": {"resolution": 32}}),
         ["synthesis: resolution is '32', and '16'"]),
        (changed(mapping={"static_kwargs": {"warmth": 1}}), ["unknown setting warmth"]),
    ],
)  # fmt: skip
def test_sub_networks_that_disagree_are_refused(found, words, refuse):
    refuse(found, UnsupportedCheckpoint, *words)


def test_sub_networks_must_be_two_networks(refuse):
    for parts in ({}, {"synthesis": Network("G_synthesis", {}, {})}, {"mapping": 1, "more": 2}):
        g, *_ = make_generator()
        g.state["components"] = EasyDict(parts)
        refuse(g, CheckpointError)
    for parts in (None, 3, [1]):
        g.state["components"] = parts
        refuse(g, CheckpointError, "not in a dict")
    g, *_ = make_generator()
    g.state["components"]["mapping"] = {"build_func_name": "G_mapping"}
    refuse(g, CheckpointError, "mapping: not a network")
    d, *_ = make_discriminator()
    d.state["components"]["synthesis"] = make_generator()[0]
    refuse(d, UnsupportedCheckpoint, "not known")


def test_odd_objects_in_place_of_names_are_refused(refuse):
    """None of them is looked into far: deep ones would end the process, arrays have no truth."""
    deep = b"]" * 50_000 + b"a" * 49_999
    array = attacks.array()
    for odd in (deep, array, attacks.NETWORK + b")\x81", plain(2**900)):
        for field in ("build_func_name", "components", "static_kwargs", "variables", "name"):
            state = {"build_func_name": "D_basic", "static_kwargs": {}, "components": {}}
            refuse(attacks.finish(attacks.network(**{**state, field: odd})), CheckpointError)
        inner = attacks.network(build_func_name=odd, components=odd)
        for parts in ({"synthesis": inner, "mapping": inner}, {"synthesis": odd, 3: odd}):
            state = {"build_func_name": "G_style", "static_kwargs": {}, "components": parts}
            refuse(attacks.finish(attacks.network(**state)), CheckpointError)


def test_networks_within_themselves_are_refused(refuse):
    g, *_ = make_generator()
    g.state["components"]["synthesis"] = g
    refuse(g, UnsupportedCheckpoint, "unknown sub-networks")
    g, *_ = make_generator()
    g.state["components"]["mapping"] = g.state["components"]["synthesis"]
    refuse(g, UnsupportedCheckpoint, "unknown sub-networks")
    g, *_ = make_generator()
    g.part("mapping")["components"] = EasyDict(mapping=g.state["components"]["mapping"])
    refuse(g, UnsupportedCheckpoint, "unknown sub-networks")


def test_two_networks_may_not_share_a_part(refuse):
    first, second = make_generator()[0], make_generator()[0]
    second.state["components"]["mapping"] = first.state["components"]["mapping"]
    refuse((first, second), CheckpointError, "mapping: the variables are not a list")


@pytest.mark.parametrize("count", [(3, 0), (1, 2), (0, 2), (2, 2)])
def test_other_numbers_of_networks_are_refused(count, refuse):
    generators, discriminators = count
    found = [make_generator(seed=i)[0] for i in range(generators)]
    found += [make_discriminator(seed=i)[0] for i in range(discriminators)]
    refuse(tuple(found), UnsupportedCheckpoint, "expected a generator or two")


@pytest.mark.parametrize("change", [
    {"build_func_name": "D_of_a_fork"}, {"static_kwargs": {"attention": True}},
], ids=["function", "setting"])  # fmt: skip
def test_a_discriminator_of_a_stranger_is_left_aside(change, tmp_path, monkeypatch):
    g, d = make_generator(seed=1)[0], make_discriminator()[0]
    write_pickle(tmp_path / "g.pkl", g, monkeypatch)
    d.state |= change
    write_pickle(tmp_path / "x.pkl", (g, d, g), monkeypatch)
    opened, alone = (latentlab.load(tmp_path / name) for name in ("x.pkl", "g.pkl"))
    assert opened.discriminator is None
    assert opened.metadata["ignored"] == ["D"]
    assert opened.metadata["notes"][-1].startswith("The discriminator is left aside")
    for name, weight in alone.generator.state_dict().items():
        assert torch.equal(opened.generator.state_dict()[name], weight)


def test_a_strange_generator_is_refused_beside_a_sound_discriminator(refuse):
    g, d = make_generator()[0], make_discriminator()[0]
    g.state["static_kwargs"] = {"attention": True}
    refuse((g, d), UnsupportedCheckpoint, "attention")


def test_roles_follow_order_and_names(tmp_path, monkeypatch):
    g, _, _, _ = make_generator(seed=1)
    gs, _, _, _ = make_generator(seed=2)
    d, *_ = make_discriminator()
    g.state["name"], gs.state["name"] = "G", "Gs"
    path = tmp_path / "x.pkl"
    for found, names in (
        ((g, d, gs), ["G_ema", "G", "D"]), ((g, gs), ["G_ema", "G"]), ((g, d), ["G", "D"]),
        ((d, gs), ["G_ema", "D"]), ((gs,), ["G_ema"]), (g, ["G_ema"]), (d, ["classifier"]),
        ((d,), ["classifier"]),
    ):  # fmt: skip
        opened = latentlab.load(write_pickle(path, found, monkeypatch))
        assert list(opened.networks) == names
    w_mean = latentlab.load(write_pickle(path, (g, d, gs), monkeypatch)).generator.w_mean
    assert np.array_equal(w_mean, dict(gs.state["variables"])["dlatent_avg"])


def test_tuples_of_other_things_are_refused(refuse):
    refuse((make_generator()[0], 3), UnsupportedCheckpoint, "not a StyleGAN checkpoint")
    refuse((), UnsupportedCheckpoint, "not a StyleGAN checkpoint")
    refuse([make_generator()[0]], UnsupportedCheckpoint, "not a StyleGAN checkpoint")


def test_networks_without_content_are_refused(refuse):
    empty = attacks.NETWORK + b")\x81"
    refuse(attacks.finish(empty), CheckpointError, "without content")
    refuse(attacks.finish(attacks.network()), CheckpointError)
    refuse(attacks.finish(attacks.network(build_func_name="D_basic")), CheckpointError, "arguments")
    refuse(
        attacks.finish(attacks.network(build_func_name="D_basic", static_kwargs={})),
        CheckpointError, "classifier: the variables are not a list",
    )  # fmt: skip


# Arguments.


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        ("G_style", {"warmth": 1, "depth": 2}, ["unknown setting depth, warmth"]),
        ("G_style", {"is_training": True}, ["is_training"]),
        ("G_style", {"resolution": 48}, ["`resolution`", "power of two"]),
        ("G_style", {"resolution": 2}, ["`resolution`"]),
        ("G_style", {"resolution": 65536}, ["`resolution`"]),
        ("G_style", {"resolution": "16"}, ["`resolution`"]),
        ("G_style", {"resolution": 16.0}, ["`resolution`"]),
        ("G_style", {"resolution_w": 32, "resolution_h": 16}, ["not square: 16x32"]),
        ("G_style", {"label_size": -1}, ["`label_size`"]),
        ("G_style", {"num_channels": 0}, ["`num_channels`"]),
        ("G_style", {"latent_size": None}, ["`latent_size`"]),
        ("G_style", {"fmap_base": 0}, ["`fmap_base`"]),
        ("G_style", {"fmap_base": 1e300}, ["`fmap_base`"]),
        ("G_style", {"fmap_decay": 99}, ["`fmap_decay`"]),
        ("G_style", {"fmap_max": 10**6}, ["`fmap_max`"]),
        ("G_style", {"fmap_base": 10**7, "fmap_max": 8192, "resolution": 1024}, ["weights"]),
        ("G_style", {"mapping_layers": 10**6}, ["`mapping_layers`"]),
        ("G_style", {"mapping_layers": 0}, ["`w_dim`"]),
        ("G_style", {"mapping_lrmul": 0}, ["`mapping_lrmul`"]),
        ("G_style", {"nonlinearity": "tanh"}, ["`nonlinearity` must be lrelu or relu"]),
        ("G_style", {"use_noise": 3}, ["`use_noise`"]),
        ("G_style", {"use_styles": None}, ["`use_styles`"]),
        ("G_style", {"fused_scale": "always"}, ["`fused_scale`"]),
        ("G_style", {"structure": "odd"}, ["`structure`"]),
        ("G_style", {"structure": None}, ["`structure`"]),
        ("G_style", {"blur_filter": [[1, 2], [2, 4]]}, ["`blur_filter`"]),
        ("G_style", {"blur_filter": [1, -1]}, ["`blur_filter`", "sum not 0"]),
        ("G_style", {"dtype": "float64"}, ["`dtype`"]),
        ("G_style", {"truncation_psi": "0.7"}, ["`truncation_psi`"]),
        ("G_style", {"truncation_cutoff": 0.5}, ["`truncation_cutoff`"]),
        ("G_main", {"nonlinearity": "relu"}, ["`nonlinearity` must be lrelu"]),
        ("G_main", {"mapping_nonlinearity": "relu"}, ["`mapping_nonlinearity`"]),
        ("G_main", {"architecture": "unet"}, ["`architecture`"]),
        ("G_main", {"use_noise": False}, ["unknown setting use_noise"]),
        ("G_main", {"resample_kernel": "box"}, ["`resample_kernel`"]),
        ("G_main", {"synthesis_func": "G_synthesis_stylegan_revised", "architecture": "skip"},
         ["unknown setting architecture"]),
        ("G_main", {**ADA, "conv_clamp": -1}, ["`conv_clamp`"]),
        ("G_main", {**ADA, "fmap_const": 4}, ["`fmap_const`"]),
        ("G_main", {**ADA, "label_size": 3, "normalize_latents": False}, ["`normalize_latents`"]),
        ("G_paper", {"fused_scale": "auto"}, ["`fused_scale`"]),
        ("G_paper", {"pixelnorm_epsilon": 0}, ["`pixelnorm_epsilon`"]),
        ("G_paper", {"use_styles": True}, ["unknown setting use_styles"]),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(function, options, words, refuse):
    g, *_ = make_generator(function, **({"synthesis_func": options["synthesis_func"]}
                                        if "synthesis_func" in options else {}))  # fmt: skip
    for network in (g, *g.state["components"].values()):
        network.state["static_kwargs"] = {**network.state["static_kwargs"], **{
            key: value for key, value in options.items()
            if network is g or key in network.state["static_kwargs"]
        }}  # fmt: skip
    refuse(g, UnsupportedCheckpoint, *words, where="G_ema: ")


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        ("D_basic", {"mbstd_group_size": -1}, ["`mbstd_group_size`"]),
        ("D_basic", {"mbstd_num_features": 3}, ["`mbstd_num_channels`"]),
        ("D_basic", {"architecture": "skip"}, ["unknown setting architecture"]),
        ("D_stylegan2", {"conv_clamp": 1}, ["unknown setting conv_clamp"]),
        ("D_stylegan", {"architecture": "resnet"}, ["unknown setting architecture"]),
        ("D_main", {"augment_strength": 1}, ["unknown setting augment_strength"]),
        ("D_main", {"score_size": 2}, ["`score_size`"]),
        ("D_main", {"mapping_layers": -1}, ["`mapping_layers`"]),
    ],
)
def test_arguments_of_discriminators_that_do_not_fit_are_named(function, options, words, refuse):
    d, *_ = make_discriminator(function)
    d.state["static_kwargs"] = {**d.state["static_kwargs"], **options}
    refuse(d, UnsupportedCheckpoint, *words, where="classifier: ")


@pytest.mark.parametrize(
    "arguments", [None, 3, [1], {"a b": 1}, {"resolution": b"x"}, {"resolution": [[[[[[[[1]]]]]]]]},
                  {"resolution": float("nan")}, {"resolution": list(range(9000))}],
)  # fmt: skip
def test_arguments_that_are_not_plain_are_refused(arguments, refuse):
    d, *_ = make_discriminator()
    d.state["static_kwargs"] = arguments
    refuse(d, CheckpointError)
