r"""What a file writes into names and texts, and what is left of it in a message."""

import pickle

import pytest

from latentlab.errors import CheckpointError, LatentlabError, quoted, reason, shown, visible

HOSTILE = {
    "clear the screen": "a\x1b[2Jb",
    "title": "\x1b]0;owned\x07",
    "C1": "a\x9b31mb",
    "a second line": "a.pkl\nError: fake",
    "line start": "sound\rError: fake",
    "other line ends": "a\x85b\u2028c\u2029d\x0bf\x0cg",
    "from right to left": "photo\u202egnp.exe",
    "isolates": "\u2066a\u2069",
    "half a character": "a\udcffb\ud83d",
    "backspace": "ab\x08\x08xy",
    "zero": "a\0b",
    "unseen": "a\u200bb\ufeff",
}
LONG = "\x1b[31m" * 1_000_000


def is_plain(text):
    return text.isprintable() and text == text.encode().decode()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_steers_a_terminal_is_seen(text):
    for written in (visible(text), shown([text, text]), quoted(text), reason(ValueError(text))):
        assert is_plain(written)
        assert "Error: fake" not in written.split("\\n")[0].split("\\r")[0]
    for error in (CheckpointError(text), CheckpointError("x", advice=[text]).at(text)):
        assert is_plain(str(error))
        assert is_plain(error.message)
        assert is_plain(error.written(str, lambda advice, _: advice))
        assert is_plain(" ".join(map(str, error.args)))


def test_what_is_seen_once_stays():
    for text in HOSTILE.values():
        assert visible(visible(text)) == visible(text)


def test_plain_text_stays():
    for text in ("a photo.png", "größe 画像 \N{GRINNING FACE}", "it's `x`", "C:\\photos"):
        assert visible(text) == text
        assert str(LatentlabError(text)) == text


@pytest.mark.parametrize("most", [3, 9, 10, 300])
@pytest.mark.parametrize("text", [LONG, "a" * 301, "\x1b" * 90, "\U000e0001" * 200])
def test_a_text_is_cut_in_its_middle(text, most):
    found = visible(text, most)
    assert len(found) == most
    assert "..." in found
    assert is_plain(found)


def test_both_ends_of_a_long_text_are_there():
    found = visible("the weight " + "x" * 5_000_000 + " is missing")
    assert found.startswith("the weight xxx")
    assert found.endswith("xxx is missing")
    assert len(found) == 300


def test_messages_are_of_bounded_length():
    error = CheckpointError(LONG, advice=[LONG, LONG]).at(LONG)
    assert len(error.message) <= 4_000
    assert len(str(error)) <= 8_000
    assert len(shown([LONG] * 1000)) <= 20 * 302 + 20
    assert len(quoted(LONG)) <= 400
    assert len(reason(ValueError(LONG))) <= 200


def test_a_message_is_the_same_in_another_process():
    error = CheckpointError("a\nb", advice=["c\x1b"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.message, again.advice) == (str(error), error.message, error.advice)
