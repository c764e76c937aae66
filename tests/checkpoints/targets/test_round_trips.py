"""From format to format and back: the images stay."""

from dataclasses import replace

import pytest
import torch

import latentlab
from latentlab import TuningSettings, apply_tuning, perceptual_distance, tune
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_stylegan1,
    make_stylegan1_discriminator,
    make_stylegan3,
)

# Of the largest value, or of 1 where that is less. Weights that get other names alone give the same
# bits; another rate of the mapping, folded into its weights, rounds them once: measured 4e-7.
CLOSE = 1e-6
# The same where all weights of a StyleGAN1 take rosinality's gains: measured 9.7e-7. Weights that
# come from such a file give the same bits, see test_genuine.
GAINS = 3e-6

SUFFIX = {"rosinality": "pt", "yuuho": "pth", "nvidia-state": "pt", "safetensors": "safetensors"}
ROS, YUUHO, STATE, OURS = SUFFIX
AS_ROSINALITY = {"z_dim": 5, "shared_noise": True, "instance_norm_epsilon": 1e-5,
                 "blurred_bias": True, "mapping_lr_multiplier": 1.0}  # fmt: skip
AS_YUUHO = {"z_dim": 5, "skip_filter": "bilinear"}


def sg2(**changes):
    return lambda: make_generator(**{"z_dim": 5, **changes})


def sg1(**changes):
    return lambda: make_stylegan1(**{"z_dim": 5, **changes})


def tuned():
    """A generator whose weights a tuning has moved."""
    g = make_generator(z_dim=5, resolution=32)
    ws = g.mapping(torch.ones(1, 5))
    distance = perceptual_distance("builtin:digits")
    photo = torch.zeros(1, 3, 32, 32)
    change = tune(g, ws, None, photo, distance, "0" * 64, settings=TuningSettings(steps=2))
    moved = apply_tuning(g, change, change.base_sha256)
    assert not torch.equal(moved(torch.ones(1, 5)), g(torch.ones(1, 5)))
    return moved


TRIPS = {
    "StyleGAN2": (sg2(), [ROS]),
    "StyleGAN2, grey": (sg2(channels=1), [ROS]),
    "StyleGAN2, four channels": (sg2(channels=4), [ROS, STATE]),
    "StyleGAN2, a table of channels": (sg2(channel_table=(7, 3, 5)), [ROS, OURS, ROS]),
    "StyleGAN2, w of 13": (sg2(z_dim=13, w_dim=13), [ROS, STATE, OURS]),
    "StyleGAN2, another rate": (sg2(mapping_lr_multiplier=0.3), [ROS, STATE]),
    "StyleGAN2, one mapping layer": (sg2(mapping_layers=1), [ROS]),
    "StyleGAN2, no mapping": (sg2(mapping_layers=0), [ROS, STATE]),
    "StyleGAN2, no noise": (sg2(use_noise=False), [ROS]),
    "StyleGAN2, limited activations": (sg2(conv_clamp=256.0), [STATE, ROS]),
    "StyleGAN2, 4 px": (sg2(resolution=4), [ROS, STATE]),
    "StyleGAN2, labels": (sg2(c_dim=3), [STATE, OURS, STATE]),
    "StyleGAN2, wide embedding": (
        sg2(c_dim=3, embed_features=7, layer_features=9, mapping_layers=3), [STATE]),
    "StyleGAN2, resnet": (sg2(architecture="resnet"), [STATE]),
    "StyleGAN2, orig and no noise": (sg2(architecture="orig", use_noise=False), [STATE]),
    "StyleGAN2, another filter": (sg2(resample_filter=(1.0, 2.0, 1.0, 3.0)), [STATE, OURS]),
    "StyleGAN2, z of 6 and grey": (sg2(z_dim=6, channels=1), [STATE]),
    "StyleGAN2, tuned": (tuned, [ROS, STATE, OURS, ROS]),
    "StyleGAN2 of yuuho": (sg2(**AS_YUUHO), [YUUHO, OURS, YUUHO]),
    "StyleGAN2 of yuuho, grey": (sg2(**AS_YUUHO, channels=1), [YUUHO]),
    "StyleGAN2 of yuuho, another rate": (sg2(**AS_YUUHO, mapping_lr_multiplier=1.0), [YUUHO]),
    "StyleGAN2 of yuuho, no noise": (sg2(**AS_YUUHO, use_noise=False), [YUUHO]),
    "StyleGAN1": (sg1(), [YUUHO, OURS, YUUHO]),
    "StyleGAN1, no mapping": (sg1(mapping_layers=0), [YUUHO, OURS]),
    "StyleGAN1, no noise": (sg1(use_noise=False), [YUUHO]),
    "StyleGAN1 of rosinality, no mapping": (sg1(**AS_ROSINALITY, mapping_layers=0), [ROS]),
    "StyleGAN1 of rosinality, no noise": (sg1(**AS_ROSINALITY, use_noise=False), [ROS]),
    "StyleGAN1, grey": (sg1(channels=1), [YUUHO]),
    "StyleGAN1, fused": (sg1(fused_from=8), [YUUHO]),
    "StyleGAN1, never fused": (sg1(fused_from=None), [YUUHO]),
    "StyleGAN1, not growing": (sg1(growing=False), [YUUHO]),
    "StyleGAN1, a table of channels": (sg1(channel_table=(3, 6, 4), w_dim=9, z_dim=9), [YUUHO]),
    "StyleGAN1 of rosinality": (sg1(**AS_ROSINALITY), [ROS, OURS, ROS]),
    "StyleGAN1 of rosinality, grey": (sg1(**AS_ROSINALITY, channels=1, fused_from=None), [ROS]),
    "StyleGAN1 of rosinality, fused": (sg1(**AS_ROSINALITY, fused_from=16), [ROS, OURS]),
    "StyleGAN1 of rosinality, another rate": (
        sg1(**{**AS_ROSINALITY, "mapping_lr_multiplier": 0.01}), [ROS]),
    "StyleGAN1 of rosinality, not growing": (
        sg1(**AS_ROSINALITY, growing=False, channel_table=(3, 6, 4)), [ROS]),
    "StyleGAN3": (lambda: make_stylegan3(), [STATE, OURS, STATE]),
    "StyleGAN3, labels and radial filters": (
        lambda: make_stylegan3(c_dim=2, use_radial_filters=True, conv_kernel=1), [STATE]),
}  # fmt: skip


def travelled(source, stations, folder):
    """Write a checkpoint in one format after the other, opening each file before the next."""
    for i, to in enumerate(stations):
        exported = latentlab.export(source, folder / f"{i}.{SUFFIX[to]}", to)
        source = latentlab.load(exported.path)
    return source


def images(g, noise_mode):
    z = torch.randn(4, g.z_dim, generator=torch.Generator().manual_seed(1))
    c = torch.eye(max(g.c_dim, 1))[[0] * 4] if g.c_dim else None
    return g(z, c, truncation_psi=0.7, noise_mode=noise_mode)


@pytest.mark.parametrize("name", TRIPS)
def test_images_are_the_same_after_the_way(name, tmp_path):
    make, stations = TRIPS[name]
    g = make()
    again = travelled(g, [*stations, OURS], tmp_path).generator
    assert (again.resolution, again.channels, again.c_dim) == (g.resolution, g.channels, g.c_dim)
    keeps_noise = not hasattr(g.config, "styles") or ROS not in stations
    if not keeps_noise:  # nor the mean of w
        again.mapping.w_avg.copy_(g.mapping.w_avg)
    mode = "const" if keeps_noise else "none"
    first, last = images(g, mode), images(again, mode)
    assert first.std() > 0.01
    bound = (CLOSE if keeps_noise else GAINS) * max(1.0, float(first.abs().max()))
    torch.testing.assert_close(last, first, atol=bound, rtol=0)


def test_there_are_twenty_and_more():
    assert len(TRIPS) >= 20
    assert {to for _, stations in TRIPS.values() for to in stations} == set(SUFFIX)


# Scores: the discriminator goes the same way.

DISCRIMINATORS = {
    "StyleGAN2": (sg2(), lambda: make_discriminator(), [ROS, STATE]),
    "StyleGAN2, grey": (
        sg2(channels=1), lambda: make_discriminator(channels=1, fc_features=9), [ROS, OURS]),
    "StyleGAN2, labels": (
        sg2(c_dim=3), lambda: make_discriminator(c_dim=3, cmap_dim=4, mapping_layers=2), [STATE]),
    "StyleGAN2, skip": (
        sg2(), lambda: make_discriminator(architecture="skip", mbstd_num_channels=2), [STATE]),
    "StyleGAN3": (lambda: make_stylegan3(), lambda: make_discriminator(conv_clamp=256.0), [STATE]),
    "StyleGAN1 of rosinality": (
        sg1(**AS_ROSINALITY),
        lambda: make_stylegan1_discriminator(
            mbstd_group_size=None, widens_first=True, channel_table=(4, 6, 3), fused_from=16),
        [ROS, OURS, ROS]),
    "StyleGAN1 of rosinality, RGB as it is": (
        sg1(**AS_ROSINALITY),
        lambda: make_stylegan1_discriminator(
            mbstd_group_size=None, widens_first=True, from_rgb_activation=False, growing=False),
        [ROS]),
}  # fmt: skip


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_scores_are_the_same_after_the_way(name, tmp_path):
    make_g, make_d, stations = DISCRIMINATORS[name]
    g, d = make_g(), make_d()
    first = tmp_path / "first.safetensors"
    latentlab.save(g, first)
    source = latentlab.load(first)
    source = replace(source, networks={**source.networks, "G": g, "D": d})
    again = travelled(source, stations, tmp_path)
    assert list(again.networks) == ["G_ema", "G", "D"]
    rng = torch.Generator().manual_seed(2)
    pictures = torch.randn(4, d.config.channels, 16, 16, generator=rng)
    c = torch.eye(3)[[0, 1, 2, 0]] if d.config.c_dim else None
    expected = d(pictures, c)
    assert expected.std() > 0
    bound = CLOSE * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(again.discriminator(pictures, c), expected, atol=bound, rtol=0)
