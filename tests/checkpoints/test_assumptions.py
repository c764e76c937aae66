"""What a file does not say: asked for by name, checked, and never asked where it is not needed."""

import pytest

from latentlab import SettingsError, UnsupportedCheckpoint
from latentlab.checkpoints.assumptions import Question, answered, written

QUESTIONS = (
    Question("rate", 0.01, "how fast"),
    Question("clamp", 256.0, "the limit", needed=False, optional=True),
    Question("count", 4, "how many", needed=False),
    Question("flag", False, "whether", needed=False),
    Question("word", "auto", "which", needed=False),
)
USUAL = {"rate": 0.01, "clamp": 256.0, "count": 4, "flag": False, "word": "auto"}


def answer(**given):
    return answered(QUESTIONS, given, "a file.pt", "a bare state dict")


def test_what_is_not_needed_is_as_usual():
    assert answer(rate=0.01) == USUAL


@pytest.mark.parametrize(("name", "text", "value"), [
    ("rate", "1", 1.0), ("rate", "1e-2", 0.01), ("rate", 1, 1.0), ("rate", 0.5, 0.5),
    ("clamp", "none", None), ("clamp", "None", None), ("clamp", None, None), ("clamp", "2", 2.0),
    ("count", "0", 0), ("count", 7, 7), ("flag", "true", True), ("flag", "False", False),
    ("flag", True, True), ("word", "x", "x"), ("word", "true", "true"), ("word", "1", "1"),
])  # fmt: skip
def test_answers_are_of_the_type_of_the_usual_one(name, text, value):
    found = answer(**{"rate": 0.01, name: text})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("name", "value", "rule"), [
    ("rate", "fast", "a number above 0"), ("rate", "nan", "a number above 0"),
    ("rate", "inf", "a number"), ("rate", 0, "a number above 0"), ("rate", "-1", "above 0"),
    ("rate", "none", "a number"), ("rate", True, "a number"), ("rate", [1], "a number"),
    ("clamp", "no", "a number above 0 or none"), ("count", "1.5", "a whole number from 0"),
    ("count", -1, "a whole number from 0"), ("count", "x" * 10_000, "a whole number"),
    ("flag", "1", "true or false"), ("flag", "yes", "true or false"), ("word", 3, "text"),
])  # fmt: skip
def test_answers_of_another_type_are_refused(name, value, rule):
    with pytest.raises(SettingsError) as caught:
        answer(**{"rate": 0.01, name: value})
    message = str(caught.value)
    assert name in message
    assert rule in message
    assert len(message) < 200


def test_a_missing_answer_names_itself_its_usual_value_and_the_command():
    with pytest.raises(UnsupportedCheckpoint) as caught:
        answer()
    message = str(caught.value)
    assert "rate (how fast; usually 0.01)" in message
    assert "clamp=256.0, count=4, flag=false, word=auto" in message
    assert "`latentlab convert 'a file.pt' OUT.safetensors --assume rate=0.01`" in message


def test_answers_to_no_question_are_refused():
    with pytest.raises(SettingsError, match=r"one of rate, clamp, .*; a file\.pt is a bare .* odd"):
        answer(rate=1, odd=1)
    with pytest.raises(SettingsError, match="left out: x is y, and asks nothing"):
        answered((), {"rate": 1}, "x", "y")
    assert answered((), {}, "x", "y") == {}
    for odd in (["rate"], "rate", 3):
        with pytest.raises(SettingsError, match="`assume` must be settings by their names"):
            answered(QUESTIONS, odd, "x", "y")


@pytest.mark.parametrize(("value", "text"), [(None, "none"), (True, "true"), (0.01, "0.01")])
def test_values_are_written_as_they_are_read(value, text):
    assert written(value) == text


CHOICES = (Question("fused", "auto", "whether it is", needed=False, choices=("auto", True, None)),)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("auto", "auto"),
        ("AUTO", "auto"),
        (True, True),
        ("true", True),
        (None, None),
        ("none", None),
    ],
)
def test_an_answer_may_be_one_of_several_of_any_type(value, answer):
    assert answered(CHOICES, {"fused": value}, "x", "y") == {"fused": answer}
    assert answered(CHOICES, {}, "x", "y") == {"fused": "auto"}


@pytest.mark.parametrize("value", [1, False, "false", "", "x" * 10_000, ["auto"]])
def test_none_of_several_is_refused(value):
    with pytest.raises(SettingsError, match="fused must be one of auto, true, none") as caught:
        answered(CHOICES, {"fused": value}, "x", "y")
    assert len(str(caught.value)) < 200
