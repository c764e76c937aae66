"""The scheme of reports is documented, and orders the columns of every table."""

import re
from pathlib import Path

import pytest

from metrics.scheme import DIFFERENCES, LEADING, MODEL, SHA256, TRAILING, UNITS, in_order

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")


def first_cells(text):
    """Return the names in the first column of the tables in a text."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall("`([^`]+)`", row)]


def table_after(heading):
    return first_cells(PAGE.split(heading, 1)[1].split("\n\n", 1)[0])


def test_the_page_lists_the_columns_in_their_order():
    expected = [MODEL, *LEADING, *TRAILING, SHA256]
    assert table_after("| column | what |\n|---|---|\n") == expected


def test_the_page_lists_the_columns_of_differences_and_all_units():
    names = first_cells(PAGE.split("## differences.csv", 1)[1])
    assert sorted(names) == sorted(DIFFERENCES)
    assert table_after("| unit | what |\n|---|---|\n") == [*UNITS]


@pytest.mark.parametrize("own", [[], ["layer", "resolution"]])
def test_own_columns_go_between(own):
    columns = [MODEL, *LEADING, *own, *TRAILING, SHA256]
    assert in_order(reversed(columns)) == [MODEL, *LEADING, *reversed(own), *TRAILING, SHA256]
