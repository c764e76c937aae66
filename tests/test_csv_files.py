"""Tables as spreadsheets write them."""

import codecs

import numpy as np
import pandas as pd
import pytest

from cli.measuring.labelled_latents import read_labelled
from latentlab import DataError
from latentlab.csv_files import read_csv
from latentlab.faces.landmarks import read_landmarks

TEXT = "picture,smile\nä.jpg,1\nb.jpg,\n"
POINTS = (
    "picture,left_eye_x,left_eye_y,right_eye_x,right_eye_y,"
    "left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y\nb.jpg,10,10.5,30,10,12,30,28,30\n"
)
WAYS = {
    "commas": lambda text: text.encode(),
    "semicolons": lambda text: text.replace(",", ";").encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "a mark": lambda text: text.encode("utf-8-sig"),
    "a mark and semicolons": lambda text: text.replace(",", ";").encode("utf-8-sig"),
    "UTF-16": lambda text: text.replace(",", "\t").encode("utf-16"),
    "UTF-16 of big ends": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "carriage returns": lambda text: text.replace("\n", "\r\n").encode(),
    "spaces": lambda text: text.replace(",", ", ").encode(),
    "quotes": lambda text: (
        text.replace("picture", '"picture"').replace("b.jpg", '"b.jpg"').encode()
    ),
}


@pytest.fixture(params=WAYS, name="write")
def _write(request, tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(WAYS[request.param](text))
        return path

    return write


def test_cells_are_the_same_however_a_spreadsheet_writes_them(write):
    table = read_csv(write(TEXT))
    assert table.columns == ["picture", "smile"]
    assert table.rows == [["ä.jpg", "1"], ["b.jpg", ""]]
    assert table.lines == [2, 3]


def test_labels_are_read_so(write, tmp_path):
    np.savez(tmp_path / "w.npz", w=np.zeros([2, 3]))
    labels = read_labelled(tmp_path / "w.npz", write(TEXT.replace("picture", "old"))).labels
    assert labels["smile"].tolist()[0] == "1"
    assert pd.isna(labels["smile"].tolist()[1])
    assert labels["old"].tolist() == ["ä.jpg", "b.jpg"]


def test_landmarks_are_read_so(write, tmp_path):
    (face,) = read_landmarks(write(POINTS)).faces(tmp_path / "b.jpg")
    assert tuple(face.left_eye) == (10, 10.5)


@pytest.mark.parametrize(("content", "words"), [
    (TEXT.encode("latin-1"), "table.csv, line 2: is not text in UTF-8 (Latin-1 or Windows-1252"),
    (TEXT.encode("utf-16-le"), "table.csv: holds zero bytes, perhaps of UTF-16; save it as CSV in"),
    (codecs.BOM_UTF16_LE + b"a", "table.csv: damaged text in UTF-16; save it as UTF-8"),
    (b"a,b\n1,2,3\n", "line 2: does not have as many cells as the first line; if numbers have"),
    (b"a;b\n1;2;3\n", "line 2: does not have as many cells as the first line"),
    (b"a,b\n1\n", "line 2: does not have as many cells as the first line"),
    (b'a,b\n"1"x,2\n', "after line 1: is not CSV"),
])  # fmt: skip
def test_what_is_no_table_is_named(content, words, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_csv(path)
    assert words in str(caught.value)


def test_decimal_commas_are_named(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(POINTS.replace(",", ";").replace("10.5", "10,5"))
    with pytest.raises(DataError, match=r"left_eye_y has '10,5', not a number \(a decimal comma: "
                       r"write 10\.5\)"):  # fmt: skip
        read_landmarks(path)


def test_decimal_commas_of_labels_are_named():
    from metrics.separability.attributes import label_logits

    with pytest.raises(DataError, match=r"'0,5' is not a label; .* \(a decimal comma: write 0\.5"):
        label_logits(pd.DataFrame({"smile": ["1", "0,5"]}))


def test_a_column_twice_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("a,a\n1,2\n")
    np.savez(tmp_path / "w.npz", w=np.zeros([1, 3]))
    with pytest.raises(DataError, match="has the column a twice"):
        read_labelled(tmp_path / "w.npz", tmp_path / "labels.csv")
