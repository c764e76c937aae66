"""The pictures of edits: each latent moved along each direction by each strength."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from cli.projecting.saved_latents import SavedLatent
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import write_table
from cli.running.interrupt import unwind_on_sigterm
from cli.running.progress import ProgressBar
from latentlab import Generator
from latentlab.editing.directions import Direction, move
from latentlab.files import make_directory
from latentlab.images import save_image, save_picture
from latentlab.latents import save_ws
from latentlab.video.writer import video_writer

TABLE, LATENTS = "edits.csv", "w.npz"

_UNSAFE = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Plan:
    """What is edited, how far, and where the results go.

    Attributes:
        folder: For all results.
        pictures: The latents.
        directions: To move them along.
        strengths: In deviations of w, in the order of the filmstrip.
        layers: To move; None: all.
        method: How the directions were found.
        video: Name of a video for each picture and direction, or None.
        fps: Of the videos.
        frames: Of a video from one end to the other.
    """

    folder: Path
    pictures: Sequence[SavedLatent]
    directions: Sequence[Direction]
    strengths: list[float]
    layers: tuple[int, ...] | None
    method: str
    video: str | None
    fps: float
    frames: int

    def place(self, picture: SavedLatent, direction: Direction) -> Path:
        """Return the folder of one picture's edits along one direction."""
        names = folder_names([one.name for one in self.directions])
        return self.folder / picture.name / names[direction.name]

    def frame(self, picture: SavedLatent, direction: Direction, number: int) -> Path:
        """Return the file of one edit: 03_+1.5.png."""
        name = f"{number:02d}_{self.strengths[number]:+g}.png"
        return self.place(picture, direction) / name


def planned_files(plan: Plan) -> list[Path]:
    """Return all files that drawing writes."""
    files = [plan.folder / TABLE, *(_strip(plan, picture) for picture in plan.pictures)]
    for picture in plan.pictures:
        for direction in plan.directions:
            files += [plan.frame(picture, direction, i) for i in range(len(plan.strengths))]
            names = [LATENTS, *([plan.video] if plan.video else [])]
            files += [plan.place(picture, direction) / name for name in names]
    return files


def draw(g: Generator, plan: Plan) -> None:
    """Render and write all edits, a picture after the other; the table comes last."""
    rows: list[dict[str, Any]] = []
    strip = len(plan.directions) * len(plan.strengths)
    size = tile_size(g.resolution, strip, SCREEN)
    moves = len(sweep(plan)) if plan.video else 0
    total = len(plan.pictures) * (strip + moves * len(plan.directions))
    # Unwound, no half of a video stays behind.
    with unwind_on_sigterm(), ProgressBar(total, "editing", unit="frame") as bar:
        for picture in plan.pictures:
            noise = picture.noise(g)
            lines = []
            for direction in plan.directions:
                lines.append(_edit(g, plan, picture, direction, noise, size, rows, bar))
            above = [caption(strength) for strength in plan.strengths]
            beside = [direction.name for direction in plan.directions]
            save_picture(_strip(plan, picture), sheet(lines, above, beside))
    write_table(pd.DataFrame(rows), plan.folder / TABLE)


def sweep(plan: Plan) -> list[float]:
    """Return the strengths of a video's frames, from the least to the greatest and back."""
    low, high = min(plan.strengths), max(plan.strengths)
    there = torch.linspace(low, high, plan.frames, dtype=torch.float64).tolist()
    return [*there, *there[-2:0:-1]]


def caption(strength: float) -> str:
    """Write a strength for a person: "+1.5", "0"."""
    return f"{strength:+g}" if strength else "0"


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Return a folder's name for each direction: what no file can be called becomes _."""
    found: dict[str, str] = {}
    for name in names:
        safe = _UNSAFE.sub("_", name).strip(".")[:64] or "direction"
        taken = {each.casefold() for each in found.values()}
        candidates = (safe if i == 1 else f"{safe}-{i}" for i in count(1))
        found[name] = next(each for each in candidates if each.casefold() not in taken)
    return found


def _strip(plan: Plan, picture: SavedLatent) -> Path:
    return plan.folder / f"{picture.name}.png"


def _edit(
    g: Generator,
    plan: Plan,
    picture: SavedLatent,
    direction: Direction,
    noise: list[Tensor] | None,
    size: int,
    rows: list[dict[str, Any]],
    bar: ProgressBar,
) -> list[Image.Image]:
    """Write one picture's edits along one direction, add their rows, and return their tiles."""
    place = make_directory(plan.place(picture, direction))
    moved = [move(picture.ws, direction, strength, plan.layers) for strength in plan.strengths]
    tiles = []
    for i, (strength, ws) in enumerate(zip(plan.strengths, moved, strict=True)):
        image = render_ws(g, ws, noise=noise)
        file = plan.frame(picture, direction, i)
        save_image(file, image)
        tiles.append(tile(image, size))
        chosen = list(plan.layers or range(g.num_ws))
        rows.append({
            "picture": picture.name, "direction": direction.name, "method": plan.method,
            "strength": strength, "position": float(direction.positions(ws)[0, chosen].mean()),
            "deviation": direction.deviation, "file": str(file.relative_to(plan.folder)),
        })  # fmt: skip
        bar.advance()
    save_ws(place / LATENTS, torch.cat(moved))
    if plan.video:
        with video_writer(place / plan.video, plan.fps) as write:
            for strength in sweep(plan):
                write(render_ws(g, move(picture.ws, direction, strength, plan.layers), noise=noise))
                bar.advance()
    return tiles
