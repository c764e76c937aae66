"""StyleGAN-XL's generator (Sauer et al. 2022): its description, layer by layer."""

from dataclasses import dataclass
from typing import NamedTuple

from latentlab.networks import checks
from latentlab.networks.config import ImageConfig, MappingConfig
from latentlab.networks.stylegan3_config import LayerGeometry, Signal

_MAX_SIZE = 8192  # of feature maps, in samples; the images have 4096 at most


class LayerRow(NamedTuple):
    """A layer in the table of a config, all whole numbers.

    ``number`` is that of its name; ``size`` and ``maps`` are its output's. ``up`` and ``down`` are
    factors of resampling, with filters of so many taps (0 for none); ``radial`` is 1 where the
    filter down is [k,k] instead of separable.
    """

    number: int
    size: int
    maps: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: int

    @property
    def name(self) -> str:
        """What the layer is called in the official state dict."""
        return f"L{self.number}_{self.size}_{self.maps}"


_BOUNDS = (
    (0, 999), (1, _MAX_SIZE), (1, 8192), (1, 15), (1, 64), (1, 64), (0, 2048), (0, 2048), (0, 1),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StyleGANXLConfig(MappingConfig, ImageConfig):
    """StyleGAN-XL's generator, of any stage of its training.

    A stage of super-resolution takes the layers of the one before it, less the last ones, and adds
    its own: no few numbers describe them all, as they do for StyleGAN3.
    """

    z_dim: int = 64
    mapping_layers: int = 2
    # Rows and features of the table of classes; None without labels.
    label_table: tuple[int, int] | None = None
    input_size: int  # samples on a side that the Fourier features are put out at
    input_rate: int  # samples per image side
    input_cutoff: float  # cycles per image side
    input_maps: int
    layer_table: tuple[LayerRow, ...]  # the RGB layer last
    output_scale: float = 0.25
    conv_clamp: float | None = 256.0  # limit of activations

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_mapping()
        self._check_labels()
        checks.whole(self.input_size, "input_size", 1, _MAX_SIZE)
        checks.whole(self.input_rate, "input_rate", 1, _MAX_SIZE)
        checks.whole(self.input_maps, "input_maps", 1, 8192)
        checks.number(self.input_cutoff, "input_cutoff", above=0, below=self.input_rate / 2)
        checks.positive(self.output_scale, "output_scale")
        checks.positive(self.conv_clamp, "conv_clamp", optional=True)
        self._check_layers()

    def _check_labels(self) -> None:
        table = self.label_table
        is_pair = isinstance(table, tuple) and len(table) == 2
        is_pair = is_pair and all(type(n) is int and 1 <= n <= 100_000 for n in table or ())
        fits = table is None if self.c_dim == 0 else is_pair and table[0] >= self.c_dim  # type: ignore[index]
        rule = "none without labels" if self.c_dim == 0 else f"at least {self.c_dim} rows, features"
        checks.check(fits, "label_table", rule, table)
        known = self.label_input == "embed" and self.embed_features is None
        checks.check(known, "label_input", "embed, without embed_features", self.label_input)

    def _check_layers(self) -> None:
        table = self.layer_table
        fits = isinstance(table, tuple) and 2 <= len(table) <= 128 and all(map(_is_row, table))
        checks.check(fits, "layer_table", f"2 to 128 rows of {', '.join(LayerRow._fields)}", table)
        rows = [LayerRow(*row) for row in table]
        object.__setattr__(self, "layer_table", tuple(rows))  # as a file has them, plain tuples
        numbers = [row.number for row in rows]
        rises = numbers == sorted(set(numbers))
        checks.check(rises, "layer_table", "numbers that rise from layer to layer", numbers)
        rate = self.input_rate
        for row in rows:
            whole = rate * row.up % row.down == 0
            rate = rate * row.up // row.down
            fits = whole and 1 <= rate <= row.size
            rule = f"sampling rates up to the size, in the layer {row.number}"
            checks.check(fits, "layer_table", rule, row)
        last = (rate, *rows[-1][1:])
        image = (self.resolution, self.resolution, self.channels, 1, 1, 1, 0, 0, 0)
        checks.check(last == image, "layer_table", "an RGB layer of the image at the end", rows[-1])

    @property
    def num_ws(self) -> int:
        """Number of w vectors that one image takes: one for the input and each layer."""
        return len(self.layer_table) + 1

    @property
    def input_signal(self) -> Signal:
        """What the input of the network puts out."""
        return _signal(self.input_cutoff, self.input_rate, self.input_size, self.input_maps)

    def layers(self) -> list[LayerGeometry]:
        """The layers in order, the RGB layer last; named as in the official state dict."""
        layers: list[LayerGeometry] = []
        source = self.input_signal
        for row in self.layer_table:
            rate = source.rate * row.up // row.down
            target = _signal(rate / 2, rate, row.size, row.maps)
            is_rgb = row is self.layer_table[-1]
            geometry = LayerGeometry(
                row.name, source, target, is_rgb, row.kernel,
                row.up, row.down, row.up_taps, row.down_taps, row.radial == 1,
            )  # fmt: skip
            layers.append(geometry)
            source = target
        return layers


def _is_row(row: object) -> bool:
    if not isinstance(row, tuple) or len(row) != len(_BOUNDS):
        return False
    pairs = zip(row, _BOUNDS, strict=True)
    fits = all(type(value) is int and low <= value <= high for value, (low, high) in pairs)
    return fits and _has_filters(LayerRow(*row))


def _has_filters(row: LayerRow) -> bool:
    """Whether what is resampled is filtered, as it must be, and what is radial as well."""
    up = row.up_taps >= row.up if row.up > 1 else row.up_taps == 0
    down = row.down_taps >= row.down if row.down > 1 else row.down_taps == 0
    return up and down and (row.radial == 0 or row.down_taps > 0)


def _signal(cutoff: float, rate: int, size: int, maps: int) -> Signal:
    """Describe a signal; the filters are in the weights, so that no stopband is needed."""
    return Signal(cutoff, rate / 2, rate, size, maps)
