"""The pictures of edits: each latent moved along each direction by each strength."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cli.models import Model
from cli.options.completion import DIRECTIONS_FILE
from cli.options.rendering import RenderingRequest
from cli.projecting.files import ALIGNMENT, carry_alignment
from cli.projecting.origin import Origin, check_origins
from cli.projecting.saved_latents import SavedLatent
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import table_of, write_table
from cli.running.interrupt import unwind_on_sigterm
from cli.running.progress import ProgressBar
from cli.text import counted, number_ranges, say
from latentlab import Generator, LatentError
from latentlab.editing.directions import Direction, Directions, load_directions, move
from latentlab.files import make_directory, sha256_of
from latentlab.foreign_files.opening import all_unchanging
from latentlab.images import save_image, save_picture
from latentlab.latents import save_ws
from latentlab.networks.placement import placing_rows
from latentlab.video.writer import video_writer

TABLE, LATENTS = "edits.csv", "w.npz"

_UNSAFE = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Edits:
    """What is edited, how far, and where the results go."""

    request: RenderingRequest
    pictures: Sequence[SavedLatent]
    directions: Sequence[Direction]
    strengths: list[float]  # in deviations of w, in the order of the filmstrip
    layers: tuple[int, ...] | None  # None: all
    method: str  # how the directions were found
    frames: int  # of a video, from one end to the other

    def place(self, picture: SavedLatent, direction: Direction) -> Path:
        """Return the folder of one picture's edits along one direction."""
        names = folder_names([one.name for one in self.directions])
        return self.request.output / picture.name / names[direction.name]

    def frame(self, picture: SavedLatent, direction: Direction, number: int) -> Path:
        """Return the file of one edit: 03_+1.5.png."""
        name = f"{number:02d}_{self.strengths[number]:+g}.png"
        return self.place(picture, direction) / name

    def settings(self) -> dict[str, Any]:
        """Return what the manifest says of the edits."""
        return {
            "pictures": [picture.name for picture in self.pictures],
            "directions": [direction.name for direction in self.directions],
            "method": self.method,
            "strengths": self.strengths,
            "layers": "all" if self.layers is None else number_ranges(self.layers),
        }

    @property
    def frame_count(self) -> int:
        """How many frames are rendered, those of videos among them."""
        moves = len(sweep(self)) if self.request.video else 0
        return len(self.pictures) * len(self.directions) * (len(self.strengths) + moves)

    def latents(self, picture: SavedLatent, direction: Direction) -> list[Tensor]:
        """Return the picture's latent [1,num_ws,w_dim] moved by each strength."""
        return [move(picture.ws, direction, strength, self.layers) for strength in self.strengths]


def read_directions(path: Path, model: Model, any_checkpoint: bool) -> tuple[Path, Directions, str]:
    """Read directions for a model from their file, or from the folder that it is in.

    Returns:
        The file, the directions, and the SHA-256 of the file.

    Raises:
        LatentError: If they cannot be read, do not fit, or were found in another checkpoint.
    """
    file = path / DIRECTIONS_FILE if path.is_dir() else path
    with all_unchanging(file):
        found, digest = load_directions(file, model.g.w_dim), sha256_of(file)
    origin = Origin.of({**found.settings, "sha256": found.sha256})
    check_origins({file: origin}, model, any_checkpoint)
    return file, found, digest


def anchored(
    g: Generator, pictures: Sequence[SavedLatent], layers: tuple[int, ...] | None
) -> tuple[list[SavedLatent], tuple[int, ...]]:
    """Put pictures where the mean picture is, and let edits leave them there, see Generator.

    Args:
        g: Of StyleGAN3.
        pictures: What is edited.
        layers: Those that are moved; None takes all.

    Returns:
        The pictures, and the layers without those that place them.

    Raises:
        LatentError: If only layers that place pictures would be moved, or the generator draws at
            a fixed place.
    """
    held = placing_rows(g.synthesis)
    free = tuple(i for i in layers or range(g.num_ws) if i >= held)
    if not free:
        raise LatentError("an anchored picture keeps the first layers; move others by --layers")
    placed = [
        replace(picture, ws=g.anchored(picture.ws.to(g.device)).cpu()) for picture in pictures
    ]
    return placed, free


def planned_files(edits: Edits) -> list[Path]:
    """Return all files that drawing writes: the table, the filmstrips, and what is in folders."""
    files = [edits.request.output / TABLE, *(_strip(edits, picture) for picture in edits.pictures)]
    for picture in edits.pictures:
        for direction in edits.directions:
            files += [edits.frame(picture, direction, i) for i in range(len(edits.strengths))]
            names = [LATENTS, *([edits.request.video] if edits.request.video else [])]
            files += [edits.place(picture, direction) / name for name in names]
        if picture.alignment is not None:
            files.append(edits.request.output / picture.name / ALIGNMENT)
    return files


def draw(g: Generator, edits: Edits) -> None:
    """Render and write all edits, one picture after the other; the table comes last."""
    rows: list[dict[str, Any]] = []
    strip = len(edits.directions) * len(edits.strengths)
    size = tile_size(g.resolution, strip, SCREEN)
    # Unwinding leaves no half-written video behind.
    with unwind_on_sigterm(), ProgressBar(edits.frame_count, "editing", unit="frame") as bar:

        def render(ws: Tensor, noise: list[Tensor] | None) -> Tensor:
            image = render_ws(g, ws, noise=noise)
            bar.advance()
            return image

        for picture in edits.pictures:
            with_noise = partial(render, noise=picture.noise(g))
            lines = []
            for direction in edits.directions:
                lines.append(_edit(edits, picture, direction, with_noise, size))
                rows += _rows(edits, picture, direction)
            above = [f"{strength:+g}" if strength else "0" for strength in edits.strengths]
            beside = [direction.name for direction in edits.directions]
            save_picture(_strip(edits, picture), sheet(lines, above, beside))
            carry_alignment(picture.alignment, edits.request.output / picture.name)
    write_table(table_of(rows), edits.request.output / TABLE)
    say(f"{counted(len(edits.pictures), 'filmstrip')} in {edits.request.output}")


def sweep(edits: Edits) -> list[float]:
    """Return the strengths of a video's frames, from the least to the greatest and back."""
    low, high = min(edits.strengths), max(edits.strengths)
    there = torch.linspace(low, high, edits.frames, dtype=torch.float64).tolist()
    return [*there, *there[-2:0:-1]]


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Return a folder's name for each direction: what no file can be called becomes _."""
    found: dict[str, str] = {}
    for name in names:
        safe = _UNSAFE.sub("_", name).strip(".")[:64] or "direction"
        taken = {each.casefold() for each in found.values()}
        candidates = (safe if i == 1 else f"{safe}-{i}" for i in count(1))
        found[name] = next(each for each in candidates if each.casefold() not in taken)
    return found


def _strip(edits: Edits, picture: SavedLatent) -> Path:
    return edits.request.output / f"{picture.name}.png"


def _edit(
    edits: Edits,
    picture: SavedLatent,
    direction: Direction,
    render: Callable[[Tensor], Tensor],
    size: int,
) -> list[Image.Image]:
    """Write one picture's edits along one direction, and return them as tiles."""
    place = make_directory(edits.place(picture, direction))
    tiles = []
    for number, ws in enumerate(edits.latents(picture, direction)):
        image = render(ws)
        save_image(edits.frame(picture, direction, number), image)
        tiles.append(tile(image, size))
    save_ws(place / LATENTS, torch.cat(edits.latents(picture, direction)))
    if edits.request.video:
        with video_writer(place / edits.request.video, edits.request.fps) as write:
            for strength in sweep(edits):
                write(render(move(picture.ws, direction, strength, edits.layers)))
    return tiles


def _rows(edits: Edits, picture: SavedLatent, direction: Direction) -> list[dict[str, Any]]:
    """Return one row of the table for each strength."""
    layers = list(edits.layers or range(picture.ws.shape[1]))
    latents = edits.latents(picture, direction)
    return [
        {
            "picture": picture.name, "direction": direction.name, "method": edits.method,
            "strength": strength, "position": float(direction.positions(ws)[0, layers].mean()),
            "deviation": direction.deviation,
            "file": str(edits.frame(picture, direction, i).relative_to(edits.request.output)),
        }
        for i, (strength, ws) in enumerate(zip(edits.strengths, latents, strict=True))
    ]  # fmt: skip
