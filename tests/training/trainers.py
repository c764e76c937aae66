"""Small trainers on the digits, for the tests of training."""

from dataclasses import replace

from latentlab.datasets.pictures import DigitsDataset
from latentlab.networks.stylegan1_config import ProGANConfig
from latentlab.training.changes import with_mapping_layers
from latentlab.training.presets import ImageFormat, named_config
from latentlab.training.schedule import Growth
from latentlab.training.trainer import Trainer

BATCH = 4
# 8x8 for 8 images, 12 images of blending; batches of 8, 4 and 2 images.
QUICK_GROWTH = Growth(8, 0.008, 0.012, batches=((8, 8), (32, 2)), learning_rates=((16, 0.004),))


def tiny_config(name="stylegan2-small", c_dim=0, **changes):
    """A config with few and narrow layers; a growing one grows within ten iterations."""
    config = named_config(name, ImageFormat(32, 1, c_dim))
    maps = {"channel_base": 128, "channel_max": 4}
    generator = replace(config.generator, **maps, z_dim=4)
    if not isinstance(generator, ProGANConfig):
        layers = min(generator.mapping_layers, 2)
        generator = with_mapping_layers(replace(generator, w_dim=4), layers)
    if config.r1_interval > 1:
        changes = {"r1_interval": 2, **changes}
    if config.growth is not None:
        changes = {"growth": QUICK_GROWTH, **changes}
    return replace(
        config,
        generator=generator,
        discriminator=replace(config.discriminator, **maps),
        **{"batch": BATCH, "path_length_interval": 2, **changes},
    )


def make_trainer(seed=0, labels=False, name="stylegan2-small", **changes):
    dataset = DigitsDataset("train", channels=1, labels=labels)
    return Trainer(tiny_config(name, dataset.c_dim, **changes), dataset, seed)


def networks_of(trainer):
    return trainer.generator, trainer.discriminator, trainer.ema_generator


def weights(trainer):
    return [value for network in networks_of(trainer) for value in network.state_dict().values()]
