from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

import latentlab
from latentlab import CheckpointError, SettingsError
from latentlab.checkpoints.assemble import build_network
from latentlab.checkpoints.native import write_native
from latentlab.datasets.pictures import DigitsDataset
from latentlab.training.origin import config_from, origin_of
from latentlab.training.presets import ImageFormat, named_config
from latentlab.training.run import RunSettings, train
from latentlab.training.schedule import Growth
from latentlab.training.trainer import Trainer
from tests.conftest import make_discriminator, make_stylegan3
from tests.training.trainers import QUICK_GROWTH, make_trainer, networks_of, tiny_config, weights

DIGITS = ImageFormat(32, 1, 0)


def snapshot(folder, name="stylegan2-small", images=8, **changes):
    trainer = make_trainer(name=name, **changes)
    return trainer, latentlab.load(train(trainer, RunSettings(folder, images, 1000)))


def started(checkpoint, name, images=DIGITS, seed=5, **changes):
    origin = origin_of(checkpoint)
    config = config_from(origin, tiny_config(name, **changes), images)
    return Trainer(config, DigitsDataset("train", channels=images.channels), seed, origin=origin)


@pytest.mark.parametrize("name", ["stylegan2-small", "stylegan1-small", "progan-small"])
def test_a_run_starts_from_the_networks_of_the_checkpoint(name, tmp_path):
    before, checkpoint = snapshot(tmp_path, name)
    trainer = started(checkpoint, name)
    for a, b in zip(weights(trainer), weights(before), strict=True):
        assert torch.equal(a, b)
    assert (trainer.step, trainer.images_seen) == (0, 0)
    assert not trainer.g_optimizer.state
    average = trainer.ema_generator.state_dict()
    raw = trainer.generator.state_dict()
    assert any(not torch.equal(average[key], raw[key]) for key in raw)
    trainer.run_step()
    of_d = zip(
        trainer.discriminator.b8.parameters(), before.discriminator.b8.parameters(), strict=True
    )
    assert all(not torch.equal(a, b) for a, b in of_d)


def test_training_leaves_the_checkpoint_alone(tmp_path):
    before, checkpoint = snapshot(tmp_path)
    started(checkpoint, "stylegan2-small").run_step()
    for name, network in zip(("G", "D", "G_ema"), networks_of(before), strict=True):
        opened = checkpoint.networks[name]
        assert not any(parameter.requires_grad for parameter in opened.parameters())
        own = opened.state_dict()
        assert all(torch.equal(value, own[key]) for key, value in network.state_dict().items())


def test_the_networks_are_the_checkpoints_and_the_rates_the_configs(tmp_path):
    before, checkpoint = snapshot(tmp_path)
    preset = named_config("stylegan2-e", DIGITS)
    config = config_from(origin_of(checkpoint), preset, DIGITS)
    assert config.generator == before.config.generator
    assert config.discriminator == before.config.discriminator
    assert replace(config, generator=preset.generator, discriminator=preset.discriminator) == preset


def test_grown_networks_stay_grown(tmp_path):
    _, checkpoint = snapshot(tmp_path, "stylegan1-small", images=42)
    trainer = started(checkpoint, "stylegan1")
    for _ in range(3):
        trainer.run_step()
    assert trainer.lod == 0
    assert trainer.images_seen == 6  # the batch of the full resolution


@pytest.mark.parametrize("images", [8, 22, 38])
def test_growing_goes_on_where_the_checkpoint_was(images, tmp_path):
    before, checkpoint = snapshot(tmp_path, "progan-small", images)
    trainer = started(checkpoint, "progan-small")
    first = trainer.config.phase(0).lod
    assert first == pytest.approx(before.lod, abs=0.05)
    seen = []
    while trainer.lod > 0 or not seen:
        trainer.run_step()
        seen.append(trainer.lod)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(first)


def test_another_schedule_counts_from_the_lod_of_the_checkpoint(tmp_path):
    _, checkpoint = snapshot(tmp_path, "stylegan1-small", images=24)
    assert checkpoint.discriminator.lod == 1
    config = config_from(
        origin_of(checkpoint), tiny_config("stylegan1", growth=Growth(4, 1, 3)), DIGITS
    )
    assert config.growth.images_before == 8000
    assert config.phase(0).lod == 1
    assert config.phase(2500).lod == 0.5


def test_a_config_without_growth_takes_grown_networks(tmp_path):
    _, checkpoint = snapshot(tmp_path, "stylegan2-d", images=42)
    assert checkpoint.discriminator.lod == 0
    trainer = started(checkpoint, "stylegan2-f")
    trainer.run_step()
    networks = (trainer.generator.synthesis, trainer.ema_generator.synthesis)
    assert [network.lod.item() for network in (*networks, trainer.discriminator)] == [0, 0, 0]


def test_untrained_layers_are_not_taken_as_grown(tmp_path):
    _, checkpoint = snapshot(tmp_path, "stylegan2-d", images=16)
    assert checkpoint.discriminator.lod == 2
    with pytest.raises(SettingsError, match=r"lod 2, .*take a `config` that grows"):
        started(checkpoint, "stylegan2-f")


@pytest.mark.parametrize("name", ["progan-small", "stylegan1-small"])
def test_a_discriminator_without_labels_goes_with_a_generator_that_has_them(name, tmp_path):
    """As in Progressive GAN."""
    trainer = make_trainer(name=name, labels=True)
    d = build_network(replace(trainer.config.discriminator, c_dim=0))
    path = tmp_path / "x.safetensors"
    write_native({"G_ema": trainer.ema_generator, "G": trainer.generator, "D": d}, path)
    origin = origin_of(latentlab.load(path))
    images = ImageFormat(32, 1, 10)
    config = config_from(origin, tiny_config(name, c_dim=10), images)
    labelled = Trainer(config, DigitsDataset("train", channels=1, labels=True), origin=origin)
    assert all(abs(value) < 1e4 for value in labelled.run_step().values())
    with pytest.raises(SettingsError, match=r"length 10, but the training set .* length 0"):
        config_from(origin, tiny_config(name), DIGITS)


def test_networks_of_one_size_train_as_at_the_end_of_the_schedule(tmp_path):
    _, checkpoint = snapshot(tmp_path)
    growth = replace(QUICK_GROWTH, learning_rates=((32, 0.5),))
    trainer = started(checkpoint, "stylegan2-d", growth=growth)
    assert trainer.config.growth is None
    assert (trainer.config.batch, trainer.config.learning_rate) == (2, 0.5)
    trainer.run_step()
    assert (trainer.lod, trainer.images_seen) == (0, 2)


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (ImageFormat(64, 1, 0), "64x64"),
        (ImageFormat(32, 3, 0), "3 channels"),
        (ImageFormat(32, 1, 10), "length 10"),
    ],
)
def test_networks_for_other_pictures_are_refused(images, named, tmp_path):
    _, checkpoint = snapshot(tmp_path)
    with pytest.raises(SettingsError, match=f"32x32 with 1 channels.* {named}"):
        config_from(origin_of(checkpoint), named_config("stylegan2-f", images), images)


def test_a_config_that_does_not_fit_the_networks_is_refused(tmp_path):
    _, checkpoint = snapshot(tmp_path, "stylegan1-small")
    with pytest.raises(SettingsError, match="stylegan2-f has path length"):
        config_from(origin_of(checkpoint), named_config("stylegan2-f", DIGITS), DIGITS)


def without(checkpoint, lacking):
    networks = {name: n for name, n in checkpoint.networks.items() if name != lacking}
    return replace(checkpoint, networks=MappingProxyType(networks))


def test_a_checkpoint_without_discriminator_is_refused(tmp_path):
    _, checkpoint = snapshot(tmp_path)
    with pytest.raises(CheckpointError, match=r"no discriminator \(D\) inside, only G_ema, G"):
        origin_of(without(checkpoint, "D"))


def test_without_a_raw_generator_both_start_from_the_averaged_one(tmp_path):
    """As in a file that rosinality's converter writes."""
    before, checkpoint = snapshot(tmp_path)
    trainer = started(without(checkpoint, "G"), "stylegan2-small")
    average = before.ema_generator.state_dict()
    for generator in (trainer.generator, trainer.ema_generator):
        assert all(torch.equal(x, average[key]) for key, x in generator.state_dict().items())
    trainer.run_step()
    pairs = zip(trainer.ema_generator.parameters(), trainer.generator.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_without_an_averaged_generator_the_average_starts_from_the_raw_one(tmp_path):
    _, checkpoint = snapshot(tmp_path)
    trainer = started(without(checkpoint, "G_ema"), "stylegan2-small")
    raw = trainer.generator.state_dict()
    assert all(torch.equal(x, raw[key]) for key, x in trainer.ema_generator.state_dict().items())
    trainer.run_step()
    pairs = zip(trainer.ema_generator.parameters(), trainer.generator.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_such_a_run_continues_to_the_same_bits(tmp_path):
    _, checkpoint = snapshot(tmp_path / "origin", "stylegan1-small", images=22)
    trainers = []
    for folder, lengths in (("parts", (6, 40)), ("straight", (40,))):
        for length in lengths:
            trainer = started(checkpoint, "stylegan1-small")
            train(trainer, RunSettings(tmp_path / folder, length, 1000))
        trainers.append(trainer)
    assert trainers[0].images_seen == trainers[1].images_seen >= 40
    assert trainers[0].lod == 0
    for a, b in zip(*(weights(trainer) for trainer in trainers), strict=True):
        assert torch.equal(a, b)


def test_a_run_is_not_continued_from_another_origin(tmp_path):
    _, first = snapshot(tmp_path / "a")
    _, second = snapshot(tmp_path / "b", images=12)
    train(started(first, "stylegan2-small"), RunSettings(tmp_path / "run", 4, 1000))
    with pytest.raises(SettingsError, match=f"from: {first.sha256} there, {second.sha256} here"):
        train(started(second, "stylegan2-small"), RunSettings(tmp_path / "run", 8, 1000))
    with pytest.raises(SettingsError, match=f"from: {first.sha256} there, None here"):
        train(make_trainer(seed=5), RunSettings(tmp_path / "run", 8, 1000))


@pytest.mark.parametrize(
    ("file", "name", "lod"),
    [
        ("ada_skip_32.pkl", "stylegan2-f", 0),
        ("sg2_skip_32.pkl", "stylegan2-f", 0),
        ("sg2_resnet_32.pkl", "stylegan2-e", 0),
        ("ros2_32.pt", "stylegan2-f", 0),
        ("sg1_32.pkl", "stylegan1", 0),
        ("sg1_32_lod.pkl", "stylegan1-wgan", 1.5),
        ("pgan_32.pkl", "progan", 0),
    ],
)
def test_a_published_snapshot_is_trained_on(file, name, lod, shared):
    checkpoint = latentlab.load(shared / file)
    images = ImageFormat(32, 3, 0)
    origin = origin_of(checkpoint)
    config = config_from(origin, named_config(name, images), images).changed(batch=2)
    trainer = Trainer(config, DigitsDataset("train"), origin=origin)
    for network, key in zip(networks_of(trainer), ("G", "D", "G_ema"), strict=True):
        own = checkpoint.networks[key].state_dict()
        assert all(torch.equal(value, own[part]) for part, value in network.state_dict().items())
    assert all(abs(value) < 1e4 for value in trainer.run_step().values())
    assert trainer.lod == lod


def test_stylegan3_is_not_trained_on(tmp_path):
    networks = {"G": make_stylegan3(), "D": make_discriminator()}
    write_native(networks, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"x\.safetensors: stylegan3-native is not trained"):
        origin_of(latentlab.load(tmp_path / "x.safetensors"))
