"""Where projections go on from: saved latents, with the noise maps beside them."""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePath

import torch
from torch import Tensor

from cli.models import Model
from cli.projecting.files import NOISE, W
from cli.projecting.latent_rows import Rows, noise_for, ws_of
from cli.projecting.origin import Origin, check_origins, origin_of
from cli.projecting.saved_latents import LatentFile, latent_files
from cli.projecting.targets import Target
from cli.text import counted, plain_text, say
from latentlab import Generator, ImageError, LatentError, distributed
from latentlab.encoders import Encoder
from latentlab.latents import load_noise
from latentlab.projection.start import ProjectionStart


class SavedStarts:
    """Saved latents to start from: one for all pictures, or one for each by its name."""

    def __init__(
        self,
        path: Path,
        model: Model,
        space: str,
        any_checkpoint: bool = False,
        pictures: Collection[Path] | None = None,
    ) -> None:
        """Find them, and refuse those of another checkpoint before anything is projected.

        Args:
            path: A file, or a folder that ``latentlab project`` wrote.
            model: What they are to be used with.
            space: That of the projections: "w" or "w+".
            any_checkpoint: Whether those of another checkpoint are taken all the same.
            pictures: Those to be projected, in the order of their files; None if in another one.

        Raises:
            LatentError: If there are none, they belong to another checkpoint, or to W+ alone.
        """
        if not path.exists():
            raise LatentError(f"{path}: no such file or folder; give saved latents to start from")
        self._path, self._g = path, model.g
        files = latent_files(path)
        # A projection's own folder, or a file, is one start for all unless it has several.
        self._by_name = {file.name: file for file in files}
        alone = len(files) == 1 and files[0].path.parent in (path, path.parent)
        self._for_all = files[0] if alone else None
        self._pictures: dict[str, ProjectionStart] = {}
        origins: dict[Path, Origin] = {file.path: origin_of(file.path) for file in files}
        if self._for_all is not None:
            ws, rows = ws_of(self._for_all.path, self._g)
            origins = {self._for_all.path: rows.origin}
            ProjectionStart(ws).checked(self._g, len(ws), space)
            if len(ws) > 1:
                self._pictures = self._one_each(ws, rows, pictures)
        check_origins(origins, model, any_checkpoint)

    def of(self, picture: Path, name: str, _: Target) -> ProjectionStart:
        """Return where a picture starts, with noise maps where those are saved with the latents.

        Args:
            picture: Its path, by which a file of many latents names it.
            name: Of its folder.

        Raises:
            ImageError: If there are none that it could start from.
        """
        try:
            if self._pictures:
                return self._row(picture)
            file = self._for_all or self._by_name.get(name)
            if file is None:
                raise LatentError(f"{self._path / name / W}: no such file")
            return self._read(file)
        except LatentError as error:
            message = f"no start for {name}: {error.message}"
            raise ImageError(message, advice=error.advice) from error

    def _one_each(
        self, ws: Tensor, rows: Rows, pictures: Collection[Path] | None
    ) -> dict[str, ProjectionStart]:
        """Return the starts of a file by picture: by its names or, without any, in order."""
        names = rows.pictures
        if names is None:
            if pictures is None or len(pictures) != len(ws):
                raise LatentError(
                    f"{self._path}: {len(ws)} latents without names, for "
                    f"{counted(len(pictures), 'picture') if pictures else 'pictures in no order'}; "
                    "give as many pictures, or a single latent"
                )
            if distributed.is_main():
                say(f"{plain_text(self._path)}: its latents have no names, and are taken in order.")
            names = tuple(map(str, pictures))
        starts = [self._start(one, rows, i) for i, one in enumerate(ws.split(1))]
        return dict(zip(names, starts, strict=True))

    def _start(self, ws: Tensor, rows: Rows, number: int) -> ProjectionStart:
        maps = rows.noise[number] if rows.noise else ()
        return ProjectionStart(ws, noise_for(self._g, maps, str(self._path)) if maps else None)

    def _row(self, picture: Path) -> ProjectionStart:
        """Return the start of a picture: of the same path or, if there is just one, file name."""
        if str(picture) in self._pictures:
            return self._pictures[str(picture)]
        named = [(PurePath(path), start) for path, start in self._pictures.items()]
        same = [start for path, start in named if path.name == picture.name]
        same = same or [start for path, start in named if path.name == picture.stem]
        if len(same) != 1:
            found = f"{len(same)} pictures" if same else "no picture"
            raise LatentError(f"{self._path}: names {found} {picture.name}")
        return same[0]

    def _read(self, file: LatentFile) -> ProjectionStart:
        noise = file.path.with_name(NOISE)
        ws, rows = ws_of(file.path, self._g)
        start = self._start(ws, rows, 0)
        has_noise = noise.is_file() and bool(self._g.synthesis.noise_shapes)
        maps = load_noise(noise, self._g) if has_noise and start.noise is None else None
        if len(ws) != 1 or (maps and len(maps[0]) != 1):
            raise LatentError(f"{file.path}: holds {len(ws)} latents; a start is a single one")
        return ProjectionStart(ws, maps) if maps else start


class EncodedStarts:
    """What an encoder gives, to start from."""

    def __init__(self, encoder: Encoder, g: Generator, space: str) -> None:
        """Refuse an encoder whose latents do not fit the generator.

        Raises:
            CheckpointError: If they do not.
        """
        encoder.check(g)
        self._encoder, self._g, self._space = encoder.to(g.device), g, space

    def of(self, _: Path, __: str, target: Target) -> ProjectionStart:
        """Return where a picture starts, without noise maps.

        In space "w" that is the mean of the rows, which of all single w is closest to them.
        """
        if target.encoded is None:
            raise AssertionError("the reader was not told of the encoder")
        ws = self._encoder.ws_for(self._g, target.encoded[None])
        if self._space == "w":
            ws = ws.mean(dim=1, keepdim=True).expand_as(ws).contiguous()
        return ProjectionStart(ws)


def together(starts: Sequence[ProjectionStart]) -> ProjectionStart:
    """Return the starts of several pictures as one."""
    maps = [start.noise for start in starts if start.noise is not None]
    noise = [torch.cat(level) for level in zip(*maps, strict=True)]
    ws = torch.cat([start.ws for start in starts])
    return ProjectionStart(ws, noise if len(maps) == len(starts) else None)
