"""A report as one HTML page that needs no other file: text, tables, plots and pictures."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cli.reports.tables import short
from latentlab.files import atomic_write

_TEMPLATES = Path(__file__).parent / "templates"
_MISSING = "\u2013"  # an en dash
_WIDEST = 950  # CSS pixels
_DENSITY = 1.5  # pixels of a plot for one CSS pixel, so that it is sharp on fine screens


class Page:
    """A page in the making: blocks go into the section begun last."""

    def __init__(self, title: str, lead: Sequence[str] = ()) -> None:
        self.title, self.lead = title, list(lead)
        self._sections: list[dict[str, Any]] = []

    def section(self, title: str, *texts: str) -> None:
        """Begin a section with paragraphs of text."""
        self._sections.append({"title": title, "blocks": [{"text": text} for text in texts]})

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._sections[-1]["blocks"].append({"text": text})

    def table(self, frame: pd.DataFrame, caption: str = "") -> None:
        """Add a table; numbers to four significant digits, missing values as a dash."""
        numbers = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]
        head = [_cell(name, number) for name, number in zip(frame.columns, numbers, strict=True)]
        body = [
            [_cell(value, number) for value, number in zip(row, numbers, strict=True)]
            for row in frame.itertuples(index=False)
        ]
        self._sections[-1]["blocks"].append({"head": head, "body": body, "caption": caption})

    def picture(self, path: Path, caption: str) -> None:
        """Add a PNG file, inside the page; small ones at their own size."""
        with Image.open(path) as picture:
            width, height = picture.size
        scale = min(1 / _DENSITY, _WIDEST / width)
        source = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        self._sections[-1]["blocks"].append({
            "src": source, "caption": caption,
            "width": round(width * scale), "height": round(height * scale),
        })  # fmt: skip

    def write(self, path: Path, footer: str) -> None:
        """Write the page, whole or not at all."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        text = environment.get_template("page.html").render(
            title=self.title, lead=self.lead, sections=self._sections, footer=footer
        )
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _cell(value: Any, number: bool) -> dict[str, Any]:
    return {"text": short(value) or _MISSING, "number": number}
