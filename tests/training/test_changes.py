from dataclasses import asdict

import pytest
import torch

from latentlab import SettingsError
from latentlab.checkpoints.assemble import build_network
from latentlab.datasets.pictures import DigitsDataset
from latentlab.networks.stylegan1_config import ProGANConfig
from latentlab.training.changes import NetworkChanges, with_mapping_layers
from latentlab.training.presets import CONFIGS, ImageFormat, named_config
from latentlab.training.trainer import Trainer
from tests.training.trainers import weights

SIZE = ImageFormat(32, 1, 0)
LABELLED = ImageFormat(32, 1, 10)
MAPPED = [name for name in CONFIGS
          if not isinstance(named_config(name, SIZE).generator, ProGANConfig)]  # fmt: skip


def trained(name, steps, images=SIZE, **changes):
    """A tiny trainer after some steps, from its config as it is named."""
    maps = {"channel_base": 128, "channel_max": 4}
    config = NetworkChanges(**maps, **changes).applied_to(named_config(name, images))
    dataset = DigitsDataset("train", channels=1, labels=images.c_dim > 0)
    trainer = Trainer(config.changed(batch=4), dataset)
    before = [value.clone() for value in weights(trainer)]
    losses = [trainer.run_step() for _ in range(steps)]
    return trainer, before, losses


@pytest.mark.parametrize("name", list(CONFIGS))
def test_nothing_asked_for_changes_nothing(name):
    config = named_config(name, SIZE)
    assert NetworkChanges().applied_to(config) == config
    assert config.changed() == config


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("images", [SIZE, LABELLED])
@pytest.mark.parametrize("layers", [0, 1, 8])
def test_any_generator_takes_any_number_of_mapping_layers(name, images, layers):
    generator = NetworkChanges(mapping_layers=layers).applied_to(named_config(name, images))
    with torch.device("meta"):
        g = build_network(generator.generator)
    assert sum(key.startswith("fc") for key in g.mapping.state_dict()) == 2 * layers
    beside = g.z_dim if layers == 0 and images.c_dim else 0
    assert g.w_dim == g.z_dim + beside
    again = with_mapping_layers(generator.generator, 8)
    assert again.w_dim == (g.w_dim if layers else g.z_dim)


@pytest.mark.parametrize("name", ["stylegan1-f", "stylegan2-small", "stylegan1-b"])
@pytest.mark.parametrize("images", [SIZE, LABELLED])
def test_without_layers_w_is_what_the_mapping_normalises(name, images):
    generator = NetworkChanges(mapping_layers=0).applied_to(named_config(name, images)).generator
    g = build_network(generator).double()
    z = torch.randn(3, g.z_dim, dtype=torch.float64)
    c = torch.eye(10, dtype=torch.float64)[:3] if images.c_dim else None
    w = g.mapping(z, c)[:, 0]
    together = c is not None and generator.label_input == "concat"
    parts = [w] if together else w.split(g.z_dim, dim=1)
    for part in parts:
        torch.testing.assert_close(part.square().mean(dim=1), torch.ones(3).double(), atol=1e-6,
                                   rtol=0)  # fmt: skip
    angle = torch.cosine_similarity(w[:, : g.z_dim], z)
    torch.testing.assert_close(angle, torch.ones(3).double(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("images", [SIZE, LABELLED])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("stylegan1-b", {"mapping_layers": 2}),  # "traditional", with a mapping network
        ("stylegan1-f", {"mapping_layers": 0}),
        ("stylegan2-small", {"mapping_layers": 0}),  # path lengths without a weight before w
        ("stylegan2-small", {"generator_architecture": "orig",
                             "discriminator_architecture": "skip"}),
        ("stylegan2-small", {"generator_architecture": "resnet",
                             "discriminator_architecture": "orig"}),
    ],
)  # fmt: skip
def test_changed_networks_train(name, changes, images):
    trainer, before, losses = trained(name, 2, images, **changes)
    assert all(abs(value) < 1e6 for step in losses for value in step.values())
    moved = [not torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True)]
    assert sum(moved) > 10
    if trainer.config.path_length_weight > 0:
        assert losses[0]["path_length"] > 0


def test_mixing_is_left_out_where_nothing_can_be_mixed():
    config = named_config("stylegan1-f", SIZE)
    assert config.mixing(0.5).mixing_probability == 0.5
    assert named_config("stylegan1-b", SIZE).mixing(0.0).mixing_probability == 0.0
    changed = {key for key, value in asdict(config.mixing(0.5)).items()
               if value != asdict(config)[key]}  # fmt: skip
    assert changed == {"mixing_probability"}


@pytest.mark.parametrize("name", ["stylegan1-a", "stylegan1-b", "progan-small"])
def test_mixing_of_one_latent_is_refused(name):
    with pytest.raises(SettingsError, match="no styles to mix; leave `mixing_probability` out"):
        named_config(name, SIZE).mixing(0.1)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_probability_is_within_0_and_1(share):
    with pytest.raises(SettingsError, match="`mixing_probability` must be 0 to 1"):
        named_config("stylegan1-f", SIZE).mixing(share)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("stylegan1-a", {"mapping_layers": 8}, "has no mapping network.*stylegan1-b"),
        ("stylegan1-f", {"mapping_layers": -1}, "`mapping_layers` must be a whole number"),
        ("stylegan1-f", {"generator_architecture": "skip"}, "a setting of StyleGAN2's networks"),
        ("progan", {"discriminator_architecture": "orig"}, "leave `discriminator_architecture`"),
        ("stylegan2-d", {"generator_architecture": "skip"}, "must be orig in networks that grow"),
        ("stylegan2-b", {"discriminator_architecture": "resnet"}, "take `config` stylegan2-e"),
        ("stylegan2-e", {"generator_architecture": "dense"}, "skip, resnet, orig"),
        ("stylegan1-f", {"channel_base": 8}, "`channel_base` must be a whole number"),
        ("stylegan2-f", {"channel_max": 0}, "`channel_max` must be a whole number"),
    ],
)
def test_changes_that_a_config_cannot_take_are_named(name, changes, said):
    with pytest.raises(SettingsError, match=said):
        NetworkChanges(**changes).applied_to(named_config(name, SIZE))


def test_a_loss_brings_its_own_penalty_and_rates():
    f, large = named_config("stylegan1-f", ImageFormat(1024, 3, 0)), ImageFormat(1024, 3, 0)
    wgan = f.changed(loss="wgan-gp")
    published = named_config("stylegan1-wgan", large)
    assert asdict(wgan) | {"name": "stylegan1-wgan"} == asdict(published)
    a = named_config("stylegan1-a", large)
    logistic = a.changed(loss="logistic")
    assert (logistic.loss, logistic.r1_gamma, logistic.r1_interval) == ("logistic", 10.0, 1)
    assert a.changed(loss="wgan-gp") == a  # its own, at its own rates
    with pytest.raises(SettingsError, match="leave `gamma` out"):
        f.changed(loss="wgan-gp", r1_gamma=3.0)
    assert f.changed(loss="wgan-gp", batch=8).batch == 8


def test_growth_may_be_shorter():
    config = named_config("stylegan1-b", SIZE).changed(growth_kimg=20)
    assert (config.growth.stable_kimg, config.growth.transition_kimg) == (20, 20)
    assert (config.phase(0).lod, config.phase(80_000).lod) == (2, 0)
    with pytest.raises(SettingsError, match="does not grow; leave `growth_kimg` out"):
        named_config("stylegan2-f", SIZE).changed(growth_kimg=20)
