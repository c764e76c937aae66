"""Progressive GAN's generator (Karras et al. 2018): from z to images, without W."""

from dataclasses import asdict

import torch
from torch import Tensor

from latentlab.checks import needed
from latentlab.networks import ops
from latentlab.networks.generator import GeneratorWithoutW
from latentlab.networks.stylegan1 import StyleGAN1Synthesis
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config


class ProGAN(GeneratorWithoutW):
    """From z (and labels) to images; whatever belongs to W raises LatentError.

    The network has no noise layers: ``noise_mode`` changes nothing.
    """

    called = "a Progressive GAN"

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__(config)
        self.config: ProGANConfig = config
        self.synthesis = StyleGAN1Synthesis(_as_traditional(config))

    def _inputs(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Return z and the label [N,z_dim+c_dim], as the traditional network takes them."""
        x = z
        if self.config.normalizes_z_first:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        if self.c_dim > 0:
            x = torch.cat([x, needed(c, [len(z), self.c_dim], "c").to(x.dtype)], dim=1)
        if self.config.normalize_latents:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        return x


def _as_traditional(config: ProGANConfig) -> StyleGAN1Config:
    """Describe the layers as StyleGAN1's without styles; w stands for z and the label."""
    layers = {key: value for key, value in asdict(config).items() if key != "normalizes_z_first"}
    return StyleGAN1Config(
        **layers,
        w_dim=config.z_dim + config.c_dim,
        styles=False,
        use_noise=False,
        instance_norm=False,
        const_input=False,
    )
