import io
import sys

import click
import pytest

from cli import main
from cli.running.progress import ProgressBar
from cli.text import (
    colours_in_words,
    counted,
    distinct_names,
    listed,
    number_ranges,
    one_line,
    say,
    say_held,
    say_soon,
    setting_in_words,
    tell,
)


@pytest.mark.parametrize(("numbers", "text"), [
    ([0], "0"), ([0, 1, 2, 3, 5], "0-3,5"), ([1, 3, 5], "1,3,5"), ([7, 8], "7-8"),
    (list(range(18)), "0-17"), ([0, 1, 4, 5, 6, 9], "0-1,4-6,9"), ([], ""),
])  # fmt: skip
def test_numbers_are_written_with_their_ranges(numbers, text):
    assert number_ranges(numbers) == text


@pytest.mark.parametrize(("foreign", "text"), [
    ("plain", "plain"), ("two\n  lines\t", "two lines"), ("\x1b[31mred", "\\x1b[31mred"),
    ("\u202eevil", "\\u202eevil"), ("caf\xe9", "caf\xe9"), ("\x00", "\\x00"),
])  # fmt: skip
def test_foreign_text_cannot_steer_a_terminal(foreign, text):
    assert one_line(foreign) == text


def test_what_the_encoding_of_stdout_lacks_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    tell("caf\xe9 \udcff")
    assert raw.getvalue() == b"caf\\xe9 \\udcff\n"


def test_a_terminal_is_told_at_once(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with click.Context(click.Command("c")):
        say_soon("Opening ...")
        assert capsys.readouterr().err == "Opening ...\n"
        say_held()
    assert capsys.readouterr().err == ""


def test_a_log_is_told_once_the_work_begins(capsys):
    with click.Context(click.Command("c")):
        say_soon("Opening a ...")
        say_soon("Opening b ...")
        assert capsys.readouterr().err == ""
        say_held()
        assert capsys.readouterr().err == "Opening a ...\nOpening b ...\n"
        say_soon("Opening c ...")
    assert capsys.readouterr().err == "Opening c ...\n"


@pytest.mark.parametrize(("paths", "names"), [
    (["/x/a.pkl", "/x/b.pkl"], ["a.pkl", "b.pkl"]),
    (["builtin:digits", "m.pkl"], ["builtin:digits", "m.pkl"]),
    (["/r/one/m.pkl", "/r/two/m.pkl", "/r/k.pkl"], ["one/m.pkl", "two/m.pkl", "k.pkl"]),
    (["m.pkl", "old/m.pkl"], ["m.pkl", "old/m.pkl"]),
    (["a/x/m", "b/x/m", "b/y/m"], ["a/x/m", "b/x/m", "y/m"]),
    (["m.pkl", "m.pkl"], ["m.pkl", "m.pkl"]),
    (["m.pkl", "./m.pkl"], ["m.pkl", "./m.pkl"]), (["/", "."], ["/", "."]), ([], []),
])  # fmt: skip
def test_names_have_as_few_folders_as_tell_them_apart(paths, names):
    assert distinct_names(paths) == names


def test_things_are_counted_and_named():
    assert [counted(n, "picture") for n in (0, 1, 2000)] == [
        "0 pictures", "1 picture", "2,000 pictures",
    ]  # fmt: skip
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
    assert [colours_in_words(n) for n in (1, 3, 4, 2)] == [
        "grey",
        "colour",
        "colour with alpha",
        "2 channels",
    ]


@pytest.mark.parametrize(("value", "text"), [
    (None, "none"), (True, "yes"), (False, "no"), (1e-5, "1e-05"), (3, "3"), ("a_b", "a_b"),
    ([], "none"), ({}, "none"), ([1, 2.5], "1, 2.5"), ({"ppl": 8, "ls": None}, "ppl 8, ls none"),
    ({"coarse": (0, 1), "fine": [8]}, "coarse 0, 1; fine 8"),
    ([{"name": "a", "kind": "b"}, {"name": "c"}], "name a, kind b; name c"),
])  # fmt: skip
def test_settings_are_written_for_people(value, text):
    assert setting_in_words(value) == text


def test_of_long_lists_the_first_are_named():
    assert setting_in_words(list(range(2000)), 2) == "0, 1 and 1,998 more"
    assert setting_in_words({"seeds": [1, 2, 3]}, 2) == "seeds 1, 2 and 1 more"


HOSTILE = "a\x1b[2J\nError: fake\u202e" + "b" * 5_000_000


def test_what_is_said_is_one_line_of_bounded_length(capsys):
    say(HOSTILE)
    tell(HOSTILE, "two")
    said = capsys.readouterr()
    for lines in (said.err.splitlines(), said.out.splitlines()):
        assert lines[0].startswith("a\\x1b[2J\\nError: fake\\u202eb")
        assert len(lines[0]) == 4_000
    assert said.err.count("\n") == 1
    assert said.out.splitlines()[1:] == ["two"]


def test_the_label_of_a_bar_is_one_line(capsys):
    with ProgressBar(2, HOSTILE[:20], "step") as bar:
        bar.rename("a\x1b[2J\nError: fake")
        bar.advance(2)
    for line in capsys.readouterr().err.splitlines():
        assert line.isprintable()
        assert line.startswith("a\\x1b[2J")


def test_a_traceback_steers_no_terminal(capsys):
    try:
        raise ValueError("\x1b[2J\x9b\r" + HOSTILE)
    except ValueError as error:
        main._say_unforeseen(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said) < 20_000
