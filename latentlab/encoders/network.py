"""An encoder as it is used: pictures of any size in, latents for a generator out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import check_shape
from latentlab.encoders.config import INTO_W, EncoderConfig
from latentlab.encoders.heads import PyramidEncoder, VectorEncoder
from latentlab.errors import CheckpointError, LatentError
from latentlab.networks.generator import Generator
from latentlab.numerics import full_precision


def build(config: EncoderConfig) -> PyramidEncoder | VectorEncoder:
    """Make the network that a config describes, with random weights."""
    vector = config.encoder_type.startswith("Backbone")
    return VectorEncoder(config) if vector else PyramidEncoder(config)


class Encoder(nn.Module):
    """From pictures to latents in one pass.

    Attributes:
        config: What it is.
        where: The file that it came from, for messages.
        latent_avg: The mean w [num_ws|1,w_dim] that its styles are added to; None where there is
            none, or its file does not hold it.
    """

    latent_avg: Tensor | None

    def __init__(
        self, network: PyramidEncoder | VectorEncoder, config: EncoderConfig,
        latent_avg: Tensor | None = None, where: str = "the encoder",
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.config, self.where = network, config, where
        self.register_buffer("latent_avg", latent_avg, persistent=False)

    @property
    def num_ws(self) -> int:
        """Rows that it gives; 1 where it gives one w for all layers."""
        return self.config.num_ws

    @property
    def w_dim(self) -> int:
        """Length of w."""
        return self.config.w_dim

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures that it looks at."""
        return self.config.height, self.config.width

    def forward(self, images: Tensor) -> Tensor:
        """Give the latents of pictures.

        Args:
            images: Pictures [N,3,H,W] in [-1,1], faces aligned as the encoder was trained on
                them; those of another size are brought to its own by an antialiased bilinear
                filter.

        Returns:
            Latents [N,num_ws,w_dim], or [N,1,w_dim] of an encoder into W.

        Raises:
            LatentError: If the shape is another, or the mean w is missing; ``ws_for`` takes the
                generator's then.
        """
        if self.config.relative and self.latent_avg is None:
            raise LatentError(
                f"{self.where}: gives what is added to a mean w, and its file does not hold that "
                "one; Encoder.ws_for(g, images) takes the generator's"
            )
        return self._from_mean(images, self.latent_avg)

    def check(self, g: Generator) -> None:
        """Raise CheckpointError unless its latents fit a generator."""
        single, here = self.config.encoder_type == INTO_W, self.num_ws
        # e4e's of cars has heads for two rows more than its generator has layers.
        fits = single or here == g.num_ws or (self.config.spare_rows and here > g.num_ws)
        if self.w_dim != g.w_dim or not fits:
            gives = f"{self.w_dim}" if single else f"{here} x {self.w_dim}"
            raise CheckpointError(
                f"{self.where}: gives latents of {gives}, but the generator takes {g.num_ws} x "
                f"{g.w_dim}; give the encoder that was trained for it"
            )

    @torch.no_grad()
    @full_precision()
    def ws_for(self, g: Generator, images: Tensor) -> Tensor:
        """Give the latents [N,num_ws,w_dim] of pictures for a generator, one picture at a time.

        One w is spread over the layers, and the generator's mean stands in for a missing one.
        What else is encoded never changes a picture's latents.

        Raises:
            CheckpointError: If its latents do not fit the generator.
            LatentError: If the images have another shape.
        """
        self.check(g)
        mean = self.latent_avg
        if self.config.relative and mean is None:
            mean = g.w_mean[None].to(next(self.parameters()))
        rows = [self._from_mean(image, mean)[:, : g.num_ws] for image in images.split(1)]
        return torch.cat(rows).expand(-1, g.num_ws, -1).contiguous().to(g.w_mean)

    def _from_mean(self, images: Tensor, mean: Tensor | None) -> Tensor:
        check_shape(images, [None, 3, None, None], "images")
        if not images.is_floating_point():
            raise LatentError(f"`images` must be floating-point in [-1,1], but got {images.dtype}")
        x = images.to(next(self.parameters()))
        if x.shape[2:] != self.size:
            x = F.interpolate(x, self.size, mode="bilinear", antialias=True)
        styles: Tensor = self.network(x)
        # Of a mean that is repeated for each layer one w takes the first row.
        return styles if mean is None else styles + mean[: styles.shape[1]]
