"""StyleGAN3's synthesis network, configs T and R (Karras et al. 2021), and StyleGAN-XL's.

Parameter and buffer names follow the official state dict. The filters are buffers, so they come
with the weights; a network made here starts with plain averages, good for nothing but its shapes.
Everything is float32; where the published networks use float16, they differ by its rounding.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from latentlab.checks import check_shape
from latentlab.errors import LatentError
from latentlab.networks import ops
from latentlab.networks.layers import Linear
from latentlab.networks.placement import inverse_of
from latentlab.networks.stylegan3_config import LayerGeometry, Signal, StyleGAN3Config
from latentlab.networks.stylegan_xl_config import StyleGANXLConfig
from latentlab.networks.synthesis import Block, SynthesisNetwork, Walk


class SynthesisInput(nn.Module):
    """Fourier features, rotated and shifted as w and ``transform`` say, then mixed.

    ``transform`` [3,3] maps homogeneous picture coordinates (x to the right, y down, the picture
    from -0.5 to 0.5) to those in which the features are fixed: the identity leaves the picture
    alone, and a matrix moves what is seen by its inverse.
    """

    transform: Tensor
    freqs: Tensor
    phases: Tensor
    instead: Tensor | None = None  # of ``transform`` [3,3] or [N,3,3], for a while

    def __init__(self, w_dim: int, signal: Signal) -> None:
        super().__init__()
        self.signal = signal
        self.affine = Linear(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(signal.maps, signal.maps))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", torch.randn(signal.maps, 2) * (signal.cutoff / 2))
        self.register_buffer("phases", torch.rand(signal.maps) - 0.5)

    def set_transform(self, matrix: Tensor) -> None:
        """Replace ``transform``; it stays until set again, and is saved with the weights.

        Raises:
            LatentError: If ``matrix`` is not [3,3], or holds NaN or infinity.
        """
        check_shape(matrix, [3, 3], "transform")
        if not bool(torch.isfinite(matrix.to(self.transform)).all()):
            raise LatentError("`transform` must be finite numbers, but holds NaN or infinity")
        self.transform.copy_(matrix.detach())

    def forward(self, w: Tensor) -> Tensor:
        """Map w [N,w_dim] to feature maps [N,C,size,size]."""
        freqs, phases = self._placed(self.affine(w))
        # Frequencies that a transform brings above half the sampling rate fade out.
        cutoff, rate, size = self.signal.cutoff, self.signal.rate, self.signal.size
        excess = (freqs.norm(dim=2) - cutoff) / (rate / 2 - cutoff)
        amplitudes = (1 - excess).clamp(0, 1)  # [N,C]
        line = (torch.arange(size, dtype=w.dtype, device=w.device) + 0.5 - size / 2) / rate
        y, x = (axis[None, :, :, None] for axis in torch.meshgrid(line, line, indexing="ij"))
        cycles = x * freqs[:, None, None, :, 0] + y * freqs[:, None, None, :, 1]  # [N,H,W,C]
        waves = torch.sin(2 * math.pi * (cycles + phases[:, None, None]))
        waves = waves * amplitudes[:, None, None]
        mixed: Tensor = waves @ (self.weight.t() / math.sqrt(self.signal.maps))
        return mixed.permute(0, 3, 1, 2)  # channels last in memory: filters run faster on it

    def _placed(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return frequencies [N,C,2] and phases [N,C] for cosine, sine, x and y [N,4] from w."""
        place = place / place[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = place.unbind(dim=1)
        zero, one = torch.zeros_like(cos), torch.ones_like(cos)
        rotation = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1)
        shift = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1)
        placed = rotation.view(-1, 3, 3) @ shift.view(-1, 3, 3)
        total = placed @ (self.transform if self.instead is None else self.instead)
        freqs, offsets = self.freqs @ total[:, :2, :2], self.freqs @ total[:, :2, 2:]
        return freqs, self.phases + offsets.squeeze(2)


class SynthesisLayer(Block):
    """Modulated convolution, then a nonlinearity between two filters (Fig. 4b of the paper)."""

    magnitude_ema: Tensor
    up_filter: Tensor
    down_filter: Tensor

    def __init__(self, w_dim: int, geometry: LayerGeometry, conv_clamp: float | None) -> None:
        super().__init__()
        self.geometry, self.conv_clamp = geometry, conv_clamp
        self.resolution = geometry.target.size
        maps_in, maps, kernel = geometry.source.maps, geometry.target.maps, geometry.kernel
        self.affine = Linear(w_dim, maps_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(maps, maps_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(maps))
        self.register_buffer("magnitude_ema", torch.ones([]))  # mean square of the input
        up, down = geometry.up_taps, geometry.down_taps
        if up:
            self.register_buffer("up_filter", torch.full((up,), 1 / up))
        if down:
            shape = (down,) * (2 if geometry.radial else 1)
            self.register_buffer("down_filter", torch.full(shape, down ** -len(shape)))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N,I,size,size] and w [N,w_dim] to features of the geometry's target."""
        layer = self.geometry
        x = self._convolved(x, self.affine(w)) + self.bias[:, None, None]
        if layer.is_rgb:
            return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)
        if layer.up_taps:
            x = ops.fir_up(x, self.up_filter, layer.up, layer.pad, gain=ops.SQRT2)
        else:
            x = nn.functional.pad(x * ops.SQRT2, layer.pad * 2)
        x = ops.leaky_relu_(x, self.conv_clamp)
        return ops.fir_down(x, self.down_filter, layer.down) if layer.down_taps else x

    def image(self, x: Tensor, w: Tensor) -> Tensor:
        """Map features [N,maps,h,w] to RGB [N,channels,h,w]."""
        return self(x, w)  # type: ignore[no-any-return]

    def _convolved(self, x: Tensor, styles: Tensor) -> Tensor:
        gain = self.magnitude_ema.rsqrt()
        if self.geometry.is_rgb:
            gain = gain / math.sqrt(self.geometry.source.maps)
            return ops.modulated_conv(x, self.weight, styles, demodulate=False, gain=gain)
        # As published, weights and styles have unit magnitude. The published code takes the mean
        # over the whole batch of styles, which demodulation cancels: each sample's own is taken
        # here, so that a sample does not depend on the batch it is in.
        weight = ops.normalize_2nd_moment(self.weight.flatten(1)).view_as(self.weight)
        styles = ops.normalize_2nd_moment(styles)
        return ops.modulated_conv(x, weight, styles, gain=gain, pad=self.geometry.kernel - 1)


class StyleGAN3Synthesis(SynthesisNetwork):
    """From ws to images.

    All detail is made of the Fourier features: without noise, ``noise_mode`` changes nothing. The
    first row of ws places them.
    """

    placing_rows = 1

    def __init__(self, config: StyleGAN3Config | StyleGANXLConfig) -> None:
        super().__init__(config.resolution, growing=False)
        self.config, self.num_ws, self.w_dim = config, config.num_ws, config.w_dim
        self.input = SynthesisInput(config.w_dim, config.input_signal)
        self.layer_names = []
        for geometry in config.layers():
            self.layer_names.append(geometry.name)
            layer = SynthesisLayer(config.w_dim, geometry, config.conv_clamp)
            self.add_module(geometry.name, layer)

    @property
    def layers(self) -> list[SynthesisLayer]:
        """The layers after the input in order, the RGB layer last."""
        layers = [self.get_submodule(name) for name in self.layer_names]
        return [layer for layer in layers if isinstance(layer, SynthesisLayer)]

    @contextmanager
    def moved(self, matrix: Tensor) -> Iterator[None]:
        """Have pictures shifted and turned while it lasts.

        Args:
            matrix: Where points of the picture go [3,3], see ``placement_matrix``; or one for each
                sample that is rendered [N,3,3]. It stands in for ``input.transform``.

        Raises:
            LatentError: If it is no such matrix, or cannot be undone.
        """
        before, self.input.instead = self.input.instead, inverse_of(matrix).to(self.input.transform)
        try:
            yield
        finally:
            self.input.instead = before

    def _walk(self, ws: Tensor, noise: Sequence[Tensor | None]) -> Walk:
        first, *rest = ws.unbind(dim=1)
        x = self.input(first)
        *hidden, rgb = self.layers
        for layer, w in zip(hidden, rest[:-1], strict=True):
            x = layer(x, w)
        yield rgb, x, rest[-1]

    def _image(self, walk: Walk) -> Tensor:
        return super()._image(walk) * self.config.output_scale
