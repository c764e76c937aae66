"""Every option of the published TensorFlow networks, against tf_stylegan1 and tf_stylegan2."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import latentlab
from latentlab.checkpoints.systems.tensorflow.arguments import DEFAULTS, Arguments
from latentlab.checkpoints.systems.tensorflow.config import (
    progan_discriminator,
    progan_generator,
    stylegan1_discriminator,
    stylegan1_generator,
)
from latentlab.training.presets import ImageFormat, named_config
from tests.support.tensorflow.pickles import make_discriminator, make_generator, write_pickle
from tests.support.tolerances import CONVERTED, FLOAT64

TRADITIONAL = {
    "use_styles": False, "const_input_layer": False, "use_noise": False, "use_pixel_norm": True,
    "use_instance_norm": False, "truncation_psi": None,
}  # fmt: skip
STYLEGAN1 = [
    {},
    {"label_size": 3},
    {"lod": 1.5},
    {"lod": 2.0, "structure": "recursive"},
    {"lod": 0.25, "structure": "linear", "fused_scale": True},
    {"structure": "fixed", "lod": 1.5},
    {"structure": "fixed", "resolution": 4},
    {"fused_scale": True},
    {"fused_scale": False},
    {"blur_filter": None},
    {"blur_filter": []},
    {"blur_filter": [1]},
    {"blur_filter": [1, 3, 3, 1]},
    {"blur_filter": [1, 2, 5]},
    {"nonlinearity": "relu"},
    {"mapping_nonlinearity": "relu"},
    {"nonlinearity": "relu", "mapping_nonlinearity": "relu"},
    {"use_wscale": False},
    {"use_wscale": False, **TRADITIONAL},
    {"use_noise": False},
    {"use_noise": 1},
    {"use_pixel_norm": True},
    {"use_instance_norm": False},
    {"use_pixel_norm": True, "use_instance_norm": False, "use_styles": False},
    {"const_input_layer": False},
    {"const_input_layer": False, "mapping_layers": 0, "dlatent_size": 6},
    TRADITIONAL,
    {**TRADITIONAL, "mapping_layers": 8},
    {**TRADITIONAL, "mapping_layers": 0, "dlatent_size": 6},
    {**TRADITIONAL, "mapping_layers": 0, "dlatent_size": 12, "label_size": 3},
    {**TRADITIONAL, "lod": 0.75, "fused_scale": True},
    {"const_input_layer": False, "use_noise": False, "style_mixing_prob": 0.0},
    {"use_noise": False, "style_mixing_prob": 0.0},
    {"mapping_layers": 0, "dlatent_size": 6},
    {"mapping_layers": 1},
    {"mapping_lrmul": 1.0},
    {"normalize_latents": False, "label_size": 2},
    {"fmap_decay": 0.7},
    {"fmap_decay": 1.3, "fmap_max": 6},
    {"fmap_base": 25},
    {"num_channels": 1},
    {"resolution": 8},
    {"truncation_psi": 0.5, "truncation_cutoff": 3},
    {"resolution_w": 16, "resolution_h": 16},
]
# How the release's own training script switches from one row of Table 1 to the next.
TABLE_1 = {
    "b": {**TRADITIONAL, "mapping_layers": 0, "style_mixing_prob": 0.0},
    "c": {"const_input_layer": False, "style_mixing_prob": 0.0, "use_noise": False},
    "d": {"style_mixing_prob": 0.0, "use_noise": False},
    "e": {"style_mixing_prob": 0.0},
    "f": {},
}
ADA = {"synthesis_func": "G_synthesis"}
REVISED = {"synthesis_func": "G_synthesis_stylegan_revised"}
STYLEGAN2 = [
    *[{"architecture": architecture} for architecture in ("skip", "resnet", "orig")],
    {"label_size": 3},
    {"label_size": 3, "architecture": "orig"},
    {"resample_kernel": None},
    {"resample_kernel": [1, 2, 1], "architecture": "resnet"},
    {"resample_kernel": [1, 2, 5], "architecture": "resnet"},
    {"resample_kernel": [1, 3, 5, 5, 1, 1]},
    {"fmap_min": 5},
    {"fmap_min": 5, "architecture": "resnet"},
    {"fmap_decay": 0.7},
    {"num_channels": 1, "normalize_latents": False},
    {"truncation_psi": 0.7, "truncation_cutoff": 3},
    *[{**REVISED, "lod": lod} for lod in (0.0, 0.25, 1.0, 1.5, 2.0)],
    {**REVISED, "structure": "fixed", "lod": 1.5},
    {**REVISED, "label_size": 3, "resample_kernel": [1, 2, 1]},
    *[{**ADA, "architecture": architecture} for architecture in ("skip", "resnet", "orig")],
    {**ADA, "label_size": 3},
    {**ADA, "label_size": 3, "label_fmaps": 4, "mapping_fmaps": None},
    {**ADA, "use_noise": False},
    {**ADA, "conv_clamp": 0.5},
    {**ADA, "conv_clamp": 0.5, "architecture": "resnet", "num_fp16_res": 4},
    {**ADA, "fmap_const": 8, "normalize_latents": False},
]
PROGAN = [
    {},
    {"label_size": 3},
    {"lod": 1.5},
    {"fused_scale": False},
    {"fused_scale": False, "lod": 0.5, "label_size": 3},
    {"use_wscale": False},
    {"use_pixelnorm": False, "normalize_latents": False},
    {"pixelnorm_epsilon": 1e-4, "dtype": "float16"},
    {"use_leakyrelu": False},
    {"fmap_decay": 0.7, "num_channels": 1},
]
DISCRIMINATORS = [
    *[("D_basic", options) for options in (
        {}, {"label_size": 3}, {"lod": 1.5}, {"lod": 2.0}, {"structure": "fixed", "lod": 1.5},
        {"fused_scale": True}, {"fused_scale": True, "lod": 0.75}, {"blur_filter": None},
        {"blur_filter": [1, 2, 5]}, {"nonlinearity": "relu"}, {"use_wscale": False},
        {"mbstd_group_size": 0}, {"mbstd_group_size": 2}, {"mbstd_num_features": 2},
        {"fmap_decay": 0.7}, {"fmap_base": 6}, {"num_channels": 1}, {"resolution": 8},
    )],
    *[("D_paper", options) for options in (
        {}, {"label_size": 3}, {"lod": 1.5}, {"fused_scale": False},
        {"fused_scale": False, "lod": 0.5, "mbstd_group_size": 16}, {"use_wscale": False},
        {"mbstd_group_size": 1}, {"fmap_base": 6},
    )],
    *[("D_stylegan2", options) for options in (
        {}, {"architecture": "skip"}, {"architecture": "orig"}, {"label_size": 3},
        {"resample_kernel": None}, {"resample_kernel": [1, 2, 5], "architecture": "resnet"},
        {"mbstd_group_size": 1}, {"mbstd_group_size": 2, "mbstd_num_features": 2},
        {"fmap_min": 5, "fmap_decay": 1.3}, {"fmap_base": 6}, {"num_channels": 1},
    )],
    *[("D_stylegan", options) for options in (
        {}, {"lod": 0.25}, {"lod": 1.0}, {"lod": 1.5}, {"label_size": 3},
        {"structure": "fixed", "lod": 1.5}, {"resample_kernel": [1, 2, 1]},
    )],
    *[("D_main", options) for options in (
        {}, {"architecture": "skip"}, {"architecture": "orig"}, {"label_size": 3},
        {"label_size": 3, "mapping_layers": 2}, {"label_size": 3, "mapping_fmaps": 4},
        {"label_size": 3, "mapping_layers": 1, "mapping_lrmul": 1.0, "mapping_fmaps": 4},
        {"conv_clamp": 0.5, "architecture": "resnet"}, {"conv_clamp": 0.5, "architecture": "skip"},
        {"mbstd_num_features": 0}, {"mbstd_group_size": 2}, {"fmap_base": 6},
        {"freeze_layers": 3, "num_fp16_res": 4}, {"adaptive_dropout": 1},
        {"use_spectral_norm": True}, {"use_spectral_norm": True, "architecture": "orig"},
    )],
]  # fmt: skip


def title(options):
    if isinstance(options, str):
        return options
    return ",".join(f"{key}={value}" for key, value in options.items()) or "defaults"


def closeness(function, options):
    """How close float64 can come: some weights are rounded to float32 once more on the way."""
    folds = function in ("G_main", "D_main") or options.get("use_wscale") is False
    return CONVERTED if folds else FLOAT64


def check(ours, expected, function, options):
    tolerance = closeness(function, options)
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)
    assert np.ptp(expected) > 0.01


def check_images(function, options, path, z, c, expected):
    checkpoint = latentlab.load(path)
    g = checkpoint.generator.double()
    z, c = torch.from_numpy(z), torch.from_numpy(c) if c.shape[1] else None
    cutoff = checkpoint.metadata.get("truncation", {}).get("cutoff")
    for psi, images in zip((1.0, 0.7), expected, strict=False):
        ours = g(z, c, truncation_psi=psi, truncation_cutoff=cutoff)
        check(ours, images, function, options)
    return checkpoint


@pytest.mark.parametrize("options", STYLEGAN1, ids=title)
def test_stylegan1(options, tmp_path, monkeypatch):
    g, z, c, images = make_generator("G_style", **options)
    truncates = options.get("truncation_psi", 0.7) is not None
    path = write_pickle(tmp_path / "x.pkl", g, monkeypatch)
    shown = images if truncates else images[:1]
    checkpoint = check_images("G_style", options, path, z, c, shown)
    assert checkpoint.kind == "stylegan1-tf"
    assert (checkpoint.metadata["truncation"]["psi"] is not None) == truncates


@pytest.mark.parametrize("letter", list(TABLE_1))
def test_the_rows_of_table_1_are_what_training_makes(letter):
    ours = named_config(f"stylegan1-{letter}", ImageFormat(1024, 3, 0))
    read = stylegan1_generator(Arguments(TABLE_1[letter], DEFAULTS["G_style"]))
    assert replace(read, layer_features=None) == ours.generator  # 512 there, as wide as w here
    sizes = {"resolution": 1024, "num_channels": 3}
    read = stylegan1_discriminator(Arguments(sizes, DEFAULTS["D_basic"]))
    assert replace(read, fc_features=None) == ours.discriminator  # 512 as well


def test_the_first_row_of_table_1_is_the_releases_progressive_gan():
    ours = named_config("stylegan1-a", ImageFormat(1024, 3, 0))
    sizes = {"resolution": 1024, "num_channels": 3}
    read = progan_generator(Arguments(sizes, DEFAULTS["G_paper"]))
    assert read == ours.generator
    read = progan_discriminator(Arguments(sizes, DEFAULTS["D_paper"]))
    assert replace(read, fc_features=None) == ours.discriminator


@pytest.mark.parametrize("options", STYLEGAN2, ids=title)
def test_stylegan2(options, tmp_path, monkeypatch):
    g, z, c, images = make_generator("G_main", **options)
    path = write_pickle(tmp_path / "x.pkl", g, monkeypatch)
    assert check_images("G_main", options, path, z, c, images).kind == "stylegan2-tf"


@pytest.mark.parametrize("options", PROGAN, ids=title)
def test_progressive_gan(options, tmp_path, monkeypatch):
    g, z, c, images = make_generator("G_paper", **options)
    path = write_pickle(tmp_path / "x.pkl", g, monkeypatch)
    assert check_images("G_paper", options, path, z, c, images).kind == "progan-tf"


@pytest.mark.parametrize(("function", "options"), DISCRIMINATORS, ids=title)
def test_discriminators(function, options, tmp_path, monkeypatch):
    d, x, c, expected = make_discriminator(function, **options)
    g, *_ = make_generator()
    path = write_pickle(tmp_path / "x.pkl", (d, g), monkeypatch)
    ours = latentlab.load(path).discriminator.double()
    labels = torch.from_numpy(c) if c.shape[1] else None
    check(ours(torch.from_numpy(x), labels), expected, function, options)
