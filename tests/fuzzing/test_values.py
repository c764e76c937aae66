"""The command line's parsers take any text: they return a value within bounds, or a usage error."""

import math
import os
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.options.values import (
    FiniteFloat,
    colour,
    file_name,
    finite_float,
    float_list,
    layer_list,
    number_list,
    sample_counts,
)

METRICS = ("ppl", "droplets")
NEARLY = st.text("0123456789,-=.#e+ _abcdefpl\n", max_size=20)
TEXTS = st.text(max_size=20) | NEARLY
PARSERS = {
    "finite": FiniteFloat(),
    "bounded": FiniteFloat(0, 1),
    "any": finite_float,
    "floats": float_list,
    "numbers": number_list,
    "counts": sample_counts(METRICS),
    "colour": colour,
    "layers": layer_list,
    "file": file_name(".csv"),
    "any file": file_name(),
}


def parse(parser, text):
    """The value, or None if it is refused in one line."""
    try:
        return click.types.convert_type(parser).convert(text, None, None)
    except click.BadParameter as error:
        message = error.format_message()
        assert "\n" not in message
        return None


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@given(text=TEXTS)
def test_any_text(parser, text):
    parse(parser, text)


@pytest.mark.parametrize("parser", [FiniteFloat(), finite_float], ids=["finite", "any"])
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(parser, number):
    assert parse(parser, repr(number)) == number


@given(text=TEXTS | st.sampled_from(["nan", "-inf", "1e999", "Infinity"]))
def test_numbers_are_finite_and_within_bounds(text):
    number = parse(FiniteFloat(0, 1), text)
    assert number is None or (math.isfinite(number) and 0 <= number <= 1)
    assert all(math.isfinite(each) for each in parse(float_list, text) or ())


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=100))
def test_lists_of_numbers_come_back(numbers):
    assert parse(float_list, ", ".join(map(repr, numbers))) == numbers


RANGES = st.lists(
    st.integers(0, 2**32 - 60).flatmap(
        lambda low: st.integers(low, low + 50).map(lambda high: (low, high))
    ),
    min_size=1,
    max_size=8,
)


@given(ranges=RANGES)
def test_ranges_come_back(ranges):
    text = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
    expected = [number for low, high in ranges for number in range(low, high + 1)]
    assert parse(number_list, text) == expected
    assert parse(layer_list, text) == sorted(set(expected))


@given(text=NEARLY)
@example("0-4294967295")
@example(",".join(["0-999998"] * 3))
def test_seeds_are_bounded_in_size_and_number(text):
    found = parse(number_list, text) or []
    assert len(found) <= 1_000_000
    assert all(0 <= number < 2**32 for number in found)


@given(counts=st.dictionaries(st.sampled_from(METRICS), st.integers(1, 10_000_000), min_size=1))
def test_sample_counts_come_back(counts):
    text = ", ".join(f"{name} = {count}" for name, count in counts.items())
    assert parse(sample_counts(METRICS), text) == counts


@given(levels=st.tuples(*[st.integers(0, 255)] * 3), upper=st.booleans())
def test_colours_come_back(levels, upper):
    text = "#" + bytes(levels).hex()
    assert parse(colour, text.upper() if upper else text) == levels


@given(name=TEXTS | st.sampled_from(["..", ".", "", "/", "a/..", "a/b.csv", "../a.csv", "/a.csv"]))
@example("..")
@example("")
def test_a_file_name_stays_in_its_folder(name):
    for parser in (file_name(), file_name(".csv")):
        if parse(parser, name) is not None:
            assert Path("folder", name).parts == ("folder", name)
            assert os.path.normpath(Path("folder", name)) == str(Path("folder", name))
