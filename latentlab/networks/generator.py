"""The generators: what all of them have, and those that go through W."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latentlab.networks.lucidrains import LucidrainsConfig, LucidrainsSynthesis
from latentlab.networks.mapping import MappingNetwork
from latentlab.networks.ops import LEAKY_SLOPE
from latentlab.networks.stylegan1 import StyleGAN1Synthesis
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config
from latentlab.networks.stylegan2 import StyleGAN2Synthesis
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.networks.stylegan3 import StyleGAN3Synthesis
from latentlab.networks.stylegan3_config import StyleGAN3Config
from latentlab.networks.synthesis import NoiseMode, SynthesisNetwork

StyleConfig = StyleGAN1Config | StyleGAN2Config | StyleGAN3Config | LucidrainsConfig


class ImageGenerator(nn.Module, ABC):
    """From z (and labels) to images.

    Attributes:
        has_w: Whether there is a W between z and the images.
        z_dim, c_dim: Lengths of z and the label (0 for none).
        resolution, channels: Size and channels of the images.
    """

    has_w: bool
    config: StyleConfig | ProGANConfig
    synthesis: SynthesisNetwork

    def __init__(self, config: StyleConfig | ProGANConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim = config.z_dim, config.c_dim
        self.resolution, self.channels = config.resolution, config.channels

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

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
        """Render images [N,channels,R,R] from z [N,z_dim] and labels c [N,c_dim].

        See MappingNetwork for the truncation, and SynthesisNetwork for the noise.

        Raises:
            LatentError: If a shape does not fit, or truncation is asked for where there is no W.
        """
        ws = self._ws(z, c, truncation_psi, truncation_cutoff)
        image: Tensor = self.synthesis(ws, noise_mode, noise, rng)
        return image

    @abstractmethod
    def _ws(self, z: Tensor, c: Tensor | None, psi: float, cutoff: int | None) -> Tensor:
        """Return what the synthesis takes."""

    def rgb_by_resolution(self, ws: Tensor) -> dict[int, Tensor]:
        """Return each ToRGB output of a skip generator before upsampling, with constant noise."""
        return self.synthesis.rgb_by_resolution(ws)


class Generator(ImageGenerator):
    """From z (and labels) to images, through W."""

    has_w = True
    mapping: MappingNetwork

    def __init__(self, config: StyleConfig) -> None:
        super().__init__(config)
        self.mapping = MappingNetwork(
            config,
            config.c_dim,
            config.num_ws,
            gain_in_weight=isinstance(config, StyleGAN1Config),
            negative_slope=_mapping_slope(config),
        )
        if isinstance(config, StyleGAN1Config):
            self.synthesis = StyleGAN1Synthesis(config)
        elif isinstance(config, StyleGAN3Config):
            self.synthesis = StyleGAN3Synthesis(config)
        elif isinstance(config, LucidrainsConfig):
            self.synthesis = LucidrainsSynthesis(config)
        else:
            self.synthesis = StyleGAN2Synthesis(config)

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes."""
        return self.synthesis.num_ws

    @property
    def w_dim(self) -> int:
        """Length of w."""
        return self.synthesis.w_dim

    @property
    def w_mean(self) -> Tensor:
        """Running mean of w from training [w_dim], the centre of truncation."""
        return self.mapping.w_avg

    def _ws(self, z: Tensor, c: Tensor | None, psi: float, cutoff: int | None) -> Tensor:
        ws: Tensor = self.mapping(z, c, psi, cutoff)
        return ws


def _mapping_slope(config: StyleConfig) -> float:
    """Return the slope of the mapping's activation below zero."""
    if not isinstance(config, StyleGAN1Config):
        return LEAKY_SLOPE
    slope = config.mapping_negative_slope
    return config.negative_slope if slope is None else slope
