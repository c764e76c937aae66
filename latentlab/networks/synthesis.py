"""What the synthesis networks of all systems share: noise maps, and the image of a growing one."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from latentlab.checks import check_choice, check_shape
from latentlab.errors import LatentError
from latentlab.networks.growth import GrowingNetwork, enlarge
from latentlab.networks.placement import FIXED

NoiseMode = Literal["const", "random", "none"]

NO_SKIP = (
    "only a skip generator adds up an RGB output of every resolution; this one makes its image "
    "from the last resolution alone"
)


class NoiseLayer(nn.Module):
    """Base of layers that add a noise map to their feature maps.

    Attributes:
        resolution: Of the feature maps that the layer returns.
        noise_const: The map stored with the network [resolution,resolution].
    """

    resolution: int
    noise_const: Tensor


class Block(nn.Module):
    """Base of the layers of one resolution.

    Attributes:
        resolution: Of the features that it returns.
        torgb: From features and w to the image; None where the network has no use for it.
    """

    resolution: int
    torgb: nn.Module | None

    def image(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N,maps,h,w] and w [N,w_dim] to RGB [N,channels,h,w]."""
        if self.torgb is None:
            raise AssertionError(f"no RGB layer at {self.resolution}")
        return self.torgb(x, w)  # type: ignore[no-any-return]


# Each block with its features and the w of its RGB layer.
Walk = Iterator[tuple[Block, Tensor, Tensor]]


class SynthesisNetwork(GrowingNetwork):
    """From ws to images."""

    num_ws: int
    w_dim: int
    is_skip = False  # whether the image is the sum of an RGB output of every resolution
    normal_noise = True  # whether noise maps are standard normal, as where they are optimised
    program: Callable[..., Any] | None = None  # in place of ``draw``, see latentlab.acceleration
    placing_rows = 0  # of ws, the first so many say where the picture lies, and not what is in it

    @property
    def noise_layers(self) -> Sequence[NoiseLayer]:
        """The layers that hold a noise map, in order; empty for a network without noise."""
        return []

    @abstractmethod
    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        """Yield each block with its features and the w of its RGB layer, from 4x4 upwards.

        ``noise`` has a map for each of ``noise_layers``, or nothing at all.
        """

    @property
    def noise_shapes(self) -> list[tuple[int, int, int, int]]:
        """Shape of each noise map for one sample, in layer order."""
        return [(1, 1, layer.resolution, layer.resolution) for layer in self.noise_layers]

    def as_noise(self, normal: Tensor) -> Tensor:
        """Bring standard normal numbers to the distribution of the network's noise maps."""
        return normal

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
    ) -> Tensor:
        """Render images.

        Args:
            ws: Latents [N,num_ws,w_dim].
            noise_mode: "const" uses the maps stored with the network, "random" draws new ones
                for each sample, "none" leaves noise out.
            noise: Maps given by hand, [N|1,1,h,w] for each noise layer; they go before
                ``noise_mode``.
            rng: Source of the random maps; torch's global one if None.

        Returns:
            Images [N,channels,R,R], nominally in [-1,1], not clipped.

        Raises:
            LatentError: If ws or a noise map has the wrong shape.
        """
        inputs = self._inputs(ws, noise_mode, noise, rng)
        image: Tensor = (self.program or self.draw)(*inputs)
        return image

    def draw(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        """Render ws [N,num_ws,w_dim] with a map for each of ``noise_layers``, or none at all."""
        return self._image(self._walk(ws, noise)).contiguous()

    def rgb_by_resolution(self, ws: Tensor) -> dict[int, Tensor]:
        """Return the output of each ToRGB before upsampling: {4: [N,C,4,4], 8: [N,C,8,8], ...}.

        The noise is that stored with the network.

        Raises:
            LatentError: If this is not a skip generator, which alone adds them up.
        """
        if not self.is_skip:
            raise LatentError(NO_SKIP)
        walk = self._walk(*self._inputs(ws, "const", None, None))
        return {block.resolution: block.image(x, w).contiguous() for block, x, w in walk}

    def upsample_rgb(self, rgb: Tensor) -> Tensor:
        """Bring an RGB output [N,C,r,r] to the full resolution as the skip connection does.

        Raises:
            LatentError: If this is not a skip generator.
        """
        raise LatentError(NO_SKIP)

    def moved(self, matrix: Tensor) -> AbstractContextManager[None]:
        """Have pictures shifted and turned while it lasts, see StyleGAN3Synthesis.

        Raises:
            LatentError: If the network draws at a fixed place.
        """
        raise LatentError(FIXED)

    def _inputs(
        self,
        ws: Tensor,
        noise_mode: NoiseMode,
        noise: Sequence[Tensor] | None,
        rng: torch.Generator | None,
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Check what ``forward`` is given, and return what ``draw`` takes."""
        check_shape(ws, [None, self.num_ws, self.w_dim], "ws")
        ws = ws.to(next(self.parameters()).dtype)
        if noise is not None:
            _check_maps(noise, self.noise_shapes, len(ws))
            return ws, noise
        check_choice(noise_mode, "noise_mode", get_args(NoiseMode))
        if noise_mode == "none":
            return ws, []
        if noise_mode == "const":
            return ws, [layer.noise_const for layer in self.noise_layers]
        options: dict[str, Any] = {"generator": rng, "device": ws.device, "dtype": ws.dtype}
        shapes = [[len(ws), *shape[1:]] for shape in self.noise_shapes]
        return ws, [self.as_noise(torch.randn(shape, **options)) for shape in shapes]

    def _image(self, walk: Walk) -> Tensor:
        """Return the RGB of the resolution grown to, blended with the one below, at full size."""
        size, share_below = self.stage()
        below: Tensor | None = None
        for block, x, w in walk:
            if block.resolution == size:
                image = block.image(x, w)
                break
            if block.resolution == size // 2 and share_below > 0:
                below = enlarge(block.image(x, w))
        if below is not None:
            image = image.lerp(below, share_below)
        return enlarge(image, self.resolutions[-1] // size)


def _check_maps(maps: object, shapes: Sequence[tuple[int, ...]], rows: int) -> None:
    """Require a map [rows|1,1,h,w] of each of ``shapes`` [1,1,h,w]."""
    if not isinstance(maps, list | tuple) or len(maps) != len(shapes):
        found = len(maps) if isinstance(maps, list | tuple) else type(maps).__name__
        raise LatentError(f"`noise` must be a list of {len(shapes)} maps, but got {found}")
    for i, (noise, shape) in enumerate(zip(maps, shapes, strict=True)):
        if not isinstance(noise, Tensor):
            raise LatentError(f"`noise[{i}]` must be a tensor, but got {type(noise).__name__}")
        shared = noise.ndim > 0 and len(noise) == 1
        check_shape(noise, [1 if shared else rows, *shape[1:]], f"noise[{i}]")
