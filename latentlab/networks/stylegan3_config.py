"""StyleGAN3's generator (Karras et al. 2021): its description, and the geometry of its layers."""

import math
from dataclasses import dataclass

from latentlab.networks import checks
from latentlab.networks.config import ImageConfig, MappingConfig

_MAX_FACTOR = 64  # of upsampling in one layer; the published networks have 4 at most


@dataclass(frozen=True)
class Signal:
    """The feature maps between two layers. Frequencies are in cycles per image side.

    Attributes:
        cutoff: What the signal keeps below it.
        stopband: Above it, next to nothing is left.
        rate: Samples per image side.
        size: Samples in all: the image and margins.
        maps: Number of feature maps.
    """

    cutoff: float
    stopband: float
    rate: int
    size: int
    maps: int


@dataclass(frozen=True)
class LayerGeometry:
    """How a layer turns one signal into the next (section 3, Karras et al. 2021).

    Attributes:
        up, down: Factors of resampling around the nonlinearity.
        up_taps, down_taps: Lengths of the filters; 0 for none.
        radial: The filter down is radially symmetric: [k,k] instead of separable.
        pad: Zeros before and after the upsampled signal; negative numbers cut off.
    """

    name: str
    source: Signal
    target: Signal
    is_rgb: bool
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool

    @property
    def pad(self) -> tuple[int, int]:
        """What the filters and the convolution need, so that ``target.size`` samples come out."""
        needed = (self.target.size - 1) * self.down + 1
        needed += max(self.up_taps, 1) - 1 + max(self.down_taps, 1) - 1
        total = needed - (self.source.size + self.kernel - 1) * self.up
        before = (total + self.up) // 2  # centres, zeros being inserted after each sample
        return before, total - before


@dataclass(frozen=True)
class StyleGAN3Config(MappingConfig, ImageConfig):
    """StyleGAN3's generator; defaults as published, config T.

    Config R has ``conv_kernel`` 1, ``use_radial_filters`` and twice the feature maps.
    """

    mapping_layers: int = 2
    channel_base: int = 32768  # feature maps times twice the cutoff
    channel_max: int = 512  # feature maps at most
    num_layers: int = 14  # besides the input and the RGB layer
    num_critical: int = 2  # layers at the end whose cutoff is half the sampling rate
    first_cutoff: float = 2.0
    first_stopband: float = 2.0**2.1
    last_stopband_rel: float = 2.0**0.3  # the last stopband over the last cutoff
    margin_size: int = 10  # samples on each side of the image, except in the last layers
    output_scale: float = 0.25
    conv_kernel: int = 3
    filter_size: int = 6  # taps of a filter for each step of its factor
    lrelu_upsampling: int = 2  # of the sampling rate, for the nonlinearity
    use_radial_filters: bool = False
    conv_clamp: float | None = 256.0  # limit of activations

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_mapping()
        for field, low, high in (
            ("channel_base", 1, 2**40), ("channel_max", 1, 8192), ("num_layers", 2, 64),
            ("margin_size", 0, 64), ("conv_kernel", 1, 15), ("filter_size", 1, 32),
        ):  # fmt: skip
            checks.whole(getattr(self, field), field, low, high)
        factor = self.lrelu_upsampling  # a power of two, as all rates are: filters stay centred
        checks.check(
            type(factor) is int and factor in (1, 2, 4), "lrelu_upsampling", "1, 2 or 4", factor
        )
        checks.whole(self.num_critical, "num_critical", 1, self.num_layers - 1)
        for field in ("first_cutoff", "first_stopband", "last_stopband_rel", "output_scale"):
            checks.positive(getattr(self, field), field)
        checks.positive(self.conv_clamp, "conv_clamp", optional=True)
        self._check_bands()

    def _check_bands(self) -> None:
        """Refuse frequencies that do not rise from layer to layer, or by too much at once."""
        cutoff, stopband = self.first_cutoff, self.first_stopband
        last = self.resolution // 2
        checks.check(0.5 <= cutoff <= last, "first_cutoff", f"0.5 to {last}", cutoff)
        checks.check(cutoff < stopband <= 8192, "first_stopband", f"{cutoff} to 8192", stopband)
        above, most = self.last_stopband_rel, 16
        checks.check(1 <= above <= most, "last_stopband_rel", f"1 to {most}", above)
        signals = self.signals()
        rate = signals[0].rate
        checks.check(cutoff < rate / 2, "first_cutoff", f"less than {rate / 2}", cutoff)
        maps = min(signal.maps for signal in signals)
        checks.check(
            maps >= 1, "channel_base", "enough for one feature map in each layer", self.channel_base
        )
        factor = max(layer.up for layer in self.layers())
        rule = f"enough to upsample by {_MAX_FACTOR} at most in each"
        checks.check(factor <= _MAX_FACTOR, "num_layers", rule, self.num_layers)

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: one for the input and each layer."""
        return self.num_layers + 2

    @property
    def input_signal(self) -> Signal:
        """What the input of the network puts out."""
        return self.signals()[0]

    def signals(self) -> list[Signal]:
        """What each layer puts out, RGB included; the input feeds the first with the same.

        Cutoffs and stopbands rise geometrically up to the critically sampled layers.
        """
        signals = []
        last_cutoff = self.resolution / 2
        cutoffs = self.first_cutoff, last_cutoff
        stopbands = self.first_stopband, last_cutoff * self.last_stopband_rel
        for i in range(self.num_layers + 1):
            share = min(i / (self.num_layers - self.num_critical), 1.0)
            cutoff, stopband = (low * (high / low) ** share for low, high in (cutoffs, stopbands))
            rate = 2 ** math.ceil(math.log2(min(stopband * 2, self.resolution)))
            has_margin = i < self.num_layers - 1
            size = rate + 2 * self.margin_size if has_margin else self.resolution
            maps = round(min(self.channel_base / 2 / cutoff, self.channel_max))
            is_rgb = i == self.num_layers
            signals.append(Signal(cutoff, stopband, rate, size, self.channels if is_rgb else maps))
        return signals

    def layers(self) -> list[LayerGeometry]:
        """The layers in order, the RGB layer last; named as in the official state dict."""
        signals = self.signals()
        layers = []
        for i, (source, target) in enumerate(zip([signals[0], *signals], signals, strict=False)):
            is_rgb = i == self.num_layers
            rate = max(source.rate, target.rate) * (1 if is_rgb else self.lrelu_upsampling)
            up, down = rate // source.rate, rate // target.rate
            is_critical = i >= self.num_layers - self.num_critical
            layer = LayerGeometry(
                name=f"L{i}_{target.size}_{target.maps}",
                source=source,
                target=target,
                is_rgb=is_rgb,
                kernel=1 if is_rgb else self.conv_kernel,
                up=up,
                down=down,
                up_taps=up * self.filter_size if up > 1 else 0,
                down_taps=down * self.filter_size if down > 1 else 0,
                radial=self.use_radial_filters and not is_critical,
            )
            layers.append(layer)
        return layers
