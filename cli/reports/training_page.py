"""The page of a training run: curves of the losses, and the fakes of the same latents over time."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from cli.reports.page import Page
from cli.reports.plot_style import colour, new_figure, quieten, save_figure
from cli.reports.training import TrainingRun, kimg
from latentlab import ImageError
from latentlab.images import read_picture
from latentlab.training.log import LOG_FILE, read_log
from latentlab.training.run import GRID_SIDE
from latentlab.training.trainer import Trainer

PLOT = "contributions.png"  # of cli/measuring/contributions.py
PAGE, CURVES, FAKES = "report.html", "losses.png", "fakes.png"
FILES = (LOG_FILE, PAGE, CURVES, FAKES)  # that every run has from its first snapshot on

_PANELS = {  # what is drawn together; anything else has axes of its own
    "losses": ("g_loss", "d_loss"),
    "scores of the discriminator": ("real_score", "fake_score"),
}
_WORDS = {
    "g_loss": "generator", "d_loss": "discriminator", "real_score": "real pictures",
    "fake_score": "generated pictures", "r1_penalty": "R1 penalty",
}  # fmt: skip
_NO_CURVES = ("images", "images_per_second", "lod")
_POINTS = 500  # of a curve: long logs are drawn as means
_SHOWN, _COLUMNS = 12, 4  # grids of fakes, and of them in a row: the page stays small
_TILE, _LEAST = 256, 128  # pixels of a grid, and of a picture in it if it has as many


def write_training_page(trainer: Trainer, run: TrainingRun) -> Path:
    """Write the page, and the plots that are in it, from what is in the folder; whole."""
    folder, images = run.output, trainer.images_seen
    share = 100 * images / run.total
    state = "Finished" if images >= run.total else "Training"
    page = Page(
        f"{run.config_name} on {Path(run.data).name}",
        [f"{state}: {run.progress(images)} ({min(share, 100):.1f} %)."],
    )
    log = folder / LOG_FILE
    if log.exists():
        rows = read_log(log)
        page.section("Losses")
        save_figure(folder / CURVES, curves(rows))
        page.picture(folder / CURVES, "Means over every 32 steps, as in log.csv.")
        page.table(_last(rows), "The last row of log.csv.")
    grids = _thumbnails(shown_grids(folder, images), trainer.dataset.resolution)
    if grids:
        page.section("Generated pictures", _about_grids(trainer))
        save_figure(folder / FAKES, over_time(grids))
        page.picture(folder / FAKES, "Below each, how many thousand pictures had been shown.")
    shares = folder / PLOT
    if shares.exists():
        page.section("Share of each resolution")
        page.picture(shares, "Of the output of the averaged generator, as in contributions.csv.")
    page.settings("Settings", run.facts(trainer))
    page.write(folder / PAGE)
    return folder / PAGE


def curves(rows: pd.DataFrame) -> Figure:
    """Draw the columns of a log over thousands of pictures."""
    names = [n for n in rows.columns if n not in _NO_CURVES and rows[n].notna().any()]
    together = [n for group in _PANELS.values() for n in group]
    panels = {title: [n for n in group if n in names] for title, group in _PANELS.items()}
    panels |= {_in_words(n): [n] for n in names if n not in together}
    panels = {title: group for title, group in panels.items() if group}
    lines = -(-len(panels) // 2)
    figure = new_figure(2.3 * max(lines, 1))
    places = figure.subplots(max(lines, 1), 2, squeeze=False).ravel()
    means = rows.groupby(np.arange(len(rows)) * min(_POINTS, len(rows)) // len(rows)).mean()
    for axes, (title, group) in zip(places, panels.items(), strict=False):
        _draw(axes, means, group)
        axes.set_title(title, fontsize=10)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes in places[max(len(panels) - 2, 0) : len(panels)]:
        axes.set_xlabel("thousand pictures shown")
    return figure


def _draw(axes: Axes, means: pd.DataFrame, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        values = means[["images", name]].dropna()
        marker = "o" if len(values) == 1 else ""
        axes.plot(values["images"] / 1000, values[name], color=colour(i), linewidth=1.2,
                  marker=marker, label=_in_words(name))  # fmt: skip
    if len(names) > 1:
        axes.legend(fontsize=8, frameon=False)
    quieten(axes)


def shown_grids(folder: Path, images: int) -> dict[int, Path]:
    """Return grids of fakes by their pictures shown: the first, the last, and some between."""
    found = {}
    for path in sorted(folder.glob("fakes-*.png")):
        number = path.stem.removeprefix("fakes-")
        if number.isdecimal() and int(number) <= images:  # not of a run that was taken back
            found[int(number)] = path
    numbers = list(found)
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), _SHOWN)).round().astype(int)
    return {numbers[place]: found[numbers[place]] for place in places}


def _thumbnails(grids: dict[int, Path], resolution: int) -> dict[int, Image.Image]:
    """Read grids; training goes on without one that somebody has damaged."""
    found = {}
    for images, path in grids.items():
        with suppress(ImageError):
            found[images] = thumbnail(path, resolution)
    return found


def over_time(grids: dict[int, Image.Image]) -> Figure:
    """Draw the corners of grids in the order of the run; ``grids`` has them by pictures shown."""
    columns = min(len(grids), _COLUMNS)
    lines = -(-len(grids) // columns)
    figure = new_figure(2.2 * lines, 2.0 * columns)
    places = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in places:
        axes.set(xticks=[], yticks=[])
        axes.set_frame_on(False)
    for axes, (images, picture) in zip(places, grids.items(), strict=False):
        axes.imshow(np.asarray(picture), interpolation="nearest")
        axes.set_xlabel(f"{kimg(images)} kimg", fontsize=9)
    return figure


def thumbnail(path: Path, resolution: int) -> Image.Image:
    """Return as many whole pictures of a grid's corner as can be told apart, made small."""
    picture = read_picture(path)
    side = columns_of(resolution) * resolution
    corner = picture.crop((0, 0, min(side, picture.width), min(side, picture.height)))
    corner.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
    return corner


def columns_of(resolution: int) -> int:
    """Return how many pictures of a grid stand side by side in its thumbnail."""
    return max(min(_TILE // min(resolution, _LEAST), GRID_SIDE), 2)


def _about_grids(trainer: Trainer) -> str:
    count = columns_of(trainer.dataset.resolution) ** 2
    return (
        f"{count} pictures of the averaged generator, of latents that stay the same throughout. "
        f"All {GRID_SIDE**2} are in fakes-IMAGES.png, the real ones in reals.png."
    )


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    last = rows.iloc[-1:].dropna(axis=1).copy()
    last["images"] = last["images"].map("{:,}".format)
    last.columns = [name.replace("_", " ") for name in last.columns]
    return last


def _in_words(column: str) -> str:
    return _WORDS.get(column, column.replace("_", " "))
