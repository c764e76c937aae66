"""Records as a crash, a bad disk or somebody else may leave them."""

import json
import os

import pytest

from cli.pictures.records import Record, Source, look_at_record, opened_picture, read_record
from latentlab import ImageError
from latentlab.files import sha256_of

ROW = {"picture": "a.png", "status": "ok", "note": ""}
SOUND = {
    "format": 1,
    "identity": {"seed": 0},
    "source": {"path": "a.png", "size": 3, "modified": 5, "sha256": "00"},
    "row": ROW,
    "files": {"target.png": "00"},
}


def replaced(**parts):
    return json.dumps({**SOUND, **parts})


def test_a_sound_record_comes_back(tmp_path):
    record = Record({"seed": 0}, Source("a.png", 3, 5, "00"), ROW, {"target.png": "00"})
    record.write(tmp_path / "record.json")
    assert look_at_record(tmp_path / "record.json") == (record, False)
    assert look_at_record(tmp_path / "none.json") == (None, False)


DAMAGED = {
    "empty": "",
    "cut": replaced()[:-9],
    "no object": "[]",
    "null": "null",
    "nothing inside": "{}",
    "without files": replaced(files=None),
    "a list of files": replaced(files=["target.png"]),
    "a digest that is a number": replaced(files={"target.png": 1}),
    "a row that is a list": replaced(row=[]),
    "a row without a status": replaced(row={"picture": "a.png", "note": ""}),
    "a note that is a number": replaced(row={**ROW, "note": 1}),
    "NaN in a row": replaced(row={**ROW, "distance": float("nan")}),
    "an identity that is text": replaced(identity="seed"),
    "a source that is text": replaced(source="a.png"),
    "a source without a size": replaced(source={"path": "a.png"}),
    "a size that is a truth": replaced(source={**SOUND["source"], "size": True}),
    "a path that is a number": replaced(source={**SOUND["source"], "path": 7}),
    "a format that is text": replaced(format="1"),
    "deep": "[" * 100_000,
    "a very long number": f'{{"format": {"9" * 5000}}}',
    "a zero byte in a name": replaced(files={"a\0b": "00"}),
    "the folder above": replaced(files={"..": "00"}),
    "a name in the folder above": replaced(files={"../target.png": "00"}),
    "a whole path": replaced(files={"/etc/passwd": "00"}),
    "no name": replaced(files={"": "00"}),
    "a line end in a name": replaced(files={"a\nb": "00"}),
    "a name that no file can have": replaced(files={"a" * 5000: "00"}),
    "half a character": replaced(files={"\udc80": "00"}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_j05_what_is_no_whole_record_is_damaged(text, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert look_at_record(path)[1]


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_j05_a_record_with_a_wrong_bit_is_read_or_damaged(place, tmp_path):
    content = bytearray(replaced().encode())
    content[place % len(content)] ^= 0x80 >> place % 8
    path = tmp_path / "record.json"
    path.write_bytes(content)
    record, damaged = look_at_record(path)
    assert (record is not None) or damaged or b'"format": 1' not in content


def test_what_is_no_file_is_no_record(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "large.json").write_bytes(b" " * (2**20 + 1))
    for name in ("pipe", "folder", "large"):
        assert look_at_record(tmp_path / f"{name}.json") == (None, True)
        assert read_record(tmp_path / f"{name}.json") is None


def test_i19_what_a_picture_is_known_by_is_of_what_was_read(tmp_path):
    path, other = tmp_path / "a.png", tmp_path / "b.png"
    path.write_bytes(b"first")
    other.write_bytes(b"another")
    before = sha256_of(path)
    with opened_picture(path) as (source, file):
        os.replace(other, path)
        assert file.read() == b"first"
        assert source.sha256 == before


def test_d01_a_picture_that_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="a named pipe"):
        Source.of(tmp_path / "a.png")
    with pytest.raises(ImageError, match="no name that a file can have"):
        Source.of(tmp_path / "a\0.png")
