"""Real pictures to compare a generator with: files, folders, or the bundled digits."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from cli.running.wording import told
from cli.text import plain_text
from latentlab import Generator, ImageError
from latentlab.datasets.digits import RESOLUTION, digits
from latentlab.images import Crop, from_uint8, load_image, pixels_to_tensor, to_uint8
from latentlab.images.listing import find_pictures

DIGITS = "builtin:digits"


@dataclass(frozen=True)
class RealPictures(Sequence[Tensor]):
    """Pictures of one size, kept in 8 bits; an item is [C,R,R] in [-1,1].

    Attributes:
        names: What each is called.
        pixels: The bytes of each [C,R,R].
        refused: Why others could not be used.
    """

    names: list[str]
    pixels: list[Tensor]
    refused: list[str]

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return from_uint8(self.pixels[index])

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def digest(self) -> str:
        """SHA-256 of all pixels: the same pictures in the same order have the same."""
        found = hashlib.sha256()
        for picture in self.pixels:
            found.update(picture.numpy().tobytes())
        return found.hexdigest()


def read_real(
    sources: Sequence[str],
    g: Generator,
    most: int | None = None,
    crop: Crop = "center",
    max_upscale: float = 4.0,
) -> RealPictures:
    """Read pictures at a generator's size: the first ``most`` that can be used.

    Args:
        sources: Picture files, folders and patterns as in ``find_pictures``, or
            ``builtin:digits``, the digits that the bundled models were not trained on.
        g: The generator.
        most: Pictures at most; None takes all.
        crop: As in ``load_image``.
        max_upscale: As in ``load_image``.

    Raises:
        ImageError: If none can be used.
    """
    found = RealPictures([], [], [])
    for source in sources:
        for name, image in _pictures(source, g, crop, max_upscale):
            if most is not None and len(found) == most:
                return found
            if isinstance(image, ImageError):
                found.refused.append(plain_text(told(image)))
            else:
                found.names.append(name)
                found.pixels.append(to_uint8(image))
    if not found.pixels:
        others = f" (and {len(found.refused) - 1} more)" if len(found.refused) > 1 else ""
        raise ImageError(f"no real picture can be used: {found.refused[0]}{others}")
    return found


def _pictures(
    source: str, g: Generator, crop: Crop, max_upscale: float
) -> Iterator[tuple[str, Tensor | ImageError]]:
    """Yield the name of each picture, and its pixels or why it has none."""
    path = Path(source)
    try:
        if source == DIGITS:
            yield from _digits(g)
            return
        files = find_pictures([source])
    except ImageError as error:
        yield source, error
        return
    for file in files:
        name = plain_text(file.relative_to(path) if path.is_dir() else file)
        try:
            yield name, load_image(file, g.resolution, g.channels, crop, max_upscale)
        except ImageError as error:
            yield name, error


def _digits(g: Generator) -> Iterator[tuple[str, Tensor]]:
    if g.resolution != RESOLUTION:
        raise ImageError(
            f"{DIGITS}: {RESOLUTION} pixels wide, but this generator makes {g.resolution}"
        )
    pictures, labels = digits("held-out")
    images = pixels_to_tensor(pictures, g.channels)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield f"scan {i} ({label})", image
