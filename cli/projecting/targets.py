"""Reading a picture, and its mask, as a generator should see it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from cli.options.pictures import PictureRequest
from cli.pictures.faces import CutFace, FaceSource, cut_face
from cli.pictures.records import Record, Source, opened_picture
from cli.projecting.files import ALIGNMENT
from latentlab import DataError, Generator, ImageError
from latentlab.encoders import encoder_input
from latentlab.faces import Alignment, load_alignment
from latentlab.images import (
    SUFFIXES,
    Crop,
    DecodePolicy,
    decode,
    fit,
    flatten,
    picture_to_tensor,
    policy_for,
)
from latentlab.projection.masks import BLACK, mask_from


@dataclass(frozen=True)
class Target:
    """A picture to project.

    Attributes:
        source: Its file.
        image: Its pixels [C,R,R] in [-1,1].
        note: What a user should know of how it was read.
        facts: What a report says of it: the size of the upright picture.
        alignment: Where its face was, if it was aligned.
        mask: What counts of it [1,R,R] in [0,1], if not everything.
        encoded: What an encoder is to see of it [3,height,width] in [-1,1], if there is one.
    """

    source: Source
    image: Tensor
    note: str
    facts: dict[str, Any]
    alignment: Alignment | None = None
    mask: Tensor | None = None
    encoded: Tensor | None = None


class TargetReader:
    """Reads pictures at a generator's size."""

    def __init__(
        self,
        g: Generator,
        request: PictureRequest,
        encoder_size: tuple[int, int] | None = None,
    ) -> None:
        """Open what finds faces, if faces are wanted.

        Args:
            g: The generator.
            request: How pictures are read.
            encoder_size: Height and width of what an encoder is to see of them, if there is one.

        Raises:
            click.UsageError: If it is said where faces are, but not that they are wanted, or
                the reverse.
        """
        self._resolution, self._channels = g.resolution, g.channels
        self._request, self._policy = request, request.decoding.policy()
        self._encoder_size = encoder_size
        if request.crop != "face":  # faces are cut from opaque photos
            self._policy = policy_for(g.channels, self._policy)
        faces = request.faces
        if request.crop != "face" and (faces.landmarks or faces.face_model):
            raise click.UsageError("--landmarks and --face-model go with --crop face.")
        self._faces = FaceSource(faces) if request.crop == "face" else None

    def __call__(self, path: Path) -> Target:
        """Read a picture.

        Raises:
            ImageError: If it, or its mask, cannot be read or used; NoFaceError if it has no face.
        """
        with opened_picture(path) as (source, file):
            decoded = decode(file, str(path), self._policy)
        face = self._face(decoded.picture, path)
        cut = partial(self._centre, path=path) if face is None else face.cut
        picture = cut(decoded.picture) if face is None else face.picture
        notes = filter(None, [*decoded.notes, face.note if face else ""])
        width, height = decoded.picture.size
        return Target(
            source, picture_to_tensor(picture, self._channels), "; ".join(notes),
            {"width": width, "height": height},
            replace(face.alignment, sha256=source.sha256) if face else None,
            self._mask(path, decoded.picture, cut),
            self._encoded(decoded.picture, face),
        )  # fmt: skip

    def check(self, pictures: Iterable[Path]) -> None:
        """Raise DataError where landmarks could be of several of these pictures."""
        if self._faces is not None:
            self._faces.check(pictures)

    def is_current(self, record: Record, folder: Path) -> bool:
        """Whether a picture's face is still where it was when it was projected."""
        try:
            found = None if self._faces is None else self._faces.recall(Path(record.source.path))
            return found is None or load_alignment(folder / ALIGNMENT).points == found.points
        except (DataError, ImageError):
            return False

    def _face(self, picture: Image.Image, path: Path) -> CutFace | None:
        if self._faces is None:
            return None
        try:
            return cut_face(picture, path, self._faces, self._resolution, self._request.max_upscale)
        except DataError as error:
            raise ImageError(f"{path}: {error.message}", advice=error.advice) from error

    def _centre(self, whole: Image.Image, path: Path) -> Image.Image:
        crop: Crop = "none" if self._request.crop == "none" else "center"
        return fit(whole, self._resolution, crop, self._request.max_upscale, str(path))

    def _encoded(self, whole: Image.Image, face: CutFace | None) -> Tensor | None:
        """Return what an encoder sees: the picture as it was cropped, before it is resized."""
        if self._encoder_size is None:
            return None
        square = fit(whole, min(whole.size)) if face is None else face.picture
        return encoder_input(flatten(square), self._encoder_size)

    def _mask(
        self, path: Path, picture: Image.Image, cut: Callable[[Image.Image], Image.Image]
    ) -> Tensor | None:
        file = self._request.mask
        if file is None:
            return None
        if file.is_dir():
            files = [file / f"{path.stem}{suffix}" for suffix in (path.suffix, *SUFFIXES)]
            file = next((each for each in files if each.is_file()), files[0])
        mask = decode(file, policy=DecodePolicy(background=BLACK)).picture
        if mask.size != picture.size:
            raise ImageError(
                f"{file}: {mask.width}x{mask.height}, but {path} is "
                f"{picture.width}x{picture.height}; a mask has the size of its picture"
            )
        return mask_from(cut(mask), str(file))
