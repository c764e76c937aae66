"""What is said of settings in which two measurements differ."""

import pytest

from cli.measuring.standing import differences


@pytest.mark.parametrize(("there", "here", "words"), [
    (0, 3, "seed 0 (not 3)"), (None, 3, "seed none (not 3)"),
    ({"digits": "9f" * 32}, {}, "seed digits 9f9f9f9f9f9f (not none)"),
    ({"a": "1" * 64, "b": "2" * 64}, {"a": "1" * 64},
     "seed a 111111111111, b 222222222222 (not a 111111111111)"),
    ("lpips-vgg", "x.pt", "seed lpips-vgg (not x.pt)"),
])  # fmt: skip
def test_settings_are_said_in_words(there, here, words):
    assert differences({"seed": here}, {"seed": there}) == [words]


def test_lists_are_told_in_words():
    told = differences({"spaces": [["w"]]}, {"spaces": [["w"], ["z", "w"]]})
    assert told == ["spaces w; z, w (not w)"]
