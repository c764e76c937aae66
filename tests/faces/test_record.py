"""Alignments on disk: what is written is read, what is damaged is refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlab import DataError
from latentlab.faces import Alignment, face_points, face_quad, load_alignment, save_alignment
from tests.support.faces.drawn import DrawnFace

POINTS = face_points(DrawnFace(100.3, 90.7, 20, 17).points())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An alignment on disk."""
    file = tmp_path / "alignment.json"
    save_alignment(file, Alignment("photos/é.jpg", POINTS, face_quad(POINTS), 256))
    return file


def test_an_alignment_comes_back(path: Path) -> None:
    alignment = load_alignment(path)
    assert (alignment.picture, alignment.size) == ("photos/é.jpg", 256)
    assert alignment.points == POINTS
    np.testing.assert_array_equal(alignment.quad, face_quad(POINTS))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("picture", "", "`picture` must be a path"),
        ("size", 0, "`size` must be a whole number >= 1"),
        ("size", True, "`size` must be a whole number >= 1"),
        ("points", {"left_eye": [1, 2]}, "`points` has the keys left_eye, right_eye"),
        ("quad", [[0, 0]] * 3, "`quad` must be four points"),
        ("quad", [[0, 0], [0, 9], [9, 9], [9, 0]], "not the square of `points`"),
        ("quad", [[0, 0], [0, 9], [9, 9], [9]], "`quad` must be a pair of numbers"),
        ("quad", [[0, 0], [0, 9], [9, 9], [9, "a"]], "`quad` must be a finite number"),
        ("quad", [[0, 0], [0, 9], [9, 9], [9, 10**400]], "`quad` must be a finite number"),
        ("more", 1, "has the keys picture, points, quad, size"),
    ],
)
def test_contradictions_are_refused(path: Path, key: str, value: Any, reason: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(DataError, match=reason) as caught:
        load_alignment(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_points_that_are_no_face_are_refused(path: Path) -> None:
    content = json.loads(path.read_text())
    content["points"]["right_eye"] = content["points"]["left_eye"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="the eyes coincide"):
        load_alignment(path)


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"\xff\xfe", b"[" * 200_000, b"NaN", b"[]"])
def test_damaged_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match="align the picture again"):
        load_alignment(path)


def test_every_cut_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            load_alignment(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.json: cannot be read"):
        load_alignment(tmp_path / "nothing.json")
