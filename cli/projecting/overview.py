"""A folder of projections as one page: what is worst first, how measures spread, what failed."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cli.projecting.files import COMPARISON, MASK, PROJECTED, TARGET
from cli.projecting.side_by_side import quality_lines
from cli.reports.page import Group, Page
from cli.reports.plot_style import colour, new_figure, quieten, save_figure
from cli.reports.tables import short, table_of
from cli.text import counted
from latentlab import ImageError
from latentlab.images import read_picture

PAGE, PLOT = "report.html", "distributions.png"

_MOST = 200  # pictures, or failures, that are shown
_SIDE = 128  # pixels of a thumbnail
_FEW = 3  # values of which no distribution is drawn
_QUALITY = 85  # of JPEG
_MEASURES = {"distance": "perceptual distance", "psnr": "PSNR (dB)"}


@dataclass(frozen=True)
class Shown:
    """A projected picture: its name, the folder of its files, and its row of the report."""

    name: str
    folder: Path
    row: Mapping[str, Any]


def write_overview(
    output: Path,
    pictures: Sequence[Shown],
    rows: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
) -> list[Path]:
    """Write the page, and the plot on it if there are enough pictures; returns both files.

    Args:
        output: The folder of the projections.
        pictures: Those that have files.
        rows: Those of all pictures, in the report's order.
        facts: The settings.
    """
    frame = table_of(picture.row for picture in pictures)
    for name in ("distance", "psnr", "mask_distance", "mask_psnr"):
        values = frame[name] if name in frame else pd.Series(index=frame.index, dtype=float)
        frame[name] = pd.to_numeric(values, errors="coerce")
    key = "mask_distance" if frame["mask_distance"].notna().any() else "distance"
    order = frame[key].sort_values(ascending=False, na_position="first", kind="stable").index
    worst_first = [pictures[i] for i in order]
    page = Page(f"Projections with {PurePath(str(facts['checkpoint'])).name}", _lead(rows, frame))
    files = [output / PAGE]
    if frame["distance"].count() >= _FEW:
        files.append(output / PLOT)
        save_figure(files[1], _distributions(frame))
        page.section("How the measures spread")
        page.picture(files[1], f"How many of {counted(len(frame), 'picture')} are how close. Less "
                     "distance and more PSNR are better.")  # fmt: skip
    _add_pictures(page, output, worst_first, key)
    _add_failures(page, rows)
    page.settings("How it was projected", facts)
    page.write(files[0])
    return files


def _lead(rows: Sequence[Mapping[str, Any]], frame: pd.DataFrame) -> list[str]:
    """Say how many were projected, and how well."""
    counts = pd.Series([row["status"] for row in rows], dtype=object).value_counts()
    others = [f"{count:,} {status}" for status, count in counts.items() if status != "ok"]
    done = f"{counts.get('ok', 0):,} of {counted(len(rows), 'picture')} projected"
    lines = [f"{'; '.join([done, ', '.join(others)]) if others else done}."]
    for name, title in (("distance", "Distance"), ("psnr", "PSNR in dB")):
        spreads = [_spread(frame[name]), _spread(frame[f"mask_{name}"])]
        told = [f"{where}{spread}" for spread, where in
                zip(spreads, ("", "within the mask "), strict=True) if spread]  # fmt: skip
        if told:
            lines.append(f"{title}: {'; '.join(told)}.")
    return lines


def _spread(values: pd.Series) -> str:
    """Say where numbers lie: "median 2, from 1 to 5"; "" if there are none."""
    low, mid, high = (short(float(number)) for number in values.quantile([0, 0.5, 1]))
    return f"median {mid}, from {low} to {high}" if values.count() > 1 else mid


def _distributions(frame: pd.DataFrame) -> Figure:
    """Draw histograms of distance and PSNR, of the whole pictures and within their masks."""
    figure = new_figure(2.9)
    series: dict[str, pd.Series] = {}
    panels = [name for name in _MEASURES if frame[name].notna().any()]
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        series = {"whole picture": frame[name], "within the mask": frame[f"mask_{name}"]}
        series = {label: values.dropna() for label, values in series.items()}
        series = {label: values for label, values in series.items() if len(values)}
        every = pd.concat(series.values())
        low, high = float(every.min()), float(every.max())
        spread = (low, high) if high > low else (low - 0.5, high + 0.5)
        bins = min(max(2 * math.isqrt(len(frame)), 8), 40)
        for i, (label, values) in enumerate(series.items()):
            axes.hist(values, bins=bins, range=spread, histtype="stepfilled", alpha=0.6,
                      color=colour(i), label=label)  # fmt: skip
        axes.set(xlabel=_MEASURES[name], ylabel="pictures")
        axes.yaxis.get_major_locator().set_params(integer=True)
        quieten(axes)
    if len(series) > 1:  # once, where it covers nothing
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2,
                      frameon=False)  # fmt: skip
    return figure


def _add_pictures(page: Page, output: Path, pictures: Sequence[Shown], key: str) -> None:
    if not pictures:
        return
    where = " within the mask" if key == "mask_distance" else ""
    shots = "Target, projection and mask" if where else "Target and projection"
    if len(pictures) > 1:
        page.section("Pictures, the worst first", f"{shots}, ordered by distance{where}.")
    else:
        page.section("The picture", f"{shots}.")
    if len(pictures) > _MOST:
        left_out = f"{len(pictures) - _MOST:,} closer ones are left out, and are in report.csv"
        page.text(f"These are the {_MOST} worst of {len(pictures):,}; the {left_out}.")
    page.gallery([_group(output, picture) for picture in pictures[:_MOST]])


def _group(output: Path, picture: Shown) -> Group:
    folder, row = picture.folder, picture.row
    lines = quality_lines(row)
    if row.get("ssim") is not None:
        lines[0] += f", SSIM {row['ssim']:.3f}"
    if row["status"] != "ok":
        lines.append(str(row["status"]))
    names = {"target": TARGET, "projection": PROJECTED, "mask": MASK}
    there = {title: folder / name for title, name in names.items() if (folder / name).is_file()}
    try:
        shots = [(_thumbnail(file), title) for title, file in there.items()]
    except ImageError as error:
        shots, lines = [], [*lines, str(error)]
    link = (folder / COMPARISON).relative_to(output)
    return Group(picture.name, link, shots, lines)


def _thumbnail(file: Path) -> bytes:
    """Return a small picture: as PNG, to the pixel, or reduced as JPEG."""
    picture, content = read_picture(file), io.BytesIO()
    if picture.width <= _SIDE:
        picture.save(content, format="PNG")
    else:
        reduced = picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        reduced.save(content, format="JPEG", quality=_QUALITY)
    return content.getvalue()


def _add_failures(page: Page, rows: Sequence[Mapping[str, Any]]) -> None:
    failed = [row for row in rows if row["status"] != "ok"]
    if not failed:
        return
    page.section("Left out, or not as it should be")
    told = [(row["picture"], row["status"], _reason(row)) for row in failed[:_MOST]]
    page.table(pd.DataFrame(told, columns=["picture", "status", "reason"]))
    if len(failed) > _MOST:
        page.text(f"{len(failed) - _MOST:,} more are in report.csv.")


def _reason(row: Mapping[str, Any]) -> str:
    """Return the note without the name of the picture, which stands beside it."""
    return str(row["note"]).removeprefix(f"{row['picture']}: ")
