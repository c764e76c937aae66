"""Where a run that continues a checkpoint starts: its networks, and a config that fits them."""

from dataclasses import dataclass, replace

from latentlab.checkpoints import Checkpoint
from latentlab.errors import CheckpointError, SettingsError
from latentlab.networks.discriminators import Discriminator
from latentlab.networks.generator import Generator
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.training.config import TrainingConfig
from latentlab.training.presets import ImageFormat

_TRAINED = StyleGAN2Config | StyleGAN1Config | ProGANConfig


@dataclass(frozen=True)
class Origin:
    """Initial weights of a run: the networks of a checkpoint.

    Where the checkpoint has only one of raw and averaged generator, it stands for both.
    """

    where: str
    sha256: str
    generator: Generator
    ema_generator: Generator
    discriminator: Discriminator


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Take the networks of a checkpoint for training.

    Raises:
        CheckpointError: If it lacks a generator or the discriminator, or they are of a kind that
            is not trained here.
    """
    averaged = checkpoint.generator  # G_ema, or G
    generator, discriminator = checkpoint.raw_generator or averaged, checkpoint.discriminator
    if not isinstance(generator.config, _TRAINED):
        raise CheckpointError(f"{checkpoint.path}: {checkpoint.kind} is not trained by latentlab")
    if discriminator is None:
        raise CheckpointError(
            f"{checkpoint.path}: no discriminator (D) inside, only "
            f"{', '.join(checkpoint.networks)}; training continues from generator and discriminator"
        )
    return Origin(str(checkpoint.path), checkpoint.sha256, generator, averaged, discriminator)


def config_from(origin: Origin, config: TrainingConfig, images: ImageFormat) -> TrainingConfig:
    """Return ``config`` with the networks of ``origin``, and its schedule at their lod.

    Fully grown networks stay so; those of a snapshot from the middle of growing go on growing if
    the config grows at all. Others train as the config does at their full resolution.

    Raises:
        SettingsError: If the networks are not for such images, or are from the middle of growing
            and the config has no schedule.
    """
    for network in (origin.generator, origin.discriminator):
        own = network.config
        # Progressive GAN's discriminator takes no labels, whatever its generator does.
        ignores = network is origin.discriminator and own.c_dim == 0
        c_dim = origin.generator.c_dim if ignores else own.c_dim
        of_network = ImageFormat(own.resolution, own.channels, c_dim)
        if of_network != images:
            raise SettingsError(
                f"{origin.where}: its networks are for {_in_words(of_network)}, but the training "
                f"set has {_in_words(images)}",
                advice=["change `resolution`, `channels` or `labels`"],
            )
    generator = origin.generator.config
    if not isinstance(generator, _TRAINED):
        raise AssertionError("origin_of refuses what is not trained here")
    networks = replace(
        config, generator=generator, discriminator=origin.discriminator.config, growth=None
    )
    grow = networks.generator.growing and networks.discriminator.growing
    lod = origin.discriminator.lod.item() if grow else 0.0
    if config.growth is None and lod > 0:
        raise SettingsError(
            f"{origin.where}: its networks are at lod {lod:g}, and their layers above are not "
            f"trained; {config.name} does not grow",
            advice=["take a `config` that grows (stylegan1, stylegan2-d, progan, ...)"],
        )
    if config.growth is None:
        return networks
    growth = replace(config.growth, images_before=config.growth.images_at(images.resolution, lod))
    if grow:
        return replace(networks, growth=growth)
    grown = replace(config, growth=growth).phase(0)
    return replace(networks, batch=grown.batch, learning_rate=grown.learning_rate)


def _in_words(images: ImageFormat) -> str:
    size = f"{images.resolution}x{images.resolution}"
    return f"pictures of {size} with {images.channels} channels and labels of length {images.c_dim}"
