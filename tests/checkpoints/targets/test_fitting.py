"""Which networks another code base can hold, and what is said of those that it cannot."""

from dataclasses import replace

import pytest
import torch

from latentlab import UnsupportedCheckpoint
from latentlab.checkpoints.exporting import written_for
from latentlab.checkpoints.systems.translation import (
    ForeignWeights,
    Rule,
    only_one,
    reshaped,
    scaled,
)
from latentlab.checkpoints.targets.fitting import named_back, plain
from latentlab.checkpoints.targets.nvidia import base_of
from latentlab.networks.config import channels_at
from latentlab.networks.stylegan1_config import StyleGAN1Config, StyleGAN1DiscriminatorConfig
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan1_discriminator,
    make_stylegan3,
)

AS_ROSINALITY = {"z_dim": 5, "shared_noise": True, "instance_norm_epsilon": 1e-5,
                 "blurred_bias": True}  # fmt: skip


def sg2(**changes):
    return lambda: {"G_ema": make_generator(**{"z_dim": 5, **changes})}


def sg1(**changes):
    return lambda: {"G_ema": make_stylegan1(**{"z_dim": 5, **changes})}


def growing(lod):
    def make():
        g = make_stylegan1(z_dim=5)
        g.synthesis.lod.fill_(lod)
        return {"G_ema": g}

    return make


REFUSED = [
    ("rosinality", sg2(c_dim=3), ["c_dim is 3", "no labels"]),
    ("rosinality", sg2(architecture="resnet"), ["architecture is 'resnet'", "skip kind"]),
    ("rosinality", sg2(z_dim=6), ["z_dim is 6", "as long as w"]),
    ("rosinality", sg2(layer_features=9), ["layer_features is 9"]),
    ("rosinality", sg2(resample_filter=(1.0, 2.0, 1.0)), ["resample_filter", "1, 3, 3, 1"]),
    ("rosinality", sg2(normalize_latents=False), ["normalize_latents is False"]),
    ("rosinality", sg2(c_dim=3, z_dim=6), ["c_dim is 3", "z_dim is 6"]),
    ("rosinality", sg2(skip_filter="bilinear"), ["skip_filter is 'bilinear'", "`approximate`"]),
    ("rosinality", sg1(), ["shared_noise is False", "instance_norm_epsilon is 1e-08",
                           "blurred_bias is False", "`approximate`"]),
    ("rosinality", sg1(**{**AS_ROSINALITY, "c_dim": 2}), ["c_dim is 2"]),
    ("rosinality", sg1(**{**AS_ROSINALITY, "pixel_norm": True}), ["pixel_norm is True"]),
    ("rosinality", sg1(**{**AS_ROSINALITY, "styles": False}), ["styles is False"]),
    ("rosinality", sg1(**{**AS_ROSINALITY, "negative_slope": 0.1}), ["negative_slope is 0.1"]),
    ("rosinality", sg1(**{**AS_ROSINALITY, "blur_filter": None}), ["blur_filter is None"]),
    ("rosinality", growing(1.5), ["lod is 1.5", "growing"]),
    ("yuuho", growing(0.25), ["lod is 0.25", "growing"]),
    ("yuuho", sg2(), ["skip_filter is 'fir'", "bilinearly", "`approximate`"]),
    ("yuuho", sg2(skip_filter="bilinear", c_dim=2), ["c_dim is 2", "no labels"]),
    ("yuuho", sg1(shared_noise=True), ["shared_noise is True", "noise map each"]),
    ("yuuho", sg1(const_input=False), ["const_input is False"]),
    ("nvidia-state", sg2(channel_table=(5, 3, 4)), ["channel_table is (5, 3, 4)", "base"]),
    ("nvidia-state", sg2(c_dim=2, label_input="concat"), ["label_input is 'concat'"]),
    ("nvidia-state", sg2(architecture="orig", growing=True), ["growing is True"]),
    ("nvidia-state", sg2(skip_filter="bilinear"), ["skip_filter is 'bilinear'"]),
    ("nvidia-state", lambda: {"D": make_discriminator(resolution=4)}, ["resolution is 4"]),
    ("nvidia-state", lambda: {"D": make_discriminator(c_dim=2, label_output="sum")},
     ["label_output is 'sum'"]),
    ("nvidia-state", lambda: {"D": make_discriminator(fc_features=9)}, ["fc_features is 9"]),
    ("nvidia-state", sg1(), ["StyleGAN1", "StyleGAN2 and StyleGAN3"]),
    ("nvidia-state", lambda: {"G_ema": make_progan()}, ["Progressive GAN"]),
    ("rosinality", lambda: {"G_ema": make_progan()}, ["Progressive GAN"]),
    ("yuuho", lambda: {"G_ema": make_stylegan3()}, ["StyleGAN3"]),
    ("rosinality", lambda: {"D": make_discriminator()}, ["no generator"]),
    ("yuuho", lambda: {"D": make_discriminator()}, ["no generator"]),
    ("yuuho", lambda: {}, ["holds nothing"]),
]  # fmt: skip


@pytest.mark.parametrize(("to", "make", "words"), REFUSED)
def test_what_other_code_does_not_have_is_refused_by_the_name_of_the_setting(to, make, words):
    with pytest.raises(UnsupportedCheckpoint) as caught:
        written_for(make(), to, "model.pkl", approximate=False)
    message = str(caught.value)
    assert [word for word in ("model.pkl: ", *words) if word not in message] == [], message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize(("to", "make"), [
    ("rosinality", sg2(skip_filter="bilinear")), ("yuuho", sg2()), ("rosinality", sg1()),
    ("nvidia-state", sg2(skip_filter="bilinear")),
])  # fmt: skip
def test_what_is_nearly_the_same_is_written_when_asked_for_and_told(to, make):
    written = written_for(make(), to, "x", approximate=True)
    assert any(note.startswith("Not the same over there: ") for note in written.notes)


def test_a_setting_that_no_weight_makes_up_for_is_refused_even_then():
    with pytest.raises(UnsupportedCheckpoint, match="c_dim is 2") as caught:
        written_for(sg2(c_dim=2, skip_filter="bilinear")(), "rosinality", "x", approximate=True)
    assert caught.value.advice == ()


@pytest.mark.parametrize("networks", [
    lambda: {"G_ema": make_generator(z_dim=5), "D": make_discriminator(architecture="skip")},
    lambda: {"G_ema": make_generator(z_dim=5), "D": make_discriminator(c_dim=2)},
    lambda: {"G_ema": make_generator(z_dim=5), "D": make_discriminator(mbstd_num_channels=2)},
    lambda: {"G_ema": make_stylegan1(**AS_ROSINALITY), "D": make_stylegan1_discriminator()},
])  # fmt: skip
def test_a_discriminator_that_does_not_fit_is_left_out_and_named(networks):
    written = written_for(networks(), "rosinality", "x", approximate=False)
    assert list(written.networks) == ["G_ema"]
    assert any(note.startswith("D is left out. D: cannot be") for note in written.notes)


def test_two_means_of_w_are_told():
    g, other = make_generator(z_dim=5), make_generator(z_dim=5, seed=1)
    written = written_for({"G": other, "G_ema": g}, "rosinality", "x", approximate=False)
    assert torch.equal(written.content["latent_avg"], g.mapping.w_avg)
    assert any("one mean of w" in note for note in written.notes)


# The rules that read a file write it, too.


def test_rules_are_turned_round():
    rules = {
        "one": Rule("a", only_one),
        "gain": Rule("b", scaled(3)),
        "flat": Rule("c", reshaped(2, theirs=(1, 2, 1, 1))),
        "same": Rule("d"),
    }
    found = {"a": torch.rand(1, 3), "b": torch.rand(4), "c": torch.rand(1, 2, 1, 1),
             "d": torch.rand(2)}  # fmt: skip
    ours = ForeignWeights({**found}, "x").translate(rules)
    filters = {"e": torch.ones(1)}
    again = named_back(rules, ours, filters)
    assert again.keys() == {*found, "e"}
    for name, tensor in found.items():
        assert again[name].shape == tensor.shape
        torch.testing.assert_close(again[name], tensor, atol=1e-7, rtol=0)


def test_a_rule_without_a_way_back_is_an_error_of_ours():
    with pytest.raises(TypeError, match="c: its rule knows no way back"):
        named_back({"x": Rule("c", lambda tensor: tensor)}, {"x": torch.ones(1)}, {})


# Configs of the same computation are equal.


@pytest.mark.parametrize(("first", "second"), [
    (StyleGAN2Config(32, label_input="concat", channel_base=1024),
     StyleGAN2Config(32, channel_table=(256, 128, 64, 32), layer_features=512)),
    (StyleGAN2Config(8, architecture="resnet", skip_filter="bilinear"),
     StyleGAN2Config(8, architecture="resnet")),
    (StyleGAN2Config(8, mapping_layers=1, layer_features=7), StyleGAN2Config(8, mapping_layers=1)),
    (StyleGAN2DiscriminatorConfig(8, fc_features=512, mapping_layers=3, cmap_dim=4),
     StyleGAN2DiscriminatorConfig(8, clamps_last_rgb=True, label_output="sum")),
    (StyleGAN1Config(8, fused_from=128, pixel_norm_epsilon=1e-4),
     StyleGAN1Config(8, fused_from=None, mapping_negative_slope=0.2)),
    (StyleGAN1DiscriminatorConfig(8, widens_first=True), StyleGAN1DiscriminatorConfig(8)),
    (StyleGAN2Config(8, resample_filter=(2.0, 6.0, 6.0, 2.0)), StyleGAN2Config(8)),
])  # fmt: skip
def test_fields_without_a_part_do_not_count(first, second):
    assert plain(first) == plain(second)


@pytest.mark.parametrize("change", [
    {"c_dim": 1}, {"w_dim": 5}, {"conv_clamp": 3.0}, {"skip_filter": "bilinear"},
    {"channel_max": 7}, {"use_noise": False}, {"layer_features": 7}, {"mapping_layers": 3},
])  # fmt: skip
def test_fields_with_a_part_count(change):
    config = StyleGAN2Config(8)
    assert plain(replace(config, **change)) != plain(config)


@pytest.mark.parametrize(("base", "most", "top"), [
    (32768, 512, 1024), (16384, 512, 256), (1000, 40, 64), (130, 7, 8), (4096, 8192, 4),
])  # fmt: skip
def test_a_base_is_found_where_there_is_one(base, most, top):
    sizes = [4 * 2**i for i in range(top.bit_length() - 2)]
    table = [channels_at(size, base, most) for size in sizes]
    found_most, found = base_of(table)
    assert [channels_at(size, found, found_most) for size in sizes] == table
