from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from latentlab import SettingsError
from latentlab.checkpoints.assemble import build_network
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.training.presets import CONFIGS, ImageFormat, named_config
from latentlab.training.schedule import Growth

LARGE = ImageFormat(1024, 3, 0)


@pytest.mark.parametrize(("name", "base", "gamma"), [("e", 16384, 100.0), ("f", 32768, 10.0)])
def test_stylegan2_without_growth(name, base, gamma):
    config = named_config(f"stylegan2-{name}", ImageFormat(256, 3, 0))
    assert (config.generator.channel_base, config.discriminator.channel_base) == (base, base)
    assert (config.loss, config.r1_gamma, config.r1_interval) == ("logistic", gamma, 16)
    assert (config.path_length_weight, config.path_length_interval) == (2.0, 4)
    assert (config.batch, config.learning_rate, config.ema_kimg) == (32, 0.002, 10.0)
    assert (config.mixing_probability, config.w_mean_decay) == (0.9, 0.995)
    assert (config.path_length_decay, config.path_length_batch_shrink) == (0.01, 2)
    assert config.generator.architecture == "skip"
    assert config.discriminator.architecture == "resnet"
    assert config.growth is None


@pytest.mark.parametrize(
    ("name", "r1_interval", "path_length_weight"), [("b", 1, 0.0), ("c", 16, 0.0), ("d", 16, 2.0)]
)
def test_stylegan2_that_grows(name, r1_interval, path_length_weight):
    config = named_config(f"stylegan2-{name}", LARGE)
    assert config.growth == named_config("stylegan1", LARGE).growth
    assert (config.r1_interval, config.path_length_weight) == (r1_interval, path_length_weight)
    assert (config.r1_gamma, config.learning_rate) == (10.0, 0.001)
    assert not config.discriminator_first
    for network in (config.generator, config.discriminator):
        assert (network.architecture, network.growing) == ("orig", True)
        assert network.channel_base == 16384
    assert config.generator.label_input == "concat"
    assert config.discriminator.label_output == "sum"


@pytest.mark.parametrize(("name", "first"), [("stylegan1", True), ("stylegan2-a", False)])
def test_stylegan1_networks(name, first):
    config = named_config(name, LARGE)
    assert config.generator == StyleGAN1Config(1024, 3, 0)
    assert config.discriminator == StyleGAN1DiscriminatorConfig(1024, 3, 0)
    assert config.discriminator_first == first
    assert (config.loss, config.r1_gamma, config.r1_interval) == ("logistic", 10.0, 1)
    assert (config.path_length_weight, config.mixing_probability) == (0.0, 0.9)
    assert config.growth == Growth(
        8, 600, 600,
        batches=((4, 512), (8, 256), (16, 128), (32, 64)),
        learning_rates=((128, 0.0015), (256, 0.002), (512, 0.003), (1024, 0.003)),
    )  # fmt: skip


def test_stylegan1_with_the_other_loss_learns_no_faster_than_for_celeba_hq():
    config = named_config("stylegan1-wgan", LARGE)
    assert (config.loss, config.r1_gamma) == ("wgan-gp", 0.0)
    rates = dict(config.growth.learning_rates)
    usual = dict(named_config("stylegan1", LARGE).growth.learning_rates)
    assert rates == {size: min(rate, 0.002) for size, rate in usual.items()}


def test_progressive_gan():
    config = named_config("progan", LARGE)
    assert config.generator == ProGANConfig(1024, 3, 0)
    assert (config.discriminator.blur_filter, config.discriminator.fused_from) == (None, 8)
    assert config.discriminator.mbstd_group_size == 16
    assert (config.loss, config.gradient_penalty_weight, config.drift_weight) == (
        "wgan-gp", 10.0, 0.001,
    )  # fmt: skip
    assert (config.ema_decay, config.learning_rate) == (0.999, 0.001)
    kimg = {0: 16, 800: 16, 8800: 16, 9601: 14, 11201: 6, 12801: 3, 20000: 3}
    assert {at: config.phase(at * 1000).batch for at in kimg} == kimg


# What Table 1 adds from row to row (Karras et al. 2019): B is the traditional generator, C has
# styles and a mapping network, D a constant for z, E noise, F mixing.
TABLE_1 = {
    "b": {"styles": False, "instance_norm": False, "pixel_norm": True, "const_input": False,
          "use_noise": False, "mapping_layers": 0},
    "c": {"const_input": False, "use_noise": False},
    "d": {"use_noise": False},
    "e": {},
    "f": {},
}  # fmt: skip


@pytest.mark.parametrize("letter", list(TABLE_1))
def test_the_rows_of_stylegans_table_1(letter):
    config, whole = (named_config(f"stylegan1{end}", LARGE) for end in (f"-{letter}", ""))
    assert config.generator == StyleGAN1Config(1024, 3, 0, **TABLE_1[letter])
    assert config.mixing_probability == (0.9 if letter == "f" else 0.0)
    same = replace(config, name="stylegan1", generator=whole.generator, mixing_probability=0.9)
    assert same == whole


def test_the_first_row_is_a_progressive_gan_trained_as_the_others():
    config, whole = named_config("stylegan1-a", LARGE), named_config("stylegan1-f", LARGE)
    assert config.generator == ProGANConfig(1024, 3, 0)
    assert config.discriminator == replace(whole.discriminator, blur_filter=None, fused_from=8)
    assert config.growth == replace(whole.growth, start_resolution=4)
    assert (config.loss, config.r1_gamma, config.gradient_penalty_weight) == ("wgan-gp", 0, 10)
    assert (config.batch, config.learning_rate) == (whole.batch, whole.learning_rate)
    assert (config.ema_kimg, config.ema_decay, config.discriminator_first) == (10, None, True)


def test_small_configs_are_of_one_size():
    two, one, pro = (
        named_config(f"{name}-small", ImageFormat(32, 3, 0))
        for name in ("stylegan2", "stylegan1", "progan")
    )
    for config in (one, pro):
        for network, other in (
            (config.generator, two.generator),
            (config.discriminator, two.discriminator),
        ):
            assert [network.feature_maps(r) for r in (4, 8, 16, 32)] == [
                other.feature_maps(r) for r in (4, 8, 16, 32)
            ]
        assert config.generator.z_dim == two.generator.z_dim
        assert config.phase(320_000).lod == 0
        assert config.ema_kimg == two.ema_kimg
    assert one.growth == Growth(8, 80, 80)


@pytest.mark.parametrize("name", list(CONFIGS))
@pytest.mark.parametrize("images", [ImageFormat(4, 1, 0), ImageFormat(8, 3, 2),
                                    ImageFormat(32, 1, 7), LARGE])  # fmt: skip
def test_a_config_takes_the_format_of_the_data(name, images):
    if images.resolution > 512 and name.endswith("small"):
        images = ImageFormat(512, 3, 0)
    config = named_config(name, images)
    with torch.device("meta"):
        for network in (config.generator, config.discriminator):
            assert (network.resolution, network.channels, network.c_dim) == (
                images.resolution, images.channels, images.c_dim,
            )  # fmt: skip
            assert build_network(network).config == network
    assert config.phase(10**9).lod == 0
    assert (config.growth is not None) == config.generator.growing


@pytest.mark.parametrize("name", list(CONFIGS))
def test_path_lengths_are_stylegan2s_alone(name):
    config = named_config(name, ImageFormat(32, 3, 0))
    assert config.path_length_weight == 0 or isinstance(config.generator, StyleGAN2Config)


def test_an_unknown_config_is_named():
    with pytest.raises(SettingsError, match="stylegan2-f"):
        named_config("stylegan9", ImageFormat(32, 3, 0))


def test_pictures_too_large_for_a_small_config_are_refused():
    with pytest.raises(SettingsError, match="stylegan1-small is not for pictures of 2048x2048"):
        named_config("stylegan1-small", ImageFormat(2048, 3, 0))


def test_path_lengths_of_other_networks_are_refused():
    with pytest.raises(SettingsError, match="path length"):
        replace(named_config("progan", ImageFormat(32, 3, 0)), path_length_weight=2.0)


def test_a_schedule_for_networks_that_do_not_grow_is_refused():
    with pytest.raises(SettingsError, match="do not grow"):
        replace(named_config("stylegan2-f", ImageFormat(32, 3, 0)), growth=Growth())


def test_a_gamma_beside_the_gradient_penalty_is_refused():
    with pytest.raises(SettingsError, match="leave `gamma` out"):
        named_config("progan", ImageFormat(32, 3, 0)).changed(r1_gamma=3.0)


def test_the_help_names_the_configs():
    said = " ".join(CliRunner().invoke(main, ["train", "--help"]).stdout.split())
    # "stylegan2-a to stylegan2-f"
    in_between = {f"stylegan{n}-{letter}" for n in (1, 2) for letter in "bcde"}
    assert [name for name in CONFIGS if name not in in_between and name not in said] == []
