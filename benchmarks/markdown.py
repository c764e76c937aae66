"""Tables in Markdown, printed row by row as they become known."""

from collections.abc import Iterable

import click


def row(*cells: object) -> None:
    """Print a row of a table."""
    click.echo(f"| {' | '.join(map(str, cells))} |")


def head(title: str, *names: str) -> None:
    """Print the head of a table, below its title if it has one."""
    click.echo(f"\n{title}\n" if title else "")
    row(*names)
    click.echo("|" + "---|" * len(names))


def table(title: str, names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table."""
    head(title, *names)
    for cells in rows:
        row(*cells)
