"""The folder of a measuring command: claimed before the work, filled whole after it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cli.measuring.partial import remove_all
from cli.options.measuring import Order
from cli.reports.page import Page
from cli.reports.tables import MANIFEST, refuse_existing, write_manifest, write_table
from cli.running.folder_lock import claimed
from latentlab import OutputError
from latentlab.images import save_picture
from latentlab.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

PAGE = "report.html"

# Columns of the rows that the page says elsewhere, or that are for programs.
_NOT_ON_PAGE = ["metric", "better", "settings", "seconds", "sha256"]


class Results:
    """Tables, plots and pictures of one command, which also stand on its page where asked for.

    Attributes:
        folder: Where they go.
        page: What ``report.html`` will hold.
    """

    def __init__(self, order: Order, title: str, files: Sequence[str]) -> None:
        """Plan the results, and refuse those that are there already."""
        self.folder, self._order = order.output, order
        self.page = Page(title)
        self._written: list[Path] = []
        names = [order.report, *files, *([PAGE] if order.html else []), MANIFEST]
        if len(set(names)) < len(names):
            raise OutputError(
                f"{order.report} is a name of another result; choose another --report"
            )
        refuse_existing([self.folder / name for name in names], order.overwrite)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder: a second process that wants to write there is refused."""
        with claimed(self.folder):
            yield

    def file(self, name: str) -> Path:
        """Return the path of a result that the caller writes."""
        return self._new(name)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table by the suffix of its name."""
        write_table(frame, self._new(name))

    def picture(self, name: str, picture: "Image.Image", caption: str) -> None:
        """Write a picture as PNG, and show it on the page."""
        save_picture(self._new(name), picture)
        self.page.picture(self.folder / name, caption)

    def figure(self, name: str, figure: "Figure", caption: str) -> None:
        """Write a plot as PNG, and show it on the page."""
        from cli.reports.plot_style import save_figure

        save_figure(self._new(name), figure)
        self.page.picture(self.folder / name, caption)

    def finish(self, rows: pd.DataFrame, settings: dict[str, Any]) -> None:
        """Write the report, the page, and last the manifest; then drop the kept batches.

        ``rows`` are Model.tidy's; ``settings`` stand in the manifest and at the end of the page.
        """
        self.table(self._order.report, rows)
        if self._order.html:
            self.page.section("Numbers")
            hidden = [*_NOT_ON_PAGE, *(["model"] if rows["model"].nunique() == 1 else [])]
            shown = rows.drop(columns=hidden, errors="ignore").dropna(axis=1, how="all")
            self.page.table(shown)
            self.page.section("How it was measured")
            facts = [(key.replace("_", " "), _plain(value)) for key, value in settings.items()]
            self.page.table(pd.DataFrame(facts, columns=["setting", "value"]))
            self.page.write(self._new(PAGE), f"Made by latentlab {__version__}.")
        write_manifest(self.folder, settings, self._written)
        remove_all(self.folder)

    def _new(self, name: str) -> Path:
        self._written.append(self.folder / name)
        return self._written[-1]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    return "none" if value is None else str(value)
