"""Requiring that a file is refused by a message that says what is wrong."""

import pytest

import latentlab


def assert_refused(path, kind, *words):
    """Open a file, which must be refused in one line with the given words beside its name."""
    with pytest.raises(kind) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert str(path) in message
    rest = message.replace(str(path), "")
    assert [word for word in words if word not in rest] == [], message
    assert "\n" not in message
