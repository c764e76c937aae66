"""The generator: mapping and synthesis together, with the mean of W."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latentlab.networks.config import StyleGAN2Config
from latentlab.networks.mapping import MappingNetwork
from latentlab.networks.stylegan2 import NoiseMode, Synthesis


class Generator(nn.Module):
    """From z (and labels) to images, through W.

    Attributes:
        z_dim, w_dim, c_dim: Lengths of z, w and the label (0 for none).
        num_ws: Number of w vectors that one image takes.
        resolution, channels: Size and channels of the images.
    """

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.num_ws = config.num_ws
        self.resolution, self.channels = config.resolution, config.channels
        self.mapping = MappingNetwork(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            config.num_ws,
            num_layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
            embed_features=config.embed_features,
            layer_features=config.layer_features,
        )
        self.synthesis = Synthesis(config)

    @property
    def w_mean(self) -> Tensor:
        """Running mean of w from training [w_dim], the centre of truncation."""
        return self.mapping.w_avg

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.w_mean.device

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
        """Render images [N,channels,R,R] from z [N,z_dim]; see MappingNetwork and Synthesis."""
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        image: Tensor = self.synthesis(ws, noise_mode, noise, rng)
        return image

    def rgb_by_resolution(self, ws: Tensor) -> dict[int, Tensor]:
        """Return each ToRGB output of a skip generator before upsampling, with constant noise."""
        return self.synthesis.rgb_by_resolution(ws)
