"""Landmark files: whose face is whose, and one line for everything that is wrong."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentlab import DataError
from latentlab.faces.landmarks import read_landmarks
from tests.support.faces.drawn import DrawnFace

NAMES = ("left_eye", "right_eye", "left_mouth", "right_mouth")
NAMED = ",".join(f"{name}_{axis}" for name in NAMES for axis in "xy")
MANY = ",".join(f"x{i},y{i}" for i in range(68))


def four(number: int) -> list[list[float]]:
    """A face that can be told from those of other numbers."""
    return DrawnFace(100 + number, 80, 10 + number).points().tolist()


def cells(points: list[list[float]]) -> str:
    return ",".join(f"{value!r}" for point in points for value in point)


def many(number: int) -> list[list[float]]:
    """68 points with the same eyes and mouth corners as ``four``."""
    points = np.random.default_rng(number).normal(50, 9, (68, 2))
    eyes_and_mouth = np.array(four(number))
    points[36:42], points[42:48] = eyes_and_mouth[0], eyes_and_mouth[1]
    points[48], points[54] = eyes_and_mouth[2:]
    return points.tolist()


def write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def faces_of(file: Path, picture: str) -> list[int]:
    """The numbers of the faces that a file has of a picture."""
    numbers = []
    for face in read_landmarks(file).faces(Path(picture)):
        numbers.append(round((face.left_eye[0] + face.right_eye[0]) / 2 - 100))
        np.testing.assert_allclose(face.array(), four(numbers[-1]), atol=1e-9)
    return numbers


def test_csv_with_named_points(tmp_path: Path) -> None:
    rows = f"note,picture,{NAMED}\nsmile,a.jpg,{cells(four(1))}\n,b.jpg,{cells(four(2))}\n"
    file = write(tmp_path / "points.csv", "\ufeff" + rows.replace("\n", "\r\n"))
    assert faces_of(file, "photos/a.jpg") == [1]
    assert faces_of(file, "b.jpg") == [2]
    assert faces_of(file, "c.jpg") == []


def test_csv_typed_by_hand_has_blanks_behind_commas(tmp_path: Path) -> None:
    rows = f"picture,{NAMED}\na.jpg,{cells(four(1))}\n".replace(",", ", ")
    assert faces_of(write(tmp_path / "points.csv", rows), "a.jpg") == [1]


def test_csv_with_68_points_and_several_faces(tmp_path: Path) -> None:
    rows = [f"face,picture,{MANY}", f"2,a.jpg,{cells(many(2))}", f"1,a.jpg,{cells(many(1))}"]
    file = write(tmp_path / "points.csv", "\n".join(rows))
    assert faces_of(file, "a.jpg") == [1, 2]


def test_rows_without_numbers_are_pictures_without_faces(tmp_path: Path) -> None:
    file = write(tmp_path / "points.csv", f"picture,{NAMED}\na.jpg{',' * 8}\n")
    assert faces_of(file, "a.jpg") == []


def test_json_of_all_kinds(tmp_path: Path) -> None:
    five = [*four(5)[:2], [0, 0], *four(5)[2:]]
    content = {
        "four.jpg": four(4), "five.jpg": five, "many.jpg": many(6), "none.jpg": None,
        "named.jpg": dict(zip(NAMES, four(7), strict=True)), "empty.jpg": [],
        "several.jpg": [many(1), dict(zip(NAMES, four(2), strict=True)), four(3)],
    }  # fmt: skip
    file = write(tmp_path / "points.json", content)
    wanted = {"four": [4], "five": [5], "many": [6], "named": [7], "several": [1, 2, 3]}
    for name in ("four", "five", "many", "named", "none", "empty", "several"):
        assert faces_of(file, f"somewhere/{name}.jpg") == wanted.get(name, []), name


def test_the_longest_common_path_counts_then_the_name_then_the_stem(tmp_path: Path) -> None:
    names = [
        str(tmp_path / "x" / "a.jpg"),
        "x/a.jpg",
        "a.jpg",
        "./y/a.jpg",
        "a.png",
        "b",
        "z/b.tif",
    ]
    file = write(tmp_path / "points.json", {name: four(i) for i, name in enumerate(names)})
    assert faces_of(file, str(tmp_path / "x" / "a.jpg")) == [0]
    assert faces_of(file, "x/a.jpg") == [1]
    assert faces_of(file, "x/y/../a.jpg") == [1]
    assert faces_of(file, "w/a.jpg") == [2]
    assert faces_of(file, "w/y/a.jpg") == [3]
    assert faces_of(file, "w/a.png") == [4]
    assert faces_of(file, "b.jpeg") == [5]
    assert faces_of(file, "z/b.jpeg") == [6]
    assert faces_of(file, "xa.jpg") == []


def test_names_with_dots_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    file = write(tmp_path / "lists" / "points.json", {"../photos/a.jpg": four(1)})
    assert faces_of(file, str(tmp_path / "photos" / "a.jpg")) == [1]
    assert faces_of(file, str(tmp_path / "other" / "a.jpg")) == []


def test_accents_match_however_they_are_written(tmp_path: Path) -> None:
    file = write(tmp_path / "points.json", {unicodedata.normalize("NFD", "é.jpg"): four(1)})
    assert faces_of(file, unicodedata.normalize("NFC", "é.jpg")) == [1]


def test_two_stems_that_fit_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "points.json", {"a.jpg": four(1), "a.png": four(2)})
    assert faces_of(file, "a.png") == [2]
    with pytest.raises(DataError, match=r"both a\.jpg and a\.png could be a\.webp"):
        faces_of(file, "a.webp")


def test_one_name_for_two_pictures_is_refused(tmp_path: Path) -> None:
    landmarks = read_landmarks(write(tmp_path / "points.json", {"a.jpg": four(1)}))
    assert landmarks.faces(Path("x/a.jpg")) == landmarks.faces(Path("x/a.jpg"))
    with pytest.raises(DataError, match=r"a\.jpg fits both .*x/a\.jpg and .*y/a\.jpg"):
        landmarks.faces(Path("y/a.jpg"))


GOOD = cells(four(1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column picture"),
        (f"name,{NAMED}\na.jpg,{GOOD}", "no column picture"),
        ("picture,left_eye_x\na.jpg,1", "no column left_eye_y; expected picture, and x0,y0"),
        (f"picture,{MANY.replace(',y67', '')}\n", "no column y67"),
        (f"picture,{NAMED},left_eye_x\n", "column left_eye_x twice"),
        (f"picture,{NAMED}\n,{GOOD}", "line 2: the column picture is empty"),
        (f"picture,{NAMED}\na.jpg,{GOOD},1", "line 2: does not have as many cells"),
        (f"picture,{NAMED}\na.jpg,1,2,3", "line 2: does not have as many cells"),
        (f"picture,{NAMED}\na.jpg,1,2,3,x,5,6,7,8", "line 2: the column right_eye_y has 'x', not"),
        (f"picture,{NAMED}\na.jpg,1,2,3,,5,6,7,8", "line 2: the column right_eye_y has ''"),
        (f"picture,{NAMED}\na.jpg,1,2,3,nan,5,6,7,8", "line 2: the landmarks hold NaN"),
        (f"picture,{NAMED}\na.jpg,{GOOD}\na.jpg,{GOOD}", "line 3: a.jpg appears twice"),
        (f"picture,{NAMED}\na.jpg,{GOOD}\n./a.jpg,{GOOD}", "a.jpg and ./a.jpg are the same"),
        (f"picture,face,{NAMED}\na.jpg,0,{GOOD}", "line 2: the column face has '0', not a number"),
        (f"picture,face,{NAMED}\na.jpg,1.5,{GOOD}", "line 2: the column face has '1.5'"),
        (f"picture,face,{NAMED}\na.jpg,{'9' * 9000},{GOOD}", "not a number from 1"),
        (f"picture,{NAMED}\n\"a.jpg,{GOOD}\n", "is not CSV"),
        (f"picture,{NAMED}\n{'a' * 140_000},{GOOD}\n", "after line 1: is not CSV"),
    ],
)  # fmt: skip
def test_malformed_csv_is_named(tmp_path: Path, text: str, reason: str) -> None:
    _refused(write(tmp_path / "points.csv", text), reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ("[1]", 'expected an object, {"picture.jpg"'),
        ("[" * 200_000, "is not JSON"),
        ('{"a.jpg": 3}', "'a.jpg': expected 68, 5 or 4 pairs"),
        ('{"a.jpg": [[1, 2], [3, 4]]}', r"'a.jpg': landmarks are [68,2], [5,2] or [4,2]"),
        ('{"a.jpg": [[1, 2], [3, 4], [1, 2], "x"]}', "'a.jpg': expected 68"),
        ('{"a.jpg": [[[1, 2], [3, 4], [1, 2], [true, 3]]]}', "'a.jpg', face 1: expected 68"),
        ('{"a.jpg": [[1, 2], [3, 4], [1, 2], [NaN, 3]]}', "'a.jpg': the landmarks hold NaN"),
        ('{"a.jpg": [[1, 2], [3, 4], [1, 2], [1' + "0" * 400 + ", 3]]}", "is too large"),
        ('{"a.jpg": {"left_eye": [1, 2]}}', "'a.jpg': has no right_eye"),
        ('{"a.jpg": null, "a.jpg": null}', "'a.jpg' appears twice"),
    ],
)
def test_malformed_json_is_named(tmp_path: Path, text: str, reason: str) -> None:
    _refused(write(tmp_path / "points.json", text), reason)


def test_other_files_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "missing.csv", "cannot be read (No such file")
    _refused(write(tmp_path / "points.txt", "x"), "must be a .csv or .json file")
    for name in ("latin.csv", "latin.json"):
        (tmp_path / name).write_bytes(b'{"\xe9": 1}')
        _refused(tmp_path / name, "is not text in UTF-8")


def _refused(file: Path, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read_landmarks(file)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
