"""The figures of the StyleGAN papers, each with the texts in which it was read.

They stand in ``published.toml``. The papers' tables cannot be read by a program, so a figure is
checked against what quotes it: where fewer than two texts do, ``Figure.doubt`` says so, and nothing
prints the figure without it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

README = "README"  # the place of figures that no table of a paper has

_FILE = "published.toml"


@dataclass(frozen=True)
class Paper:
    """A paper: the system that it is of, its title, and where it is."""

    name: str
    title: str
    address: str


@dataclass(frozen=True)
class Source:
    """A text in which figures were read."""

    title: str
    address: str


@dataclass(frozen=True)
class DataSet:
    """What models of the papers were trained on.

    Attributes:
        name: What people call it.
        size: Of its pictures, "512x384".
        resolution: Of the square pictures that networks make of them.
        mirror: Whether the papers mirror it at random, in training and for FID.
    """

    name: str
    size: str
    resolution: int
    mirror: bool


@dataclass(frozen=True)
class PublishedRow:
    """A row of a table.

    Attributes:
        key: By which figures name it.
        name: As the paper has it.
        label: What a model is called that belongs to it; one model may belong to several rows.
        space: "z" or "w", where the row is of one space.
        data: The data set, where each row has its own.
        files: Names of the released checkpoints, without suffix.
    """

    key: str
    name: str
    label: str = ""
    space: str = ""
    data: str = ""
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.key)
        object.__setattr__(self, "files", tuple(self.files))


@dataclass(frozen=True)
class Figure:
    """A published number.

    Attributes:
        row: Key of its row.
        data: Key of the data set.
        measure: What it is: "fid", "fid_mixed2" (of two latents mixed), "precision", "recall", a
            protocol of path length, "separability_z" or "separability_w".
        value: The number.
        spread: Its variation between runs, where that is published.
        sources: Keys of the texts in which it was read.
        printed: Both numbers as they are printed: "348.0 \u00b1 3.8".
    """

    row: str
    data: str
    measure: str
    value: float
    spread: float | None
    sources: tuple[str, ...]
    printed: str

    @property
    def doubt(self) -> str:
        """What there is to doubt about it; empty where two texts agree."""
        if len(self.sources) > 1:
            return ""
        if self.sources:
            return "read in one text alone"
        return "not checked: no text was found that quotes it"


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper, or the figures of a README.

    Attributes:
        paper: Key of the paper.
        place: Where it is there: "Table 1".
        title: What it shows.
        rows: In order.
        figures: What it says, of every data set.
    """

    paper: str
    place: str
    title: str
    rows: tuple[PublishedRow, ...]
    figures: tuple[Figure, ...]

    def figure(self, row: str, data: str, measure: str) -> Figure | None:
        """Return a figure, or None where the table has none."""
        key = (row, data, measure)
        return next((f for f in self.figures if (f.row, f.data, f.measure) == key), None)

    def data_sets(self) -> list[str]:
        """Return the keys of the data sets that it has figures of, in order."""
        return list(dict.fromkeys(figure.data for figure in self.figures))


@dataclass(frozen=True)
class Published:
    """All that ``published.toml`` holds, each by its key."""

    papers: Mapping[str, Paper]
    sources: Mapping[str, Source]
    data: Mapping[str, DataSet]
    tables: Mapping[str, PublishedTable]


@cache
def published() -> Published:
    """Read the published figures.

    >>> published().tables["stylegan2-readme"].figure("F", "ffhq", "precision").value
    0.689
    """
    text = files("metrics").joinpath(_FILE).read_text(encoding="utf-8")
    found = tomllib.loads(text, parse_float=Decimal)  # which keeps the last zero of 348.0
    tables = {
        key: PublishedTable(
            paper=table["paper"], place=table["place"], title=table["title"],
            rows=tuple(PublishedRow(**row) for row in table["rows"]),
            figures=tuple(_figure(**each) for each in table["figures"]),
        )
        for key, table in found["tables"].items()
    }  # fmt: skip
    return Published(
        _by_key(Paper, found["papers"]), _by_key(Source, found["sources"]),
        _by_key(DataSet, found["data"]), MappingProxyType(tables),
    )  # fmt: skip


def _figure(
    row: str,
    data: str,
    measure: str,
    value: Decimal,
    sources: Sequence[str],
    spread: Decimal | None = None,
) -> Figure:
    printed = f"{value} \u00b1 {spread}" if spread else f"{value}"
    error = None if spread is None else float(spread)
    return Figure(row, data, measure, float(value), error, tuple(sources), printed)


def _by_key(kind: Any, found: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [field.name for field in fields(kind)]
    return MappingProxyType({
        key: kind(**{name: each[name] for name in names}) for key, each in found.items()
    })  # fmt: skip
