import io
import sys

import pytest

from cli.text import distinct_names, number_ranges, one_line, tell


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
