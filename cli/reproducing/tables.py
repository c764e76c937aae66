"""The columns of the papers' tables, and which rows a model belongs to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

import click

from cli.options.reproduction import FIDELITY, PATHS, SEPARABILITY
from cli.text import plain_text
from metrics.published_figures import PublishedRow, PublishedTable, published

_LABEL = re.compile(r"([^/\\:=]{1,40})=(.+)")
_SPACES = ("z", "w")


@dataclass(frozen=True)
class Column:
    """A column: its title, the measure in it ("{space}" is the row's), and the metric of that."""

    title: str
    measure: str
    metric: str

    def of(self, row: PublishedRow) -> str:
        """Return the measure that a row has in this column."""
        return self.measure.format(space=row.space)


_FID = Column("FID", "fid", FIDELITY)
_LENGTHS = (
    Column("path length, full", "ppl_{space}full", PATHS),
    Column("path length, end", "ppl_{space}end", PATHS),
    Column("separability", "separability_{space}", SEPARABILITY),
)
_WHOLE_PICTURES = Column("path length", "ppl2_wend", PATHS)

COLUMNS: Mapping[str, tuple[Column, ...]] = MappingProxyType({
    "stylegan-table1": (_FID,),
    "stylegan-table2": (
        Column("FID, 1 latent", "fid", FIDELITY),
        *(Column(f"FID, {n} latents", f"fid_mixed{n}", FIDELITY) for n in (2, 3, 4)),
    ),
    "stylegan-table3": _LENGTHS,
    "stylegan-table4": (_FID, *_LENGTHS),
    "stylegan2-table1": (
        _FID, _WHOLE_PICTURES, Column("precision", "precision", FIDELITY),
        Column("recall", "recall", FIDELITY),
    ),
    "stylegan2-table3": (_FID, _WHOLE_PICTURES),
})  # fmt: skip


@dataclass(frozen=True)
class Given:
    """A checkpoint of the command line, and the label that it was given; "" where it was not."""

    name: str
    label: str = ""


def given(texts: Sequence[str]) -> list[Given]:
    """Take apart "LABEL=CKPT", or a checkpoint alone.

    Raises:
        UsageError: If a checkpoint or a label is there twice.
    """
    found = labelled(texts)
    _refuse_twice("checkpoint", [each.name for each in found])
    return found


def labelled(texts: Sequence[str]) -> list[Given]:
    """Take apart "LABEL=SOMETHING", or something alone, which several labels may have.

    Raises:
        UsageError: If a label is there twice.
    """
    found = [_given(text) for text in texts]
    _refuse_twice("label", [each.label for each in found if each.label])
    return found


def _refuse_twice(what: str, values: Sequence[str]) -> None:
    """Refuse what is there twice; letters may be small or capital."""
    known = [value.lower() if what == "label" else value for value in values]
    twice = [value for i, value in enumerate(values) if known[i] in known[:i]]
    if twice:
        raise click.UsageError(f"The {what} {plain_text(twice[0])} is given twice.")


def _given(text: str) -> Given:
    found = _LABEL.fullmatch(text)
    if found is None or Path(text).exists():
        return Given(text)
    return Given(found[2], found[1].strip())


def rows_of(table: PublishedTable, checkpoint: Given) -> list[PublishedRow]:
    """Return the rows that a checkpoint belongs to: by its label, or its released file's name."""
    label, stem = checkpoint.label.lower(), PurePath(checkpoint.name).stem.lower()
    if label:
        return [row for row in table.rows if label in (row.label.lower(), row.key.lower())]
    return [row for row in table.rows if stem in row.files or stem == row.label.lower()]


def own_rows(checkpoint: Given, title: str, by_space: bool, has_w: bool) -> list[PublishedRow]:
    """Return rows for a checkpoint that has none in the paper: one for each space, where it counts.

    Args:
        checkpoint: The checkpoint.
        title: What it is called.
        by_space: Whether the table's rows are of one space each.
        has_w: Whether the generator has a space W.
    """
    label = checkpoint.label or title
    if not by_space:
        return [PublishedRow(label, "not in the paper")]
    spaces = _SPACES if has_w else _SPACES[:1]
    return [PublishedRow(f"{label} in {space.upper()}", "not in the paper", label, space)
            for space in spaces]  # fmt: skip


def is_by_space(table: PublishedTable) -> bool:
    """Whether each row of a table is of one space."""
    return any(row.space for row in table.rows)


def table_of(name: str) -> PublishedTable:
    """Return a table by the name that the command line gives it."""
    return published().tables[name]
