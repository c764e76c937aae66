"""The faults of docs/reliability.md, and the tests that carry their ids.

``python -m tests.docs.faults`` prints each row with its tests and fails on a hole.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- rows: begin -->", "<!-- rows: end -->"

_IDS = re.compile(r"test_((?:[cdijnr]\d\d_)+)")  # as test_j06_..., test_i02_i03_...


@dataclass(frozen=True)
class Row:
    """A fault, and what has to become of it."""

    name: str
    what: str
    outcome: str


def rows(page: str) -> list[Row]:
    """Return the rows of the page's table, without its headings.

    >>> rows(f"{BEGIN}\\n| row | a | b |\\n|---|---|---|\\n| J6 | a stop | bits |\\n{END}")
    [Row(name='J6', what='a stop', outcome='bits')]
    """
    table = page.split(BEGIN)[1].split(END, maxsplit=1)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    return [Row(*row) for row in cells if row[0].strip()]


def ids_in(name: str) -> list[str]:
    """Return the rows that the name of a test says it shows.

    >>> ids_in("test_i02_i13_pictures"), ids_in("test_r1_of_a_network")
    (['I2', 'I13'], [])
    """
    match = _IDS.match(name)
    return [] if match is None else [
        f"{each[0].upper()}{int(each[1:])}" for each in match[1].split("_") if each
    ]  # fmt: skip


def carriers(folder: Path) -> dict[str, list[str]]:
    """Return the tests below a folder by the rows that they show, as pytest names them."""
    found = defaultdict[str, list[str]](list)
    for file in sorted(folder.rglob("test_*.py")):
        names = re.findall(r"^ *def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        if not any(map(ids_in, names)):
            continue
        for name in _named(ast.parse(file.read_text(encoding="utf-8")).body):
            for row in ids_in(name.rpartition("::")[2]):
                found[row].append(f"{file.relative_to(folder.parent)}::{name}")
    return dict(found)


def _named(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the functions of a module or class, those of its classes as ``Class::function``."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{name}" for name in _named(node.body))


def table(listed: Sequence[Row], tests: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line for each row: its id, how many tests show it, what it is, and one of them."""
    return [
        f"{row.name:4}{len(tests.get(row.name, ())):4}  {row.what[:58]:60}"
        f"{next(iter(tests.get(row.name, ())), 'NONE')}"
        for row in listed
    ]


def main() -> int:
    """Print the table; returns how many rows have no test."""
    listed, tests = rows(PAGE.read_text(encoding="utf-8")), carriers(ROOT / "tests")
    holes = [row.name for row in listed if row.name not in tests]
    strangers = sorted(set(tests) - {row.name for row in listed})
    count = sum(len(each) for each in tests.values())
    lines = ["row tests  fault", *table(listed, tests), f"{len(listed)} rows, {count} tests"]
    if holes:
        lines.append(f"no test carries {', '.join(holes)}")
    if strangers:
        lines.append(f"no row is called {', '.join(strangers)}")
    print("\n".join(lines))  # a script of its own
    return len(holes) + len(strangers)


if __name__ == "__main__":
    sys.exit(main() > 0)
