"""What a text would become is counted rightly; what means two things is refused."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.foreign_files.json_texts import JsonLimits, JsonTooLarge, check_json, parse_json
from tests.conftest import scarce_memory

BRACKETS = st.text(st.sampled_from('ab"\\[]{},:é'), max_size=8)
JSON = st.recursive(
    st.none() | st.integers() | BRACKETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BRACKETS, inner, max_size=3),
    max_leaves=12,
)


def counted(value):
    """Containers, commas and levels of a value, by walking it."""
    held = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(held, list):
        return 0, 0, 0
    inner = [counted(each) for each in held]
    containers, commas = (sum(each[i] for each in inner) for i in (0, 1))
    deepest = max((each[2] for each in inner), default=0)
    return containers + 1, commas + max(0, len(held) - 1), deepest + 1


@given(value=JSON, size=st.integers(1, 7), ascii_only=st.booleans())
@settings(max_examples=100, derandomize=True, database=None, deadline=None)
def test_brackets_and_commas_are_counted_as_a_parser_would(value, size, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    cut = [raw[start : start + size] for start in range(0, len(raw), size)]
    exact = dict(zip(("containers", "values", "depth"), counted(value), strict=True))
    check_json(cut, JsonLimits(size=len(raw), **exact))
    for what, there in exact.items():
        if there:
            less = {**exact, what: there - 1}
            with pytest.raises(JsonTooLarge):
                check_json(cut, JsonLimits(size=len(raw), **less))
    with pytest.raises(JsonTooLarge, match="bytes"):
        check_json(cut, JsonLimits(size=len(raw) - 1, **exact))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "NaN is there"),
        ("[-Infinity]", "-Infinity is there"),
        ("[1e999]", "beyond float64 is there: 1e999"),
        ("[" + "1" * 41 + "]", "a number of 41 digits"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "'b' is there twice"),
        ("[" * 100_000, "over 32 levels"),
        ("", "Expecting value"),
    ],
)
def test_what_is_not_plain_json_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse_json(text)


def test_a_text_within_its_limits_is_what_json_says():
    text = '{"a": [1, 2.5, "\\"[,{\\\\", null, true], "b": {}}'
    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize("unit", ["{},", "[],", "0,", '{"":0},', '"",', '"\\\\",', "\\", '"'])
def test_a_text_that_would_grow_is_refused_before_it_does(unit):
    text = "[" + unit * (2**23 // len(unit))
    started = time.process_time()
    with scarce_memory(), pytest.raises(ValueError):  # noqa: PT011 - each its own
        parse_json(text)
    assert time.process_time() - started < 1
