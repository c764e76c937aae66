"""The generators: what all of them have, those that go through W, and those that do not."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latentlab.checks import check_shape
from latentlab.errors import LatentError
from latentlab.networks.fastgan_config import FastGANConfig
from latentlab.networks.lucidrains import LucidrainsConfig, LucidrainsSynthesis
from latentlab.networks.mapping import ClassMapping, MappingNetwork
from latentlab.networks.placement import placing_rows
from latentlab.networks.stylegan1 import StyleGAN1Synthesis
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config
from latentlab.networks.stylegan2 import StyleGAN2Synthesis
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.networks.stylegan3 import StyleGAN3Synthesis
from latentlab.networks.stylegan3_config import StyleGAN3Config
from latentlab.networks.stylegan_xl_config import StyleGANXLConfig
from latentlab.networks.synthesis import NoiseMode, SynthesisNetwork

StyleConfig = (
    StyleGAN1Config | StyleGAN2Config | StyleGAN3Config | StyleGANXLConfig | LucidrainsConfig
)
GeneratorConfig = StyleConfig | ProGANConfig | FastGANConfig


class ImageGenerator(nn.Module, ABC):
    """From z (and labels) to images.

    Attributes:
        has_w: Whether there is a W between z and the images.
        z_dim, c_dim: Lengths of z and the label (0 for none).
        resolution, channels: Size and channels of the images.
    """

    has_w: bool
    config: GeneratorConfig
    synthesis: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
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
        ws = self.latents(z, c, truncation_psi, truncation_cutoff)
        image: Tensor = self.synthesis(ws, noise_mode, noise, rng)
        return image

    @abstractmethod
    def latents(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Return what the synthesis takes [N,num_ws,w_dim]: ws, where there is a W."""

    def rgb_by_resolution(self, ws: Tensor) -> dict[int, Tensor]:
        """Return each ToRGB output of a skip generator before upsampling, with constant noise."""
        return self.synthesis.rgb_by_resolution(ws)


class Generator(ImageGenerator):
    """From z (and labels) to images, through W."""

    has_w = True
    mapping: MappingNetwork

    def __init__(self, config: StyleConfig) -> None:
        super().__init__(config)
        self.mapping = _mapping(config)
        if isinstance(config, StyleGAN1Config):
            self.synthesis = StyleGAN1Synthesis(config)
        elif isinstance(config, StyleGAN3Config | StyleGANXLConfig):
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
        """Running mean of w from training [w_dim], the centre of truncation.

        Where every class has a centre of its own (StyleGAN-XL), the mean of the centres.
        """
        return self.mapping.w_mean

    def latents(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Return ws [N,num_ws,w_dim], see MappingNetwork."""
        ws: Tensor = self.mapping(z, c, truncation_psi, truncation_cutoff)
        return ws

    def anchored(self, ws: Tensor) -> Tensor:
        """Return ws [N,num_ws,w_dim] with the rows that place the picture at the mean w.

        Pictures are then where the mean picture is, whatever they show (Alaluf et al. 2022: the
        first w of a StyleGAN3 that was trained on faces as they are, replaced by the mean).

        Raises:
            LatentError: If the network draws at a fixed place.
        """
        check_shape(ws, [None, self.num_ws, self.w_dim], "ws")
        rows = placing_rows(self.synthesis)
        return torch.cat([self.w_mean.to(ws).expand(len(ws), rows, -1), ws[:, rows:]], dim=1)


# To whoever opens a file it is a generator like others, with all of the face but W (``has_w``).
@Generator.register
class GeneratorWithoutW(ImageGenerator):
    """From z (and labels) straight to images; whatever belongs to W raises LatentError.

    Attributes:
        called: What it is, for messages: "a Progressive GAN".
    """

    has_w = False
    called: str

    def __getattr__(self, name: str) -> Tensor | nn.Module:
        """Say what is missing where W is asked for; the rest is torch's."""
        if name in ("mapping", "num_ws", "w_dim", "w_mean"):
            raise self._without_w()
        return super().__getattr__(name)

    def latents(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Return the one latent [N,1,...] of all layers: what they take of z and the label.

        Raises:
            LatentError: If a shape does not fit, or truncation is asked for.
        """
        if truncation_psi != 1.0 or truncation_cutoff is not None:
            raise self._without_w()
        check_shape(z, [None, self.z_dim], "z")
        return self._inputs(z.to(next(self.parameters()).dtype), c)[:, None]

    @abstractmethod
    def _inputs(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Return what the first layer takes [N,...] of z [N,z_dim] and labels c [N,c_dim]."""

    def _without_w(self) -> LatentError:
        return LatentError(
            f"{self.called} has no W: no mapping, no w, no truncation; take a StyleGAN instead"
        )


def _mapping(config: StyleConfig) -> MappingNetwork:
    """Make the mapping network of a config."""
    if isinstance(config, StyleGANXLConfig):
        return ClassMapping(config, config.c_dim, config.num_ws)
    if not isinstance(config, StyleGAN1Config):
        return MappingNetwork(config, config.c_dim, config.num_ws)
    slope = config.mapping_negative_slope
    return MappingNetwork(
        config,
        config.c_dim,
        config.num_ws,
        gain_in_weight=True,
        negative_slope=config.negative_slope if slope is None else slope,
    )
