"""What the documentation shows: the commands and the Python of its pages and of the help texts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")
)]  # fmt: skip


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the code of a page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)


def shell_lines(page: str) -> list[str]:
    """Return the commands of a page, one each, without comments, as a shell would take them."""
    joined = "".join(blocks(page, "bash")).replace("\\\n", " ")
    return [line for line in map(str.strip, joined.splitlines()) if line and line[0] != "#"]


def latentlab_words(line: str) -> list[str] | None:
    """Return the arguments of the latentlab that a line starts, or None if it starts none."""
    words = shlex.split(line, comments=True)
    starts = [i for i, word in enumerate(words) if word in ("latentlab", "latentlab)")]
    return words[starts[0] + 1 :] if starts else None


def examples_in_help() -> Iterator[tuple[str, list[str]]]:
    """Yield the examples that help texts give, with the name of the command ("" for the group)."""
    commands = {"": main, **main.commands}
    for name, command in commands.items():
        _, _, shown = (command.help or "").partition("Examples:")
        for line in shown.replace("\\\n", " ").splitlines():
            words = latentlab_words(line.strip()) if line.strip() else None
            if words:
                yield name, words
