"""The classes of a conditional generator, as a command line names them."""

import re
from collections.abc import Sequence

import click

from latentlab import Checkpoint, Generator
from latentlab.errors import quoted, shown

_NUMBERED = re.compile("#([0-9]{1,8})")
_RANGE = re.compile("([0-9]{1,8})(?:-([0-9]{1,8}))?")


def classes_of(opened: Checkpoint, g: Generator, asked: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the classes that a command line names, each once, in its order.

    Where classes have names, a name wins; a number is a number unless the names are numbers
    themselves, and then it is written "#3".

    Raises:
        click.UsageError: If there is no such class.
    """
    if asked and not g.c_dim:
        raise click.UsageError("--class: this generator has no labels; leave --class out.")
    found: list[int] = []
    for text in asked:
        found += _classes(text, opened.class_names, g.c_dim)
    return tuple(dict.fromkeys(found))


def _classes(text: str, names: Sequence[str], count: int) -> list[int]:
    """Return the numbers that one word of a list of classes stands for."""
    if text in names:
        return [names.index(text)]
    if text == "all":
        return list(range(count))
    numbered, ranged = _NUMBERED.fullmatch(text), _RANGE.fullmatch(text)
    known = f"0 to {count - 1}" + (f", called {shown(names)}" if names else "")
    if ranged:
        first, last = int(ranged[1]), int(ranged[2] or ranged[1])
        if last < first:
            raise click.UsageError(f"--class: the range {text} runs backwards.")
        numbers = range(first, last + 1)
        called = any(name.isdecimal() for name in names)
        if called and last - first < count and all(str(n) in names for n in numbers):
            return [names.index(str(n)) for n in numbers]
        if called:
            raise click.UsageError(
                f"--class: no class is called {text}; there are {shown(names)}, or by number '#0' "
                f"to '#{count - 1}'."
            )
    elif numbered:
        numbers = range(int(numbered[1]), int(numbered[1]) + 1)
    else:
        raise click.UsageError(f"--class: no class {quoted(text)}; this generator has {known}.")
    if numbers[-1] >= count:
        raise click.UsageError(f"--class must be {known} for this generator, but got {text}.")
    return list(numbers)
