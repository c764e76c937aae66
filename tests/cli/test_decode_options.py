"""The options that say how pictures are decoded."""

import click
import pytest
from click.testing import CliRunner

from cli.decode_options import DecodeOrder, decode_options
from latentlab.images import MAX_PIXELS, DecodePolicy


def asked(*arguments: str) -> tuple[DecodeOrder | None, str]:
    """What a command is given for its arguments, and what was said."""
    given: list[DecodeOrder] = []

    @click.command()
    @click.argument("name")
    @decode_options
    def command(name: str, decoding: DecodeOrder) -> None:
        assert name == "a.png"
        given.append(decoding)

    done = CliRunner().invoke(command, ["a.png", *arguments])
    assert done.exit_code == (0 if given else 2)
    return (given[0] if given else None), done.output


def test_the_defaults_are_the_librarys() -> None:
    order, _ = asked()
    assert order is not None
    assert order.policy() == DecodePolicy()


def test_the_help_says_the_librarys_limit() -> None:
    @click.command()
    @decode_options
    def command(decoding: DecodeOrder) -> None:
        """Do nothing."""

    said = CliRunner().invoke(command, ["--help"]).output
    assert f"default: {MAX_PIXELS // 10**6} million" in " ".join(said.split())


@pytest.mark.parametrize(
    ("text", "colour"),
    [("black", (0, 0, 0)), ("#80FF00", (128, 255, 0)), ("#fff", (255,) * 3), (" Navy", (0, 0, 128)),
     ("rgb(1,2,3)", (1, 2, 3))],
)  # fmt: skip
def test_what_is_asked_for_becomes_the_policy(text: str, colour: tuple[int, int, int]) -> None:
    order, _ = asked("--background", text, "--first-frame", "--max-pixels", "99")
    assert order is not None
    assert order.policy() == DecodePolicy(colour, True, 99)


@pytest.mark.parametrize("text", ["", "grellow", "#12345", "#00000000", "rgba(1,2,3,4)", "1,2,3"])
def test_other_texts_are_no_colours(text: str) -> None:
    order, said = asked("--background", text)
    assert order is None
    assert "is no colour such as white or #80ff00" in said
