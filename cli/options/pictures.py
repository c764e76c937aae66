"""The options that say how pictures are read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.options.common import grouped_options
from cli.options.values import Count, FiniteFloat, colour
from cli.text import plain_text

if TYPE_CHECKING:
    from latentlab.images import DecodePolicy


_COUNT = re.compile("[1-9][0-9]{0,3}")
_FILE = click.Path(path_type=Path)


def _face(text: str) -> Literal["largest"] | int:
    """Parse the word largest, or a number from 1."""
    if text == "largest":
        return "largest"
    if not _COUNT.fullmatch(text):
        raise click.BadParameter(f"{text[:80]!r} is neither largest nor a number from 1")
    return int(text)


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


@dataclass(frozen=True)
class DecodeRequest:
    """How the files of pictures are to be decoded."""

    background: tuple[int, int, int]
    first_frame: bool

    def policy(self) -> "DecodePolicy":
        """Return how files are decoded."""
        from latentlab.images import DecodePolicy

        return DecodePolicy(background=self.background, first_frame=self.first_frame)

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it."""
        background = "#{:02x}{:02x}{:02x}".format(*self.background)
        return {"background": background, "first_frame": self.first_frame}


@dataclass(frozen=True)
class AlignmentRequest:
    """How faces are to be cut out of pictures."""

    faces: FaceRequest
    size: int
    max_upscale: float
    decoding: DecodeRequest

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it."""
        sizes = {"size": self.size, "max_upscale": self.max_upscale}
        return sizes | self.decoding.facts() | self.faces.facts()


@dataclass(frozen=True)
class PictureRequest:
    """How pictures are to be read and cropped."""

    crop: Literal["center", "none", "face"]
    max_upscale: float
    faces: FaceRequest
    decoding: DecodeRequest
    mask: Path | None

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it."""
        facts = {
            "crop": self.crop,
            "resize": "lanczos",
            "max_upscale": self.max_upscale,
            **self.decoding.facts(),
            "mask": None if self.mask is None else plain_text(self.mask),
        }
        return facts | self.faces.facts() if self.crop == "face" else facts


def crop_option(
    *more: str, text: str = "Largest centred square, or square pictures only."
) -> Callable[[Any], Any]:
    """--crop: center or none, and what else a command can do."""
    return click.option(
        "--crop", type=click.Choice(["center", "none", *more]), default="center",
        show_default=True, help=text,
    )  # fmt: skip


pictures_argument = click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
limit_option = click.option(
    "--limit", type=Count(min=1), metavar="N", help="Take the first N pictures only."
)
max_upscale_option = click.option(
    "--max-upscale", type=FiniteFloat(min=1), default=4.0, show_default=True, metavar="FACTOR",
    help="Refuse pictures that would be enlarged more than this.",
)  # fmt: skip
face_options = grouped_options("faces", FaceRequest, (
    click.option("--landmarks", type=_FILE, metavar="FILE",
                 help="Where faces are: CSV or JSON with 68 points, or eyes and mouth corners."),
    click.option("--face-model", type=_FILE, metavar="FILE",
                 help="Or find them: the YuNet model (ONNX); needs latentlab[faces]."),
    click.option("--face", type=_face, default="largest", show_default=True,
                 metavar="largest|N",
                 help="Which of several faces; N counts landmarks in order, or by size."),
))  # fmt: skip
decode_options = grouped_options("decoding", DecodeRequest, (
    click.option("--background", type=colour, default="#ffffff", show_default=True,
                 metavar="#RRGGBB", help="Colour behind transparent parts."),
    click.option("--first-frame", is_flag=True,
                 help="Take the first frame of animated pictures, which are otherwise refused."),
))  # fmt: skip
alignment_options = grouped_options("request", AlignmentRequest, (
    face_options,
    click.option("--size", type=click.IntRange(8, 4096), default=1024, show_default=True,
                 metavar="N", help="Side of the aligned pictures in pixels."),
    max_upscale_option, decode_options,
))  # fmt: skip
picture_options = grouped_options("reading", PictureRequest, (
    crop_option("face", text="Largest centred square; square pictures only; or the face, aligned "
                "as in FFHQ."),
    face_options, max_upscale_option, decode_options,
    click.option("--mask", type=_FILE, metavar="FILE|DIR",
                 help="What counts: white in a picture of the same size; one for all pictures, or "
                 "a folder with one for each by name."),
))  # fmt: skip
