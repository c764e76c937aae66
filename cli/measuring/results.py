"""The folder of a measuring command: claimed before the work, filled whole after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cli.measuring.partial import keep_small
from cli.measuring.saved import NAME, PAGE, SavedMeasurement, SavedModel, save
from cli.measuring.standing import Standing
from cli.models import Model
from cli.options.measuring import MeasuringRequest
from cli.reports.numbers import ROUNDED, rounded_rows
from cli.reports.page import Page
from cli.reports.plot_style import save_figure
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest, write_table
from cli.running.announcement import open_first
from cli.text import one_line, say
from latentlab import OutputError, distributed
from latentlab.images import save_picture
from metrics import MetricResult

# Columns of the rows that the page says elsewhere, or that are for programs.
_NOT_ON_PAGE = ["metric", "better_when", "settings", "seconds", "sha256"]


class Results:
    """Tables, plots and pictures of one command, which are also shown on its page if asked for.

    Attributes:
        request: What the command line asks for.
        folder: Where they go.
        page: What ``report.html`` will hold.
        names: Of all files that will be there, besides what is saved.
        standing: What the folder holds of an earlier run.
    """

    def __init__(self, request: MeasuringRequest, title: str, files: Sequence[str]) -> None:
        """Plan the results, and refuse those that exist already.

        Those of a finished measurement are judged once all is known that decides its numbers.
        """
        self.folder, self.request = request.output, request
        self.page, self.standing = Page(title), Standing()
        self._written: list[Path] = []
        self._asked: SavedMeasurement | None = None
        self.planned = [*files]
        self.names = [request.report, *files, *([PAGE] if request.html else []), MANIFEST]
        if len(set(self.names)) < len(self.names):
            raise OutputError(
                f"{request.report} is a name of another result; choose another --report"
            )
        judged_later = not request.overwrite and (self.folder / NAME).exists()
        refuse_existing([] if judged_later else [self.folder / name for name in self.names],
                        request.overwrite)  # fmt: skip

    def ask(self, asked: SavedMeasurement, standing: Standing) -> None:
        """Say what is to be measured, and what the folder holds of it."""
        self._asked, self.standing = asked, standing

    @property
    def saved(self) -> SavedMeasurement | None:
        """All that is asked for, where an earlier run has measured it."""
        return self.standing.saved

    @property
    def saved_models(self) -> list[SavedModel]:
        """What an earlier run has measured of each model; none where something is missing."""
        return [] if self.saved is None else self.saved.models

    def saved_or(self, facts: dict[str, Any], measure: Callable[[], MetricResult]) -> MetricResult:
        """Return what an earlier run has measured of the only model, or measure it, and save it."""
        (result,) = self.all_saved_or(facts, lambda: [measure()])
        return result

    def all_saved_or(
        self, facts: dict[str, Any], measure: Callable[[], list[MetricResult]], count: int = 1
    ) -> list[MetricResult]:
        """Return so many saved results of the only model, or measure them, and save them."""
        if self.saved is not None:
            (found,) = (each.results for each in self.saved.models)
            if len(found) != count:
                raise ValueError(f"{count} results were asked for")
        else:
            found = measure()
        self.save([SavedModel(facts, found)])
        return found

    def save(self, models: Sequence[SavedModel]) -> None:
        """Write what was measured, before anything is made from it.

        What was saved by an earlier run is written again: the look of its files may be another.
        """
        if self._asked is not None and distributed.is_main():
            made_by = (self.saved or self._asked).made_by
            now = replace(self._asked, made_by=made_by, models=[*models], files=self._tables)
            save(self.folder, now)

    @property
    def _tables(self) -> list[str]:
        """Names of the tables of the numbers, and of the page: those of an earlier run as well."""
        page = [PAGE] * self.request.html
        return [*dict.fromkeys([self.request.report, *page, *self.standing.files])]

    def tell(self, *lines: str) -> None:
        """Say what was found, and put it first on the page."""
        for line in lines:
            say(one_line(line))
        self.page.lead += lines

    def warn(self, *cautions: str) -> None:
        """Say what there is to doubt, and put it near the top of the page."""
        for caution in cautions:
            say(one_line(caution))
            self.page.caution(caution)

    def file(self, name: str) -> Path:
        """Return the path of a result that the caller writes."""
        self._written.append(self.folder / name)
        return self._written[-1]

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table by the suffix of its name."""
        write_table(frame, self.file(name))

    def picture(
        self, name: str, draw: Image.Image | Callable[[], Image.Image], caption: str
    ) -> None:
        """Write a picture as PNG, and show it on the page; one that is there is not made again."""
        path = self.file(name)
        if name not in self.standing.intact:
            save_picture(path, draw() if callable(draw) else draw)
        self.page.picture(path, caption)

    def figure(self, name: str, draw: Figure | Callable[[], Figure], caption: str) -> None:
        """Write a plot as PNG, and show it on the page; one that is there is not made again."""
        path = self.file(name)
        if name not in self.standing.intact:
            save_figure(path, draw() if callable(draw) else draw)
        self.page.picture(path, caption)

    def finish(self, rows: pd.DataFrame, settings: dict[str, Any]) -> None:
        """Write the report, the page, and last the manifest; then put the batches away.

        ``rows`` are Model.tidy's; ``settings`` appear in the manifest and at the end of the page.
        """
        for name in self._tables:
            if name != PAGE:
                self.table(name, rows)
        if PAGE in self._tables:
            self._add_numbers(rows)
            self.page.settings("How it was measured", settings)
            self.page.write(self.file(PAGE))
        if self._asked is not None:
            self.file(NAME)
        notes = [note for note in rows.get("note", pd.Series()).unique() if note]
        told = {**settings, "cautions": notes} if notes else settings
        device = None if self._asked is None else str(self._asked.made_by["device"])
        write_manifest(self.folder, told, self._written, device)
        keep_small(self.folder, self.standing.afresh)

    def _add_numbers(self, rows: pd.DataFrame) -> None:
        """Show the rows, those of each metric in a table of their own: their columns differ."""
        self.page.section("Numbers")
        hidden = [*_NOT_ON_PAGE, *(["model"] if rows["model"].nunique() == 1 else [])]
        metrics = rows["metric"] if "metric" in rows else pd.Series("", rows.index)
        for metric, part in rows.groupby(metrics, sort=False):
            caption = str(metric).replace("_", " ") if metrics.nunique() > 1 else ""
            shown = part.drop(columns=hidden, errors="ignore").replace("", None)
            shown = rounded_rows(shown.dropna(axis=1, how="all"))
            shown, notes = _notes_below(shown)
            self.page.table(shown, f"{caption[:1].upper()}{caption[1:]}", numeric=ROUNDED)
            for note in notes:
                self.page.text(note)

    def finish_one(self, model: Model, result: MetricResult, **more: Any) -> None:
        """Finish with what one model was measured by, and say where to look."""
        facts = {**model.facts(), **result.settings, **more, "seconds": round(result.seconds, 1)}
        self.finish(model.tidy(result), facts)
        self.point()

    def point(self) -> None:
        """Say which result to open first: the page, or the first picture."""
        pictures = [path for path in self._written if path.suffix == ".png"]
        page = [path for path in self._written if path.name == PAGE]
        open_first([*page, *pictures, *self._written][0])


def _notes_below(shown: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Number the notes, which are long and the same in many rows, and return them as lines."""
    if "note" not in shown:
        return shown, []
    numbers = {note: str(i) for i, note in enumerate(shown["note"].dropna().unique(), 1)}
    lines = [f"Note {number}: {note}" for note, number in numbers.items()]
    return shown.assign(note=shown["note"].map(numbers)), lines
