"""StyleGAN2's synthesis network (Karras et al. 2020), in the skip, resnet and orig architectures.

Module names follow the official PyTorch state dict.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from latentlab.errors import LatentError, SettingsError
from latentlab.networks import ops
from latentlab.networks.config import StyleGAN2Config, block_resolutions
from latentlab.networks.layers import Conv, StyledConv, ToRGB
from latentlab.numerics import check_shape

NoiseMode = Literal["const", "random", "none"]


class SynthesisBlock(nn.Module):
    """All layers of one resolution: up to two styled convolutions, ToRGB and the resnet skip."""

    const: Tensor
    resample_filter: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.is_first = resolution == 4
        is_last = resolution == config.resolution
        taps, w_dim = config.resample_filter, config.w_dim
        maps, maps_in = config.feature_maps(resolution), config.feature_maps(resolution // 2)

        self.register_buffer("resample_filter", ops.fir_kernel(taps))
        if self.is_first:
            self.const = nn.Parameter(torch.randn(maps, 4, 4))
        else:
            self.conv0 = StyledConv(
                maps_in,
                maps,
                w_dim,
                resolution,
                taps,
                up=True,
                use_noise=config.use_noise,
                conv_clamp=config.conv_clamp,
            )
        self.conv1 = StyledConv(
            maps,
            maps,
            w_dim,
            resolution,
            use_noise=config.use_noise,
            conv_clamp=config.conv_clamp,
        )
        self.torgb = self.skip = None
        if is_last or config.architecture == "skip":
            self.torgb = ToRGB(maps, config.channels, w_dim, config.conv_clamp)
        if config.architecture == "resnet" and not self.is_first:
            self.skip = Conv(maps_in, maps, 1, taps, activate=False, bias=False, up=True)

    @property
    def convs(self) -> list[StyledConv]:
        """The styled convolutions in order."""
        return [self.conv1] if self.is_first else [self.conv0, self.conv1]

    def forward(
        self, x: Tensor | None, ws: Tensor, noise: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor | None]:
        """Map features of half the size (None in the first block) to features and RGB.

        ``ws`` is [N,convs+1,w_dim]: one w a convolution, and one for ToRGB.
        """
        if x is None:
            const = self.const.expand(ws.shape[0], -1, -1, -1)
            x = self.conv1(const.contiguous(memory_format=torch.channels_last), ws[:, 0], noise[0])
        elif self.skip is None:
            x = self.conv1(self.conv0(x, ws[:, 0], noise[0]), ws[:, 1], noise[1])
        else:
            half = math.sqrt(0.5)  # keeps the variance of the sum of two branches
            y = self.skip(x, gain=half)
            x = self.conv0(x, ws[:, 0], noise[0])
            x = y + self.conv1(x, ws[:, 1], noise[1], gain=half)
        rgb = None if self.torgb is None else self.torgb(x, ws[:, -1])
        return x, rgb


class Synthesis(nn.Module):
    """From ws to images."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.resolutions = block_resolutions(config.resolution)
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(config, resolution))

    @property
    def blocks(self) -> list[SynthesisBlock]:
        """The blocks from 4x4 upwards."""
        blocks = [self.get_submodule(f"b{resolution}") for resolution in self.resolutions]
        return [block for block in blocks if isinstance(block, SynthesisBlock)]

    @property
    def noise_layers(self) -> list[StyledConv]:
        """The layers that take a noise map, in order; empty for a network without noise."""
        convs = [conv for block in self.blocks for conv in block.convs]
        return convs if self.config.use_noise else []

    @property
    def noise_shapes(self) -> list[tuple[int, int, int, int]]:
        """Shape of each noise map for one sample, in layer order."""
        return [(1, 1, layer.resolution, layer.resolution) for layer in self.noise_layers]

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
            noise: Maps given by hand, one [N|1,1,h,w] a noise layer; overrides ``noise_mode``.
            rng: Source of the random maps; torch's global one if None.

        Returns:
            Images [N,channels,R,R], nominally in [-1,1], not clipped.

        Raises:
            LatentError: If ws or a noise map has the wrong shape.
        """
        walk = self._walk(ws, self._noise_maps(ws, noise_mode, noise, rng))
        outputs = [(block.resample_filter, rgb) for block, rgb in walk if rgb is not None]
        image = outputs[0][1]
        for kernel, rgb in outputs[1:]:  # a skip generator adds up its ToRGB outputs
            image = ops.upsample(image, kernel) + rgb
        return image.contiguous()

    def rgb_by_resolution(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
    ) -> dict[int, Tensor]:
        """Return the output of each ToRGB before upsampling: {4: [N,C,4,4], 8: [N,C,8,8], ...}.

        Raises:
            LatentError: If the architecture is not "skip", which alone has them.
        """
        if self.config.architecture != "skip":
            raise LatentError(
                "only a skip generator has an RGB output at every resolution; this one is "
                f"{self.config.architecture!r}"
            )
        maps = self._noise_maps(ws, noise_mode, noise, rng)
        walk = self._walk(ws, maps)
        return {block.resolution: rgb.contiguous() for block, rgb in walk if rgb is not None}

    def upsample_rgb(self, rgb: Tensor) -> Tensor:
        """Bring one ToRGB output to the full resolution as the skip connection does."""
        for block in self.blocks:
            if block.resolution > rgb.shape[-1]:
                rgb = ops.upsample(rgb, block.resample_filter)
        return rgb

    def _walk(
        self, ws: Tensor, noise: Sequence[Tensor | None]
    ) -> Iterator[tuple[SynthesisBlock, Tensor | None]]:
        check_shape(ws, [None, self.config.num_ws, self.config.w_dim], "ws")
        ws = ws.to(self.blocks[0].const.dtype)
        x: Tensor | None = None
        start = 0
        for block in self.blocks:
            count = len(block.convs)
            # ToRGB shares its w with the first convolution of the next block.
            x, rgb = block(x, ws[:, start : start + count + 1], noise[start : start + count])
            yield block, rgb
            start += count

    def _noise_maps(
        self,
        ws: Tensor,
        mode: NoiseMode,
        given: Sequence[Tensor] | None,
        rng: torch.Generator | None,
    ) -> list[Tensor | None]:
        layers, shapes = self.noise_layers, self.noise_shapes
        if given is not None:
            if len(given) != len(layers):
                raise LatentError(f"`noise` must be {len(layers)} maps, but got {len(given)}")
            for i, (noise, shape) in enumerate(zip(given, shapes, strict=True)):
                rows = 1 if len(noise) == 1 else len(ws)
                check_shape(noise, [rows, *shape[1:]], f"noise[{i}]")
            return list(given) or self._no_noise()
        if mode not in get_args(NoiseMode):
            raise SettingsError(f"`noise_mode` must be const, random or none, but got {mode!r}")
        if mode == "const":
            return [layer.noise_const for layer in layers] or self._no_noise()
        if mode == "none" or not layers:
            return self._no_noise()
        return [
            torch.randn([len(ws), *shape[1:]], generator=rng, device=ws.device, dtype=ws.dtype)
            for shape in shapes
        ]

    def _no_noise(self) -> list[Tensor | None]:
        return [None] * (self.config.num_ws - 1)
