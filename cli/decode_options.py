"""Options that say how picture files are decoded, for commands that read them.

Nothing here imports torch: help and usage errors answer at once.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from latentlab.images import DecodePolicy


@dataclass(frozen=True)
class DecodeOrder:
    """What the command line asks of decoding; None leaves a choice to the library.

    Attributes:
        background: Colour on which transparency is laid, 0..255 each.
        first_frame: Take the first frame or page.
        max_pixels: Refuse larger pictures.
    """

    background: tuple[int, int, int]
    first_frame: bool
    max_pixels: int | None

    def policy(self) -> "DecodePolicy":
        """Return what ``decode`` takes."""
        from latentlab.images import MAX_PIXELS, DecodePolicy

        return DecodePolicy(self.background, self.first_frame, self.max_pixels or MAX_PIXELS)


class Colour(click.ParamType[tuple[int, int, int]]):
    """A colour by its name or as "#rrggbb"."""

    name = "colour"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """Parse the text; transparent colours are none to lay anything on."""
        from PIL import ImageColor

        if isinstance(value, tuple):
            return value
        levels: tuple[int, ...] = ()
        with suppress(ValueError):
            levels = ImageColor.getrgb(str(value).strip())
        if len(levels) != 3:
            self.fail(f"{value[:80]!r} is no colour such as white or #80ff00", param, ctx)
        return levels[0], levels[1], levels[2]


def decode_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--background, --first-frame and --max-pixels, passed as one ``decoding``."""

    @click.option(
        "--background",
        type=Colour(),
        default="white",
        show_default=True,
        metavar="COLOUR",
        help="What transparent pictures are laid on: a name, or #rrggbb.",
    )
    @click.option(
        "--first-frame",
        is_flag=True,
        help="Take the first frame of animations (GIF too) and of pages, rather than refuse them.",
    )
    @click.option(
        "--max-pixels", type=click.IntRange(min=1), metavar="N",
        help="Refuse pictures of more pixels; default: 64 million.",
    )  # fmt: skip
    @wraps(command)
    def with_decoding(
        *args: Any, background: tuple[int, int, int], first_frame: bool, max_pixels: int | None,
        **options: Any,
    ) -> Any:  # fmt: skip
        return command(*args, decoding=DecodeOrder(background, first_frame, max_pixels), **options)

    return with_decoding
