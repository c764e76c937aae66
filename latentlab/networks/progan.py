"""Progressive GAN's generator (Karras et al. 2018): from z to images, without W."""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from latentlab.checks import check_shape, needed
from latentlab.errors import LatentError
from latentlab.networks import ops
from latentlab.networks.generator import Generator, ImageGenerator
from latentlab.networks.stylegan1 import StyleGAN1Synthesis
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config

_NO_W = "a Progressive GAN has no W: no mapping, no w, no truncation; take a StyleGAN instead"


# To whoever opens a file it is a generator like others, with all of the face but W (``has_w``).
@Generator.register
class ProGAN(ImageGenerator):
    """From z (and labels) to images; whatever belongs to W raises LatentError.

    The network has no noise layers: ``noise_mode`` changes nothing.
    """

    has_w = False

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__(config)
        self.config: ProGANConfig = config
        self.synthesis = StyleGAN1Synthesis(_as_traditional(config))

    def __getattr__(self, name: str) -> Tensor | nn.Module:
        """Say what is missing where W is asked for; the rest is torch's."""
        if name in ("mapping", "num_ws", "w_dim", "w_mean"):
            raise LatentError(_NO_W)
        return super().__getattr__(name)

    def _ws(self, z: Tensor, c: Tensor | None, psi: float, cutoff: int | None) -> Tensor:
        """Return z and the label as the only w [N,1,z_dim+c_dim] of the traditional network."""
        if psi != 1.0 or cutoff is not None:
            raise LatentError(_NO_W)
        check_shape(z, [None, self.z_dim], "z")
        x = z.to(next(self.parameters()).dtype)
        if self.config.normalizes_z_first:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        if self.c_dim > 0:
            x = torch.cat([x, needed(c, [len(z), self.c_dim], "c").to(x.dtype)], dim=1)
        if self.config.normalize_latents:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        return x[:, None]


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
