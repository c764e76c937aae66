"""The frames of a walk between pictures: rendered one by one, written as they are made."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from cli.models import RenderingModel
from cli.options.rendering import RenderingRequest
from cli.projecting.saved_latents import SavedLatent
from cli.rendering.render import render_ws
from cli.rendering.sheets import SCREEN, sheet, tile, tile_size
from cli.reports.tables import write_table
from cli.running.interrupt import unwind_on_sigterm
from cli.running.progress import ProgressBar
from cli.text import counted, say
from latentlab import Generator
from latentlab.editing.interpolation import Place, between_noise, between_ws, between_z
from latentlab.files import make_directory
from latentlab.images import save_image, save_picture
from latentlab.latents import save_ws, z_from_seeds
from latentlab.networks.synthesis import NoiseMode
from latentlab.numerics import full_precision
from latentlab.video.writer import Write, video_writer

TABLE, LATENTS, STRIP, FRAMES = "frames.csv", "frames.npz", "strip.png", "frames"

_COLUMNS = 9  # of the strip: pictures of one leg
_LEGS = 20  # rows of the strip, at most

WsAt = Callable[[Place], Tensor]  # to [1,num_ws,w_dim]


@dataclass(frozen=True)
class Walk:
    """A walk to draw: its pictures, its places, and where the results go."""

    request: RenderingRequest
    keys: Sequence[SavedLatent]
    places: Sequence[Place]
    ws_at: WsAt
    noise_mode: str  # "ends", "const" or "none"
    pictures: bool  # whether the frames are written one by one

    def frame(self, number: int) -> Path:
        """Return the file of a frame."""
        return self.request.output / FRAMES / f"{number:05d}.png"


def on_lines(keys: Sequence[SavedLatent]) -> WsAt:
    """Return a function that finds latents on straight lines in W."""
    return lambda place: between_ws(keys[place.start].ws, keys[place.end].ws, place.t)


def on_circles(model: RenderingModel, seeds: Sequence[int]) -> WsAt:
    """Return a function that finds z on great circles, and maps it.

    Between classes their labels are mixed in the same proportions; where a generator has nothing
    between them, z is mapped for both, and the latents are mixed.
    """
    g = model.g
    keys = [(z_from_seeds([seed], g.z_dim), one.c) for seed in seeds for one in model.by_class]

    @torch.no_grad()
    @full_precision()
    def ws_at(place: Place) -> Tensor:
        (z, c), (last_z, last_c) = keys[place.start], keys[place.end]
        between = between_z(z, last_z, place.t).to(g.device)

        def mapped(label: Tensor | None) -> Tensor:
            ws: Tensor = g.mapping(between, label, *model.truncation)
            return ws.cpu()

        if c is None or last_c is None or torch.equal(c, last_c):
            return mapped(c)
        if g.mapping.blends_labels:
            return mapped(between_ws(c, last_c, place.t))
        return between_ws(mapped(c), mapped(last_c), place.t)

    return ws_at


def anchored(g: Generator, ws_at: WsAt) -> WsAt:
    """Return a function that finds the same latents with the place of the mean w, see Generator."""
    return lambda place: g.anchored(ws_at(place).to(g.device)).cpu()


def planned_files(walk: Walk) -> list[Path]:
    """Return all files that drawing writes."""
    video = [walk.request.video] if walk.request.video else []
    files = [walk.request.output / name for name in (TABLE, LATENTS, STRIP, *video)]
    return files + [walk.frame(i) for i in range(len(walk.places)) if walk.pictures]


def draw(g: Generator, walk: Walk) -> None:
    """Render and write all frames, then the strip, the latents and the table."""
    make_directory(walk.request.output / FRAMES if walk.pictures else walk.request.output)
    shown = _shown(walk)
    size = tile_size(g.resolution, _COLUMNS * min(len(walk.keys), _LEGS), SCREEN)
    wanted = {i for row in shown for i in row}
    tiles: dict[int, Image.Image] = {}
    latents = []
    video: AbstractContextManager[Write | None] = nullcontext()
    if walk.request.video:
        video = video_writer(walk.request.output / walk.request.video, walk.request.fps)
    bar = ProgressBar(len(walk.places), "walking", unit="frame")
    with unwind_on_sigterm(), bar, video as write:  # unwinding leaves no half-written video behind
        for i, (ws, image) in enumerate(_frames(g, walk)):
            latents.append(ws)
            if walk.pictures:
                save_image(walk.frame(i), image)
            if write is not None:
                write(image)
            if i in wanted:
                tiles[i] = tile(image, size)
            bar.advance()
    _save_strip(walk, shown, tiles)
    save_ws(walk.request.output / LATENTS, torch.cat(latents))
    write_table(_table(walk), walk.request.output / TABLE)
    say(f"{counted(len(walk.places), 'frame')} in {walk.request.output}")


def _frames(g: Generator, walk: Walk) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the latent [1,num_ws,w_dim] and the image [C,R,R] of each place."""
    stored = [layer.noise_const[None, None] for layer in g.synthesis.noise_layers]
    mode: NoiseMode = "none" if walk.noise_mode == "none" else "const"

    @lru_cache(maxsize=2)
    def maps(key: int) -> list[Tensor]:
        return walk.keys[key].noise(g) or stored

    for place in walk.places:
        ws = walk.ws_at(place)
        noise = None
        if walk.noise_mode == "ends" and stored:
            noise = between_noise(maps(place.start), maps(place.end), place.t)
        yield ws, render_ws(g, ws, mode, noise)


def _legs(walk: Walk) -> list[list[int]]:
    """Return the frames of each leg, from a picture to the next with both of them."""
    numbers = range(len(walk.places))
    ways = groupby(numbers, key=lambda i: (walk.places[i].start, walk.places[i].end))
    legs = [list(group) for _, group in ways]
    after = [*(leg[0] for leg in legs[1:]), 0]  # a loop's last leg ends with the first frame
    return [
        leg if walk.places[leg[-1]].t == 1 else [*leg, end]
        for leg, end in zip(legs, after, strict=True)
    ]


def _shown(walk: Walk) -> list[list[int]]:
    """Return the frames on each row of the strip, as evenly over the leg as there are any."""
    legs = _legs(walk)[:_LEGS]
    shares = [*(walk.places[i].t for i in legs[0][:-1]), 1.0]
    wanted = [i / (_COLUMNS - 1) for i in range(_COLUMNS)]
    nearest = {min(range(len(shares)), key=lambda i: abs(shares[i] - t)) for t in wanted}
    return [[leg[i] for i in sorted(nearest)] for leg in legs]


def _save_strip(walk: Walk, shown: list[list[int]], tiles: dict[int, Image.Image]) -> None:
    above = [f"{walk.places[i].t:.2g}" for i in shown[0][:-1]] + ["1"]
    beside = []
    for row in shown:
        place = walk.places[row[0]]
        beside.append(f"{walk.keys[place.start].name} to {walk.keys[place.end].name}")
    picture = sheet([[tiles[i] for i in row] for row in shown], above, beside)
    save_picture(walk.request.output / STRIP, picture)


def _table(walk: Walk) -> pd.DataFrame:
    rows = [
        (walk.keys[place.start].name, walk.keys[place.end].name, place.t) for place in walk.places
    ]
    return pd.DataFrame(rows, columns=["from", "to", "t"]).rename_axis("frame").reset_index()
