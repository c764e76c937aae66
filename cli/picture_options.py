"""The options that say how pictures are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.face_source import FaceOrder, face_options
from cli.options import grouped_options
from cli.text import plain_text
from cli.values import Colour, FiniteFloat

if TYPE_CHECKING:
    from latentlab.images import DecodePolicy


@dataclass(frozen=True)
class PictureOrder:
    """How pictures are to be read and cropped."""

    crop: Literal["center", "none", "face"]
    max_upscale: float
    background: tuple[int, int, int]
    first_frame: bool
    faces: FaceOrder
    mask: Path | None

    def policy(self) -> "DecodePolicy":
        """Return how files are decoded."""
        from latentlab.images import DecodePolicy

        return DecodePolicy(background=self.background, first_frame=self.first_frame)

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it."""
        facts = {
            "crop": self.crop,
            "resize": "lanczos",
            "max_upscale": self.max_upscale,
            "background": "#{:02x}{:02x}{:02x}".format(*self.background),
            "first_frame": self.first_frame,
            "mask": None if self.mask is None else plain_text(self.mask),
        }
        return facts | self.faces.facts() if self.crop == "face" else facts


max_upscale_option = click.option(
    "--max-upscale", type=FiniteFloat(min=1), default=4.0, show_default=True, metavar="FACTOR",
    help="Refuse pictures that would be enlarged more.",
)  # fmt: skip
background_option = click.option(
    "--background", type=Colour(), default="#ffffff", show_default=True, metavar="#RRGGBB",
    help="Colour behind transparent parts.",
)  # fmt: skip
first_frame_option = click.option(
    "--first-frame", is_flag=True,
    help="Take the first frame of animated pictures, which are refused else.",
)  # fmt: skip
picture_options = grouped_options("reading", PictureOrder, (
    click.option("--crop", type=click.Choice(["center", "none", "face"]), default="center",
                 show_default=True, help="Largest centred square; square pictures only; or "
                 "the face, aligned as in FFHQ."),
    face_options, max_upscale_option, background_option, first_frame_option,
    click.option("--mask", type=click.Path(path_type=Path), metavar="FILE|DIR",
                 help="What counts: white in a picture of the same size, one for all pictures or "
                 "one of each one's name."),
    ))  # fmt: skip
