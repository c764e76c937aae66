"""The folder of a measuring command: claimed before the work, filled whole after it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cli.measuring.partial import remove_all
from cli.models import Model
from cli.options.measuring import MeasuringRequest
from cli.reports.numbers import ROUNDED, rounded_rows
from cli.reports.page import Page
from cli.reports.plot_style import save_figure
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest, write_table
from cli.running.announcement import open_first
from cli.text import say
from latentlab import OutputError
from latentlab.images import save_picture
from latentlab.version import __version__
from metrics import MetricResult

PAGE = "report.html"

# Columns of the rows that the page says elsewhere, or that are for programs.
_NOT_ON_PAGE = ["metric", "better_when", "settings", "seconds", "sha256"]


class Results:
    """Tables, plots and pictures of one command, which are also shown on its page if asked for.

    Attributes:
        request: What the command line asks for.
        folder: Where they go.
        page: What ``report.html`` will hold.
        planned: All files that will be there.
    """

    def __init__(self, request: MeasuringRequest, title: str, files: Sequence[str]) -> None:
        """Plan the results, and refuse those that exist already."""
        self.folder, self.request = request.output, request
        self.page = Page(title)
        self._written: list[Path] = []
        names = [request.report, *files, *([PAGE] if request.html else []), MANIFEST]
        if len(set(names)) < len(names):
            raise OutputError(
                f"{request.report} is a name of another result; choose another --report"
            )
        self.planned = [self.folder / name for name in names]
        refuse_existing(self.planned, request.overwrite)

    def tell(self, *lines: str) -> None:
        """Say what was found, and put it first on the page."""
        for line in lines:
            say(line)
        self.page.lead += lines

    def warn(self, *cautions: str) -> None:
        """Say what there is to doubt, and put it near the top of the page."""
        for caution in cautions:
            say(caution)
            self.page.caution(caution)

    def file(self, name: str) -> Path:
        """Return the path of a result that the caller writes."""
        self._written.append(self.folder / name)
        return self._written[-1]

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table by the suffix of its name."""
        write_table(frame, self.file(name))

    def picture(self, name: str, picture: Image.Image, caption: str) -> None:
        """Write a picture as PNG, and show it on the page."""
        save_picture(self.file(name), picture)
        self.page.picture(self.folder / name, caption)

    def figure(self, name: str, figure: Figure, caption: str) -> None:
        """Write a plot as PNG, and show it on the page."""
        save_figure(self.file(name), figure)
        self.page.picture(self.folder / name, caption)

    def finish(self, rows: pd.DataFrame, settings: dict[str, Any]) -> None:
        """Write the report, the page, and last the manifest; then drop the kept batches.

        ``rows`` are Model.tidy's; ``settings`` appear in the manifest and at the end of the page.
        """
        self.table(self.request.report, rows)
        if self.request.html:
            self._add_numbers(rows)
            self.page.section("How it was measured")
            facts = [(key.replace("_", " "), _plain(value)) for key, value in settings.items()]
            self.page.table(pd.DataFrame(facts, columns=["setting", "value"]))
            self.page.write(self.file(PAGE), f"Made by latentlab {__version__}.")
        notes = [note for note in rows.get("note", pd.Series()).unique() if note]
        told = {**settings, "cautions": notes} if notes else settings
        write_manifest(self.folder, told, self._written)
        remove_all(self.folder)

    def _add_numbers(self, rows: pd.DataFrame) -> None:
        """Show the rows, those of each metric in a table of their own: their columns differ."""
        self.page.section("Numbers")
        hidden = [*_NOT_ON_PAGE, *(["model"] if rows["model"].nunique() == 1 else [])]
        metrics = rows["metric"] if "metric" in rows else pd.Series("", rows.index)
        for metric, part in rows.groupby(metrics, sort=False):
            caption = str(metric).replace("_", " ") if metrics.nunique() > 1 else ""
            shown = part.drop(columns=hidden, errors="ignore").replace("", None)
            shown = rounded_rows(shown.dropna(axis=1, how="all"))
            self.page.table(shown, f"{caption[:1].upper()}{caption[1:]}", numeric=ROUNDED)

    def finish_one(self, model: Model, result: MetricResult, **more: Any) -> None:
        """Finish with what one model was measured by, and say where to look."""
        facts = {**model.facts(), **result.settings, **more, "seconds": round(result.seconds, 1)}
        self.finish(model.tidy(result), facts)
        self.point()

    def point(self) -> None:
        """Say where the results are, and which to open first: the page, or the first picture."""
        say(f"See {self.folder}")
        pictures = [path for path in self._written if path.suffix == ".png"]
        page = [self.folder / PAGE] if self.request.html else []
        open_first([*page, *pictures, *self._written][0])


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    return "none" if value is None else str(value)
