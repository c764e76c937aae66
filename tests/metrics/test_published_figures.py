"""Every published figure says where it was read, and is one that the papers print."""

import re
from pathlib import Path

import pytest

from cli.options.reproduction import DATA_SETS
from metrics.path_protocols import PROTOCOLS
from metrics.published_figures import published

ALL = [(key, figure) for key, table in published().tables.items() for figure in table.figures]
MEASURES = {"fid", "fid_mixed2", "fid_mixed3", "fid_mixed4", "precision", "recall",
            "separability_z", "separability_w", *PROTOCOLS}  # fmt: skip

# Read in the READMEs of NVlabs/stylegan and NVlabs/stylegan2: not taken from the file under test.
README = {
    ("stylegan-readme", "fid"): "4.4159", ("stylegan-readme", "ppl_zfull"): "664.8854",
    ("stylegan-readme", "ppl_wfull"): "233.3059", ("stylegan-readme", "ppl_zend"): "666.1057",
    ("stylegan-readme", "ppl_wend"): "197.2266", ("stylegan-readme", "separability_z"): "165.0106",
    ("stylegan-readme", "separability_w"): "3.7447",
    ("stylegan2-readme", "fid"): "2.84 \u00b1 0.03",
    ("stylegan2-readme", "ppl_zfull"): "348.0 \u00b1 3.8",
    ("stylegan2-readme", "ppl_wfull"): "126.9 \u00b1 0.2",
    ("stylegan2-readme", "ppl_zend"): "348.6 \u00b1 3.0",
    ("stylegan2-readme", "ppl_wend"): "129.4 \u00b1 0.8",
    ("stylegan2-readme", "ppl2_wend"): "145.0 \u00b1 0.5",
    ("stylegan2-readme", "separability_z"): "154.2", ("stylegan2-readme", "separability_w"): "4.27",
    ("stylegan2-readme", "precision"): "0.689", ("stylegan2-readme", "recall"): "0.492",
}  # fmt: skip


@pytest.mark.parametrize(("table", "figure"), ALL)
def test_a_figure_has_known_sources_or_says_that_it_has_none(table, figure):
    assert set(figure.sources) <= set(published().sources)
    assert len(set(figure.sources)) == len(figure.sources)
    assert bool(figure.doubt) == (len(figure.sources) < 2)
    assert "not checked" in figure.doubt or figure.sources


@pytest.mark.parametrize(("table", "figure"), ALL)
def test_a_figure_is_of_a_row_a_measure_and_a_data_set_that_there_are(table, figure):
    assert figure.row in [row.key for row in published().tables[table].rows]
    assert figure.measure in MEASURES
    assert figure.data in published().data
    assert figure.printed.startswith(re.match(r"[\d.]+", figure.printed)[0])
    assert float(figure.printed.split()[0]) == figure.value > 0


def test_no_figure_is_there_twice():
    keys = [(table, f.row, f.data, f.measure) for table, f in ALL]
    assert len(keys) == len(set(keys)) > 150


def test_every_source_has_an_address_and_is_used():
    used = {key for _, figure in ALL for key in figure.sources}
    for key, source in published().sources.items():
        assert source.address.startswith("https://")
        assert source.title
        assert key in used


def test_data_sets_are_those_of_the_command_line():
    assert tuple(published().data) == DATA_SETS


@pytest.mark.parametrize(("key", "printed"), README.items())
def test_figures_of_the_readmes(key, printed):
    table, measure = key
    figure = published().tables[table].figure("F", "ffhq", measure)
    assert figure.printed == printed
    assert table in figure.sources


def test_the_readmes_hold_nothing_else():
    found = {(key, f.measure) for key, f in ALL if key.endswith("readme")}
    assert found == set(README)


@pytest.mark.parametrize(("table", "row", "measure", "value"), [
    # Where two tables have one number, they agree.
    ("stylegan-table1", "F", "fid", 4.40), ("stylegan-table2", "90", "fid", 4.40),
    ("stylegan-table4", "stylebased-8", "fid", 4.40), ("stylegan2-table1", "A", "fid", 4.40),
    ("stylegan-table1", "E", "fid", 4.42), ("stylegan-table2", "0", "fid", 4.42),
    ("stylegan-table1", "B", "fid", 5.25), ("stylegan-table4", "traditional-0", "fid", 5.25),
    ("stylegan-table3", "B", "separability_z", 10.78),
    ("stylegan-table4", "traditional-0", "separability_z", 10.78),
    ("stylegan-table3", "F", "ppl_wfull", 234.0), ("stylegan-table3", "F", "ppl_wend", 195.9),
    ("stylegan-table4", "stylebased-8", "ppl_wend", 195.9),
    ("stylegan2-table1", "F", "ppl2_wend", 145.0), ("stylegan2-table1", "F", "precision", 0.689),
])  # fmt: skip
def test_figures_that_several_tables_have(table, row, measure, value):
    assert published().tables[table].figure(row, "ffhq", measure).value == value


def test_lsun_car_is_in_both_of_its_tables_the_same():
    tables = published().tables
    for row, key in (("A", "car-stylegan"), ("F", "car-stylegan2")):
        for measure, digits in (("fid", 2), ("ppl2_wend", 0)):
            first = tables["stylegan2-table1"].figure(row, "car", measure)
            second = tables["stylegan2-table3"].figure(key, "car", measure)
            assert abs(first.value - second.value) <= 0.5 * 10**-digits


def test_the_docs_count_the_figures_that_were_read_in_two_texts_in_one_and_in_none():
    text = (Path(__file__).parents[2] / "docs" / "reproduce.md").read_text(encoding="utf-8")
    counts = [sum(min(len(figure.sources), 2) == n for _, figure in ALL) for n in (2, 1, 0)]
    told = " ".join(text.split())
    assert f"Of {len(ALL)} numbers, {counts[0]} were read in two texts or more. " in told
    assert f"The {counts[1]} that only one text has" in told
    assert f"The {counts[2]} that none has" in told
