"""What the commands say, on stderr."""

import os

import click


def say(text: str) -> None:
    """Print a line on stderr."""
    click.echo(plain_text(text), err=True)


def counted(number: int, noun: str) -> str:
    """Put a number before a noun: "1 picture", "3 pictures"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain_text(value: object) -> str:
    """Return text that every encoding can write: what is not UTF-8 in a path becomes \\xff."""
    return os.fsencode(str(value)).decode("utf-8", "backslashreplace")
