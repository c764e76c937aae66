"""A report as one HTML page that needs no other file: text, tables, plots and pictures."""

import base64
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import pandas as pd
from PIL import Image

from cli.reports.tables import short
from cli.running.invocation import current_command, current_date
from cli.text import setting_in_words
from latentlab.files import atomic_write
from latentlab.version import __version__

_TEMPLATES = Path(__file__).parent / "templates"
_MISSING = "\u2013"  # an en dash
_UNBROKEN = "\u00a0"  # a space at which no line ends
_WIDEST = 950  # CSS pixels
_DENSITY = 1.5  # pixels of a plot for one CSS pixel, so that it is sharp on fine screens
_MANY = 5  # sections, from which on the page begins with a list of them
_WIDE = 9  # columns, from which on a table is set in smaller letters
_PROSE = 60  # characters, from which on a cell has sentences
_LONG = 28  # characters of a word that may be broken in a table

Card = tuple[str, Sequence[tuple[str, str]]]  # a title, and lines of a label and its text


@dataclass(frozen=True)
class Group:
    """Small pictures that belong together.

    Attributes:
        title: What they are called.
        link: What the title leads to, by its path from the folder of the page.
        pictures: PNG or JPEG files, all of one size, each with what stands for it unseen.
        lines: What stands below.
    """

    title: str
    link: PurePath
    pictures: Sequence[tuple[bytes, str]]
    lines: Sequence[str]


class Page:
    """A page in the making: blocks go into the section begun last, or before all of them."""

    def __init__(self, title: str, lead: Sequence[str] = ()) -> None:
        self.title, self.lead = title, list(lead)
        self._opening: list[dict[str, Any]] = []
        self._sections: list[dict[str, Any]] = []

    def section(self, title: str, *texts: str) -> None:
        """Begin a section with paragraphs of text."""
        anchor = _anchor(title, {each["anchor"] for each in self._sections})
        self._sections.append({"title": title, "anchor": anchor, "blocks": []})
        for text in texts:
            self.text(text)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._add("text", text=text)

    def caution(self, text: str) -> None:
        """Add a warning, which stands out."""
        self._add("caution", text=text)

    def code(self, text: str) -> None:
        """Add lines for a shell, as they are."""
        self._add("code", text=text)

    def link(self, text: str, path: PurePath | str) -> None:
        """Add a link to a file by its path from the folder of the page."""
        self._add("link", text=text, address=_address(PurePath(path)))

    def cards(self, cards: Sequence[Card]) -> None:
        """Add cards that stand side by side, and below each other on a phone.

        Each has a title, and lines of a label and its text.
        """
        self._add("cards", cards=[(title, list(lines)) for title, lines in cards])

    def gallery(self, groups: Sequence[Group]) -> None:
        """Add small pictures in groups that stand side by side as far as there is room."""
        self._add("gallery", groups=[
            {"title": group.title, "address": _address(group.link), "lines": list(group.lines),
             "pictures": [(_embedded(content), alt) for content, alt in group.pictures]}
            for group in groups
        ])  # fmt: skip

    def table(self, frame: pd.DataFrame, caption: str = "", numeric: Collection[str] = ()) -> None:
        """Add a table; numbers to four significant digits, missing values as a dash.

        The first column stays in sight where the others have to be moved along. ``numeric`` are
        columns of numbers that are text already.
        """
        numbers = [pd.api.types.is_numeric_dtype(frame[name]) or name in numeric
                   for name in frame.columns]  # fmt: skip
        wide = len(frame.columns) >= _WIDE
        head = [_cell(name, number) for name, number in zip(frame.columns, numbers, strict=True)]
        body = [
            [_cell(value, number, wide) for value, number in zip(row, numbers, strict=True)]
            for row in frame.itertuples(index=False)
        ]
        self._add("table", head=head, body=body, caption=caption, wide=wide)

    def settings(self, title: str, settings: Mapping[str, Any]) -> None:
        """Begin a section with a table of settings by their names; of models, a row for each."""
        self.section(title)
        parts = [part for name, value in settings.items() for part in _parts(name, value)]
        rows = [(name.replace("_", " "), setting_in_words(value)) for name, value in parts]
        self.table(pd.DataFrame(rows, columns=["setting", "value"]))

    def picture(self, path: Path, caption: str, alt: str = "") -> None:
        """Add a PNG file, inside the page; small ones at their own size.

        ``alt`` stands for it where it cannot be seen; the caption does by default.
        """
        with Image.open(path) as picture:
            width, height = picture.size
        scale = min(1 / _DENSITY, _WIDEST / width)
        self._add("picture", src=_embedded(path.read_bytes()), caption=caption, alt=alt or caption,
                  width=round(width * scale), height=round(height * scale))  # fmt: skip

    def write(self, path: Path, footer: str = f"Made by latentlab {__version__}.") -> None:
        """Write the page with the date and the command line at its end, whole or not at all."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        opening = {"title": "", "anchor": "", "blocks": self._opening}
        text = environment.get_template("page.html").render(
            title=self.title, lead=self.lead, opening=opening, sections=self._sections,
            listed=len(self._sections) >= _MANY, footer=footer,
            date=current_date(), command=current_command(),
        )  # fmt: skip
        with atomic_write(path) as temporary:
            temporary.write_bytes(text.encode("utf-8", "backslashreplace"))

    def _add(self, kind: str, **what: Any) -> None:
        blocks = self._sections[-1]["blocks"] if self._sections else self._opening
        blocks.append({"kind": kind, **what})


def _address(path: PurePath) -> str:
    """Return a link to what lies beside the page or below."""
    if path.is_absolute():
        raise ValueError(f"{path}: a page links to what lies beside it")
    return quote(os.fsencode(path.as_posix()))  # a colon makes no scheme


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return a setting; of several with settings of their own, each with its number."""
    several = isinstance(value, list) and len(value) > 1 and isinstance(value[0], Mapping)
    if not several:
        return [(name, value)]
    return [(f"{name.removesuffix('s')}\u00a0{i}", each) for i, each in enumerate(value, 1)]


def _embedded(content: bytes) -> str:
    """Return a PNG or JPEG file as an address that holds it."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def _cell(value: Any, number: bool, wide: bool = False) -> dict[str, Any]:
    """Return the text of a cell and how it is set; in wide tables an interval takes two lines."""
    text = short(value) or _MISSING
    if number:
        return {"text": text, "kind": "number"}
    long = any(len(word) > _LONG for word in text.split())
    interval = len(text) <= _LONG and text[-1:] == ")" and any(c.isdigit() for c in text)
    kind = "long" if long else "interval" if interval else "prose" if len(text) > _PROSE else ""
    if interval and wide:
        value, bracket, ends = text.partition(" (")
        text = value + bracket + ends.replace(" ", _UNBROKEN)
    return {"text": text, "kind": kind}


def _anchor(title: str, taken: set[str]) -> str:
    """Return a name for links to a section, which no other has."""
    word = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
    names = (word if i == 1 else f"{word}-{i}" for i in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
