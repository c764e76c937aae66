"""What an encoder's file must say for it to be rebuilt."""

from dataclasses import dataclass

from latentlab.networks import checks

PSP, E4E = "GradualStyleEncoder", "Encoder4Editing"  # as the files name them
INTO_W = "BackboneEncoderUsingLastLayerIntoW"
INTO_W_PLUS = "BackboneEncoderUsingLastLayerIntoWPlus"
ENCODER_TYPES = (PSP, E4E, INTO_W, INTO_W_PLUS)

UNITS = (3, 4, 14, 3)  # of the stages of IR-SE50
SQUEEZE = 16  # feature maps for each one of a squeezed vector
SMALLEST = 16  # the last stage has a 16th of the picture's side


@dataclass(frozen=True)
class EncoderConfig:
    """Description of an Encoder.

    Attributes:
        encoder_type: Which head the backbone has, as ``opts.encoder_type`` of its file.
        num_ws: Rows of W+ that it gives; 1 where it gives one w for any number of layers.
        w_dim: Length of w.
        height, width: Of the pictures that it looks at.
        widths: Feature maps of the four stages.
        relative: Whether what it gives is added to a mean w.
        spare_rows: Whether the last rows are of no use where its generator has fewer layers.
    """

    encoder_type: str
    num_ws: int
    w_dim: int = 512
    height: int = 256
    width: int = 256
    widths: tuple[int, ...] = (64, 128, 256, 512)
    relative: bool = False
    spare_rows: bool = False

    def __post_init__(self) -> None:
        checks.choice(self.encoder_type, "encoder_type", ENCODER_TYPES)
        checks.whole(self.num_ws, "num_ws", 1, 64)
        checks.whole(self.w_dim, "w_dim", 1, 8192)
        for name in ("height", "width"):
            side = getattr(self, name)
            checks.whole(side, name, SMALLEST, 1024)
            checks.check(side % SMALLEST == 0, name, f"a multiple of {SMALLEST}", side)
        fits = isinstance(self.widths, tuple) and len(self.widths) == len(UNITS)
        fits = fits and all(type(n) is int and SQUEEZE <= n <= 8192 for n in self.widths)
        checks.check(fits, "widths", f"{len(UNITS)} numbers {SQUEEZE} to 8192", self.widths)
        for name in ("relative", "spare_rows"):
            checks.flag(getattr(self, name), name)
