import csv
import hashlib
import json
import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import latentlab
from cli.options.values import TABLE_SUFFIXES
from cli.reports.page import Page
from cli.reports.tables import (
    joined,
    refuse_existing,
    table_of,
    to_markdown,
    write_manifest,
    write_table,
)
from latentlab import OutputError, SettingsError

FLOATS = [0.1 + 0.2, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 1e22, -0.0, 2**53 + 2.0, np.pi]
# What a spreadsheet would take for a formula.
FORMULAS = ["=1+1", "+1", "-1", "@x", "=cmd|' /C calc'!A0", "\t=1", "\r=1"]
PLAIN = ["", "a=b", "photo.png", 'say "hi"', "a,b", "two\nlines", "ümläut", "<script>", "1-2"]
MISSING = [float("nan"), None, pd.NA, pd.NaT, np.float32("nan")]


def table(path, **columns):
    write_table(pd.DataFrame(columns), path)
    return path


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def strict_json(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


# Full precision.


def test_csv_keeps_floats_exactly(tmp_path):
    lines = cells(table(tmp_path / "t.csv", x=FLOATS))
    assert lines[0] == ["x"]
    assert [float(cell).hex() for (cell,) in lines[1:]] == [x.hex() for x in FLOATS]


def test_json_keeps_floats_exactly(tmp_path):
    rows = strict_json(table(tmp_path / "t.json", x=FLOATS))
    assert [row["x"].hex() for row in rows] == [x.hex() for x in FLOATS]


def test_parquet_keeps_floats_exactly(tmp_path):
    path = table(tmp_path / "t.parquet", x=FLOATS, n=range(len(FLOATS)))
    frame = pd.read_parquet(path)
    assert [x.hex() for x in frame["x"]] == [x.hex() for x in FLOATS]
    assert frame["n"].tolist() == list(range(len(FLOATS)))


def test_r07_csv_survives_reading_and_writing(tmp_path):
    first = table(tmp_path / "1.csv", x=FLOATS, n=range(9), s=PLAIN, b=[True, False, None] * 3)
    write_table(pd.read_csv(first, engine="python"), tmp_path / "2.csv")
    assert (tmp_path / "2.csv").read_bytes() == first.read_bytes()


def test_whole_numbers_stay_whole(tmp_path):
    columns = {"n": [2**53 + 1, -5], "m": np.array([1, 2], dtype=np.uint8)}
    assert cells(table(tmp_path / "t.csv", **columns))[1:] == [
        ["9007199254740993", "1"],
        ["-5", "2"],
    ]
    rows = strict_json(table(tmp_path / "t.json", **columns))
    assert rows == [{"n": 2**53 + 1, "m": 1}, {"n": -5, "m": 2}]


# What is missing in one row changes nothing in the others.
LACKING = {
    "rows": lambda: table_of([{"n": 32, "b": True, "x": 0.5}, {"x": 2.0, "n": None}]),
    "tables": lambda: joined([table_of([{"n": 32, "b": True, "x": 0.5}]), table_of([{"x": 2.0}])]),
    "objects": lambda: pd.DataFrame(
        {"n": [32, None], "b": [True, np.nan], "x": [0.5, 2.0]}, dtype=object
    ),
}


@pytest.mark.parametrize("made", LACKING)
def test_whole_numbers_stay_whole_where_a_row_is_empty(made, tmp_path):
    frame = LACKING[made]()
    paths = [tmp_path / f"t{suffix}" for suffix in (".csv", ".json", ".parquet", ".md")]
    for path in paths:
        write_table(frame, path)
    assert cells(paths[0]) == [["n", "b", "x"], ["32", "True", "0.5"], ["", "", "2.0"]]
    rows = strict_json(paths[1])
    assert json.dumps(rows) == (
        '[{"n": 32, "b": true, "x": 0.5}, {"n": null, "b": null, "x": 2.0}]'
    )
    back = pd.read_parquet(paths[2])
    assert [*map(str, back.dtypes)] == ["Int64", "boolean", "float64"]
    assert paths[3].read_text().splitlines()[2:] == ["| 32 | True | 0.5 |", "|  |  | 2 |"]
    page = Page("t")
    page.table(frame)
    page.write(tmp_path / "t.html")
    text = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert ">32<" in text
    assert "32.0" not in text


def test_numbers_with_a_point_keep_it():
    frame = table_of([{"x": 2.0, "y": 1}, {"x": None, "y": 0.5}, {}])
    assert [*map(str, frame.dtypes)] == ["float64", "float64"]


# Missing and infinite numbers.


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_r02_missing_values(missing, tmp_path):
    columns = {"x": [0.5, missing], "s": ["a", None]}
    assert cells(table(tmp_path / "t.csv", **columns)) == [["x", "s"], ["0.5", "a"], ["", ""]]
    rows = strict_json(table(tmp_path / "t.json", **columns))
    assert rows == [{"x": 0.5, "s": "a"}, {"x": None, "s": None}]
    lines = table(tmp_path / "t.md", **columns).read_text().splitlines()
    assert lines == ["| x | s |", "| --- | --- |", "| 0.5 | a |", "|  |  |"]


def test_r02_missing_numbers_stay_missing_in_parquet(tmp_path):
    frame = pd.read_parquet(table(tmp_path / "t.parquet", x=[0.5, None], s=["a", None]))
    assert frame.isna().to_numpy().tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_r02_infinity_is_refused(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    path.write_text("before")
    with pytest.raises(latentlab.NumericalError, match="x"):
        table(path, n=[1, 2], x=[0.5, float("-inf")])
    assert path.read_text() == "before"


# Text.


@pytest.mark.parametrize("text", FORMULAS)
def test_r03_a_formula_is_defused_in_csv_alone(text, tmp_path):
    assert cells(table(tmp_path / "t.csv", s=[text]))[1:] == [[f"'{text}"]]
    assert strict_json(table(tmp_path / "t.json", s=[text])) == [{"s": text}]
    assert pd.read_parquet(table(tmp_path / "t.parquet", s=[text]))["s"].tolist() == [text]


def test_negative_numbers_are_no_formulas(tmp_path):
    assert cells(table(tmp_path / "t.csv", x=[-1.5], n=[-2]))[1:] == [["-1.5", "-2"]]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_text_comes_back(suffix, tmp_path):
    path = table(tmp_path / f"t{suffix}", n=range(len(PLAIN)), s=PLAIN)
    if suffix == ".csv":
        back = [row[1] for row in cells(path)[1:]]
    elif suffix == ".json":
        back = [row["s"] for row in strict_json(path)]
    else:
        back = pd.read_parquet(path)["s"].tolist()
    assert back == PLAIN


def test_markdown_is_one_line_a_row_with_four_digits_or_all_before_the_point():
    frame = pd.DataFrame({"name|s": ["a|b", "two\nlines"], "x": [1 / 3, 123456.0], "n": [1, 2]})
    assert to_markdown(frame).splitlines() == [
        r"| name\|s | x | n |",
        "| --- | --- | --- |",
        r"| a\|b | 0.3333 | 1 |",
        "| two lines | 123,456 | 2 |",
    ]


# Files.


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_a_table_without_rows_keeps_its_columns(suffix, tmp_path):
    path = table(tmp_path / f"t{suffix}", x=[], s=[])
    if suffix == ".csv":
        assert path.read_text() == "x,s\n"
    elif suffix == ".json":
        assert strict_json(path) == []
    elif suffix == ".md":
        assert path.read_text() == "| x | s |\n| --- | --- |\n"
    else:
        assert list(pd.read_parquet(path).columns) == ["x", "s"]


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz", ".csv"])
def test_an_unknown_suffix_is_refused(name, tmp_path):
    with pytest.raises(SettingsError, match=r"\.csv, \.json, \.parquet, \.md"):
        table(tmp_path / name, x=[1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_j13_a_table_is_replaced_whole_and_alone(suffix, tmp_path):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"x" * 10_000)
    table(path, x=[1])
    assert path.stat().st_size < 5000
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/t\.csv: cannot be written"):
        table(tmp_path / "nowhere" / "t.csv", x=[1])


# The manifest.


def test_j14_r08_the_manifest_holds_versions_settings_and_digests(tmp_path):
    (tmp_path / "below").mkdir()
    contents = {"report.csv": b"x\n1\n", "below/w.npz": bytes(1000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    settings = {"seed": np.int64(3), "rate": np.float64(0.1), "none": None, "file": Path("a/b.pt")}
    path = write_manifest(tmp_path, settings, [tmp_path / name for name in contents])
    assert path == tmp_path / "manifest.json"
    manifest = strict_json(path)
    date = datetime.fromisoformat(manifest.pop("date"))
    assert abs(date - datetime.now(UTC)) < timedelta(minutes=2)
    assert manifest == {
        "command": None,
        "device": "cpu",
        "dtype": "float32",
        "numpy": np.__version__,
        "latentlab": latentlab.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "settings": {"seed": 3, "rate": 0.1, "none": None, "file": "a/b.pt"},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }


def test_the_manifest_is_replaced_whole(tmp_path):
    (tmp_path / "manifest.json").write_text("{" * 5000)
    write_manifest(tmp_path, {}, [])
    assert strict_json(tmp_path / "manifest.json")["files"] == {}
    assert len(list(tmp_path.iterdir())) == 1


# Existing results.


@pytest.mark.parametrize(
    ("existing", "words"),
    [(["b"], "b exists"), (["b", "c"], "b and 1 more exist"), (["a", "b", "c"], "a and 2 more")],
)
def test_existing_results_are_named(existing, words, tmp_path):
    for name in existing:
        (tmp_path / name).touch()
    paths = [tmp_path / name for name in "abc"]
    with pytest.raises(OutputError, match=f"{words}.*--overwrite"):
        refuse_existing(paths, overwrite=False)
    refuse_existing(paths, overwrite=True)


def test_new_results_are_not_refused(tmp_path):
    assert refuse_existing([tmp_path / "a", tmp_path / "b" / "c"], overwrite=False) is None
