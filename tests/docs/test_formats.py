"""The table of docs/formats.md says what is measured."""

import re

import pytest

from tests.support.formats import measured
from tests.support.known_formats import BEGIN, END, FORMATS, PAGE

# Other processors round differently: a figure may be exceeded by half, and be no boast.
EXCEEDED, UNUSED = 1.5, 20


def rows():
    """The cells of the table, by the first one."""
    page = PAGE.read_text(encoding="utf-8")
    table = page.split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    return {first.strip(): rest for first, *rest in cells}


def test_it_has_the_rows_that_are_known():
    found = {title: (read, refused) for title, (read, _, refused) in rows().items()}
    assert found == {row.title: (row.read, row.refused) for row in FORMATS}


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.title)
def test_it_says_the_closeness_that_is_measured(row, shared):
    said = rows()[row.title][1]
    if not row.files:
        assert said == row.exact
        return
    absent = [name for name, _ in row.files if not (shared / name).exists()]
    if absent:
        pytest.skip(f"reference data not found: {', '.join(absent)}")
    figures = {name: float(value) for name, value in re.findall(r"(\w+) (\S+?)(?:,|$)", said)}
    found = measured(row, shared)
    assert figures.keys() == found.keys()
    for name, value in found.items():
        assert figures[name] / UNUSED <= value <= figures[name] * EXCEEDED
