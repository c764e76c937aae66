"""Every measuring command writes one scheme of columns, and says the same numbers everywhere."""

import html
import re

import pandas as pd
import pytest
import torch_fidelity
from click.testing import CliRunner

import latentlab
from cli.main import main
from cli.reports.numbers import interval, number_of, with_interval
from metrics.fidelity_networks import METRICS
from metrics.scheme import (
    DIFFERENCES,
    LEADING,
    MODEL,
    NEITHER,
    SHA256,
    SHARE,
    TRAILING,
    UNITS,
    UNKNOWN,
    WITHHELD,
)
from tests.conftest import make_stylegan3
from tests.support.pooled import NAME

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
DISTANCE = ("--distance", "builtin:digits")
CLASSIFIER = ("--classifier", "builtin:digits-classifier")

STYLEGAN3 = "stylegan3.safetensors"  # made by the test, in the folder of the runs

# A command line for each, and the metric's own columns of whole numbers.
COMMANDS = {
    "ppl": ((B, "--samples", "40", *DISTANCE), ()),
    "separability": ((B, "--samples", "160", *CLASSIFIER), ("attributes",)),
    "contributions": ((B, "--samples", "12"), ("resolution", "images")),
    "droplets": ((A, "--samples", "8"), ("resolution", "detections")),
    "noise": ((A, "--samples", "2", "--draws", "4"), ("noise_layers",)),
    "attribution": (
        (B, "builtin:digits", "--most-real", "4", "--steps", "3", *DISTANCE), ()
    ),
    "equivariance": ((STYLEGAN3, "--samples", "8"), ()),
    "spectrum": ((B, "--samples", "24"), ()),
    "fidelity": ((B, "--data", "builtin:digits", "--samples", "24"), ()),
    "compare": (
        (A, B, *DISTANCE, *CLASSIFIER, "--data", "builtin:digits",
         "--samples", "ppl=24,separability=160,contributions=8,droplets=4,fidelity=16"),
        ("resolution", "detections", "attributes"),
    ),
}  # fmt: skip
NAMES = ("StyleGAN (digits)", "StyleGAN2 & <digits>")


class Run:
    """What a command wrote and said."""

    def __init__(self, command, folder):
        arguments, self.whole = COMMANDS[command]
        if STYLEGAN3 in arguments:
            latentlab.save(make_stylegan3(), folder.parent / STYLEGAN3)
            arguments = [str(folder.parent / a) if a == STYLEGAN3 else a for a in arguments]
        models = NAMES if command == "compare" else NAMES[1:]
        names = [part for name in models for part in ("--name", name)]
        more = [] if command == "compare" else ["--html"]
        done = CliRunner().invoke(
            main, [command, *arguments, *names, *more, "--device", "cpu", "-o", str(folder)]
        )
        assert done.exit_code == 0, done.stderr
        self.folder, self.models, self.terminal = folder, models, done.stderr
        page = (folder / "report.html").read_text(encoding="utf-8")
        self.page = html.unescape(page)
        self.title = html.unescape(re.search("<title>(.*?)</title>", page)[1])
        self.cells = {html.unescape(cell) for cell in re.findall(r"<t[dh][^>]*>([^<]*)<", page)}
        self.rows = pd.read_csv(folder / "report.csv", keep_default_na=False, na_values=[""])
        self.text = pd.read_csv(folder / "report.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run each command once, with a stand-in for the networks of fidelity."""
    with pytest.MonkeyPatch.context() as patch:
        for metric in METRICS:
            patch.setitem(torch_fidelity.utils.DEFAULT_FEATURE_EXTRACTOR, metric, NAME)
        folder = tmp_path_factory.mktemp("scheme")
        yield {command: Run(command, folder / command) for command in COMMANDS}


@pytest.fixture(params=COMMANDS)
def run(runs, request):
    return runs[request.param]


def test_columns_are_the_same_around_the_metrics_own(run):
    columns = run.rows.columns.tolist()
    assert columns[: 1 + len(LEADING)] == [MODEL, *LEADING]
    assert columns[-1 - len(TRAILING) :] == [*TRAILING, SHA256]


def test_every_row_has_a_name_of_its_own_and_a_unit(run):
    text = run.text
    assert text["quantity"].map(lambda name: name.isprintable() and name.strip() == name).all()
    assert (text["quantity"] != "").all()
    assert not text.duplicated(["model", "metric", "protocol", "quantity"]).any()
    assert set(text["unit"]) <= set(UNITS)
    assert set(text["better_when"]) <= {"lower", "higher", ""}
    assert text["model"].unique().tolist() == [*run.models]
    assert run.rows.loc[run.rows["unit"] == SHARE, "value"].dropna().between(0, 1).all()


def test_whole_numbers_stay_whole(run):
    for name in ("n", "seed", *run.whole):
        assert run.text[name].str.fullmatch(r"\d*").all(), name
    assert (run.text[["n", "seed"]] != "").all(axis=None)
    assert set(run.whole) <= set(run.text.columns)


def test_numbers_are_those_of_the_page(run):
    for row in run.rows.to_dict("records"):
        for name in ("value", "ci_low", "ci_high"):
            if pd.notna(row[name]):
                shown = number_of(row) if name == "value" else interval(row)
                parts = [shown] if name == "value" else shown.split(" to ")
                assert set(parts) <= run.cells, (row["quantity"], parts)


def test_the_headline_is_that_of_the_terminal(run):
    if run.terminal.count("better on") or len(run.models) > 1:
        return  # a comparison has no headline: its values are below
    row = run.rows.iloc[0].to_dict()
    if "contributions" in row["metric"]:
        mine = run.rows[run.rows["measure"] == "upsampled"]
        row = mine.loc[mine["value"].idxmax()].to_dict()
    assert number_of(row) in run.terminal
    assert interval(row) in run.terminal


def bare(text):
    """Return text without what differs among sentences that are said once for several models."""
    text = re.sub(r"in (Z and W|[ZW])\b", "in #", text)
    return re.sub(r"\d[\d,]*(\.\d+)?( to \d[\d,]*(\.\d+)?)?", "#", text).replace("SVMs", "SVM")


def test_cautions_stand_beside_numbers_and_on_page_and_terminal(run):
    noted = run.text[run.text["note"] != ""]
    if len(run.models) > 1:
        noted = noted[noted["better_when"] != ""]
    for note in noted["note"].unique():
        assert all(bare(part) in bare(run.terminal) for part in note.split(". "))
        assert all(part in run.page for part in note.split(". "))
    assert len(noted) or run.rows["metric"][0] == "contributions"


def test_the_page_writes_a_note_once_below_its_table(run):
    numbers = run.page[run.page.index('<section id="numbers">') :]
    numbers = numbers[: numbers.index("</section>")]
    for _, rows in run.text.groupby("metric"):
        for i, note in enumerate(filter(None, rows["note"].unique()), 1):
            assert numbers.count(f"<p>Note {i}: {note}</p>") == 1
            assert f">{note}</td>" not in numbers


def test_the_page_is_called_after_the_models(run):
    if "contributions" not in run.rows["metric"].iloc[0]:
        assert all(name in run.title for name in run.models)
    assert all(name in run.page for name in run.models)


class TestDifferences:
    @pytest.fixture
    def rows(self, runs):
        return pd.read_csv(runs["compare"].folder / "differences.csv", keep_default_na=False,
                           na_values=[""])  # fmt: skip

    def test_columns_and_words(self, rows):
        assert rows.columns.tolist() == [*DIFFERENCES]
        assert set(rows["better"]) <= {*NAMES, NEITHER, UNKNOWN, WITHHELD}
        assert {NEITHER, UNKNOWN, WITHHELD} <= set(rows["better"])
        assert set(rows["unit"]) <= set(UNITS)

    def test_they_are_of_the_rows_in_the_report(self, rows, runs):
        keys = ["metric", "protocol", "quantity"]
        report = runs["compare"].rows.set_index(["model", *keys])
        for row in rows.to_dict("records"):
            key = tuple(row[name] for name in keys)
            for end in ("a", "b"):
                mine = report.loc[(row[f"model_{end}"], *key)]
                assert mine["value"] == row[f"value_{end}"]
                assert mine["unit"] == row["unit"]
            assert row["difference"] == pytest.approx(row["value_b"] - row["value_a"])

    def test_page_and_terminal_say_the_same(self, rows, runs):
        run = runs["compare"]
        report = run.rows[run.rows["better_when"].notna()]
        for row in report.to_dict("records"):
            doubtful = ", doubtful" * ("Few samples" in str(row["note"]))
            assert with_interval(row) + doubtful in run.cells
            assert f"{row['model']} {with_interval(row)}{doubtful}" in run.terminal
        for row in rows.to_dict("records"):
            assert with_interval({**row, "value": row["difference"]}) in run.cells
            assert row["better"] in run.cells
        for note in rows.loc[rows["better"] == WITHHELD, "note"]:
            assert all(part in run.terminal for part in note.split(". "))
            assert all(part in run.page for part in note.split(". "))

    def test_a_score_of_too_few_samples_wins_nothing(self, rows):
        scores = rows[rows["metric"] == "separability"]
        assert scores["better"].tolist() == [WITHHELD, WITHHELD]
        assert scores["note"].str.contains("Few samples").all()


@pytest.mark.parametrize(("command", "names", "words"), [
    ("ppl", ("a", "b"), "Give --name once: there is one model"),
    ("ppl", ("",), "a name has 1 to 80 characters"),
    ("compare", ("a",), "2 times, not 1"),
    ("compare", ("a", "a"), "the same --name"),
    ("contributions", ("a", "b"), "Give --name once: there is one model"),
])  # fmt: skip
def test_names_that_do_not_fit_are_usage_errors(tmp_path, command, names, words):
    given = [part for name in names for part in ("--name", name)]
    done = CliRunner().invoke(main, [command, *COMMANDS[command][0], *given, "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert words in done.stderr
