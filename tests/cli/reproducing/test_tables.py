"""Which checkpoint is which row of a table."""

import click
import pytest

from cli.options.reproduction import OVER_RUN, PROJECTIONS, TABLES
from cli.reproducing.tables import COLUMNS, Given, given, own_rows, rows_of, table_of
from metrics.published_figures import published


@pytest.mark.parametrize(("text", "name", "label"), [
    ("ffhq.pkl", "ffhq.pkl", ""), ("F=ffhq.pkl", "ffhq.pkl", "F"),
    ("builtin:digits-stylegan1", "builtin:digits-stylegan1", ""),
    ("D=builtin:digits-stylegan1", "builtin:digits-stylegan1", "D"),
    ("https://host/x?id=1", "https://host/x?id=1", ""),
    ("F=https://host/x?id=1", "https://host/x?id=1", "F"),
    ("runs/a=b/x.pkl", "runs/a=b/x.pkl", ""), ("car-stylegan2=c.pkl", "c.pkl", "car-stylegan2"),
])  # fmt: skip
def test_a_label_stands_before_a_checkpoint(text, name, label):
    assert given([text]) == [Given(name, label)]


def test_a_file_whose_name_has_an_equals_sign_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "F=x.pkl").touch()
    assert given(["F=x.pkl"]) == [Given("F=x.pkl")]


@pytest.mark.parametrize("texts", [["a", "a"], ["F=a", "f=b"], ["F=a", "a"]])
def test_nothing_is_given_twice(texts):
    with pytest.raises(click.UsageError, match="twice"):
        given(texts)


def test_a_label_that_is_given_twice_is_told_as_it_was_given():
    with pytest.raises(click.UsageError, match="The label f is given twice"):
        given(["F=a", "f=b"])
    with pytest.raises(click.UsageError, match="The label F is given twice"):
        given(["F=a", "F=b"])


@pytest.mark.parametrize(("table", "checkpoint", "keys"), [
    ("stylegan-table1", Given("x.pkl", "f"), ["F"]),
    ("stylegan-table1", Given("karras2019stylegan-ffhq-1024x1024.pkl"), ["F"]),
    ("stylegan-table1", Given("x.pkl"), []),
    ("stylegan-table1", Given("karras2019stylegan-ffhq-1024x1024.pkl", "mine"), []),
    ("stylegan-table4", Given("x.pkl", "traditional-8"), ["traditional-8-z", "traditional-8-w"]),
    ("stylegan-table4", Given("x.pkl", "traditional-8-w"), ["traditional-8-w"]),
    ("stylegan2-table1", Given("nets/stylegan2-ffhq-config-f.pkl"), ["F"]),
    ("stylegan2-table1", Given("stylegan2-car-config-e.pkl"), ["E"]),
    ("stylegan2-table3", Given("stylegan2-church-config-f.pkl"), ["church-stylegan2"]),
    ("stylegan2-table3", Given("x", "Horse-StyleGAN"), ["horse-stylegan"]),
])  # fmt: skip
def test_a_checkpoint_is_found_in_its_rows(table, checkpoint, keys):
    assert [row.key for row in rows_of(table_of(table), checkpoint)] == keys


def test_a_model_that_the_paper_has_not_is_shown_in_each_space_where_rows_are_of_one():
    both = own_rows(Given("x.pkl"), "x.pkl", by_space=True, has_w=True)
    assert [(row.key, row.space) for row in both] == [("x.pkl in Z", "z"), ("x.pkl in W", "w")]
    (alone,) = own_rows(Given("x.pkl", "mine"), "x.pkl", by_space=True, has_w=False)
    assert (alone.key, alone.space) == ("mine in Z", "z")
    (plain,) = own_rows(Given("x.pkl"), "x.pkl", by_space=False, has_w=True)
    assert (plain.key, plain.space) == ("x.pkl", "")


def test_every_table_has_columns_and_published_figures_in_them():
    assert set(COLUMNS) == set(TABLES) - {OVER_RUN, PROJECTIONS}
    assert set(COLUMNS) <= set(published().tables)
    for name, columns in COLUMNS.items():
        table = table_of(name)
        held = {(row.key, data, column.of(row)) for row in table.rows for column in columns
                for data in table.data_sets()}  # fmt: skip
        assert {(f.row, f.data, f.measure) for f in table.figures} <= held
        assert {column.metric for column in columns} == set(TABLES[name])
