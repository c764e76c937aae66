"""The options that say how pictures are read."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.options.common import grouped_options
from cli.options.values import Colour, FiniteFloat
from cli.text import plain_text

if TYPE_CHECKING:
    from latentlab.images import DecodePolicy


_COUNT = re.compile("[1-9][0-9]{0,3}")
_FILE = click.Path(path_type=Path)


class FaceChoice(click.ParamType["Literal['largest'] | int"]):
    """The word largest, or a number from 1."""

    name = "face"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Literal["largest"] | int:
        """Parse the text."""
        if value == "largest" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not _COUNT.fullmatch(str(value)):
            self.fail(f"{value[:80]!r} is neither largest nor a number from 1", param, ctx)
        return int(value)


@dataclass(frozen=True)
class FaceRequest:
    """What the command line says of faces."""

    landmarks: Path | None
    face_model: Path | None
    face: Literal["largest"] | int

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it: the files by their SHA-256."""
        from latentlab.files import sha256_of

        facts: dict[str, Any] = {"face": self.face}
        for name, file in (("landmarks", self.landmarks), ("face_model", self.face_model)):
            if file is not None:
                facts[name] = file.name
                facts[f"{name}_sha256"] = sha256_of(file)
        return facts


face_options = grouped_options("faces", FaceRequest, (
    click.option("--landmarks", type=_FILE, metavar="FILE",
                 help="Where faces are: CSV or JSON with 68 points, or eyes and mouth corners."),
    click.option("--face-model", type=_FILE, metavar="FILE",
                 help="Or find them: the YuNet model (ONNX); needs latentlab[faces]."),
    click.option("--face", type=FaceChoice(), default="largest", show_default=True,
                 metavar="largest|N",
                 help="Which of several faces; N counts landmarks in order, or by size."),
))  # fmt: skip


@dataclass(frozen=True)
class PictureOrder:
    """How pictures are to be read and cropped."""

    crop: Literal["center", "none", "face"]
    max_upscale: float
    background: tuple[int, int, int]
    first_frame: bool
    faces: FaceRequest
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
