"""Progressive GAN's generator (Karras et al. 2018): from z to images, without W."""

from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Tensor, nn

from latentlab.checks import check_shape
from latentlab.errors import LatentError
from latentlab.networks import ops
from latentlab.networks.generator import Generator
from latentlab.networks.stylegan1 import StyleGAN1Synthesis
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config
from latentlab.networks.synthesis import NoiseMode


class ProGAN(Generator):
    """From z (and labels) to images; whatever belongs to W raises LatentError."""

    has_w = False

    def __init__(self, config: ProGANConfig) -> None:
        nn.Module.__init__(self)
        self.config: ProGANConfig = config
        self.z_dim, self.c_dim = config.z_dim, config.c_dim
        self.resolution, self.channels = config.resolution, config.channels
        self.synthesis = StyleGAN1Synthesis(_as_traditional(config))

    @property
    def mapping(self) -> NoReturn:  # type: ignore[override]
        """Refuse: there is no mapping network."""
        _refuse_w()

    @property
    def num_ws(self) -> NoReturn:
        """Refuse: there is no w."""
        _refuse_w()

    @property
    def w_dim(self) -> NoReturn:
        """Refuse: there is no w."""
        _refuse_w()

    @property
    def w_mean(self) -> NoReturn:
        """Refuse: there is no w."""
        _refuse_w()

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
    ) -> Tensor:
        """Render images [N,channels,R,R] from z [N,z_dim] and labels [N,c_dim].

        The network has no noise layers: ``noise_mode`` changes nothing.

        Raises:
            LatentError: If a shape does not fit, or truncation is asked for, which acts on w.
        """
        if truncation_psi != 1.0 or truncation_cutoff is not None:
            _refuse_w()
        check_shape(z, [None, self.z_dim], "z")
        x = z.to(next(self.parameters()).dtype)
        if self.c_dim > 0:
            if c is None:
                raise LatentError(f"this network needs `c`: labels of shape [N, {self.c_dim}]")
            check_shape(c, [len(z), self.c_dim], "c")
            x = torch.cat([x, c.to(x.dtype)], dim=1)
        if self.config.normalize_latents:
            x = ops.normalize_2nd_moment(x, self.config.pixel_norm_epsilon)
        image: Tensor = self.synthesis(x[:, None], noise_mode, noise, rng)
        return image


def _refuse_w() -> NoReturn:
    raise LatentError(
        "a Progressive GAN has no W: no mapping, no w, no truncation; use z alone, or a StyleGAN"
    )


def _as_traditional(config: ProGANConfig) -> StyleGAN1Config:
    """Describe the layers as StyleGAN1's without styles; w stands for z and the label."""
    return StyleGAN1Config(
        resolution=config.resolution,
        channels=config.channels,
        channel_base=config.channel_base,
        channel_max=config.channel_max,
        channel_table=config.channel_table,
        growing=config.growing,
        negative_slope=config.negative_slope,
        blur_filter=config.blur_filter,
        fused_from=config.fused_from,
        w_dim=config.z_dim + config.c_dim,
        styles=False,
        use_noise=False,
        pixel_norm=config.pixel_norm,
        pixel_norm_epsilon=config.pixel_norm_epsilon,
        instance_norm=False,
        const_input=False,
    )
