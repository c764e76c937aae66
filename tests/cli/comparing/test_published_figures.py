"""The published figures beside a comparison, and the solver that makes scores comparable."""

import html
import json

import pandas as pd
import pytest

import latentlab
from cli.comparing.published_figures import doubts, marked, orientation
from metrics.published_figures import Figure
from tests.conftest import make_generator
from tests.support.commands import run, succeeded

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
JUDGE = ("--classifier", "builtin:digits-classifier")
FEW = ("--metric", "separability", "--samples", "separability=160", "--device", "cpu")


def test_readmes_and_papers_of_both_systems_are_shown():
    frame, figures = orientation()
    rows = frame.set_index(["measure", "in"])
    first, second = frame.columns[1:3]
    assert rows.loc[("ppl_wend", "READMEs")].tolist() == ["197.2266", "129.4 \u00b1 0.8"]
    assert rows.loc[("ppl2_wend", "StyleGAN2's paper")].tolist() == ["212.1", "145.0 \u00b1 0.5"]
    assert rows.loc[("ppl_wfull", "papers"), first] == "234.0"
    assert rows.loc[("precision", "StyleGAN2's paper"), second] == "0.689"
    assert rows.loc[("recall", "StyleGAN2's paper"), second] == "0.492"
    assert rows.loc[("ls w", "READMEs")].tolist() == ["3.7447", "4.27"]
    assert all(figure.data == "ffhq" for figure in figures)


@pytest.mark.parametrize(("sources", "mark", "words"), [
    (("a", "b"), "1.50", []), (("a",), "1.50 *", ["one text alone: 1 of 1"]),
    ((), "1.50 **", ["not checked, as no text was found that quotes the paper's: 1 of 1"]),
])  # fmt: skip
def test_a_figure_that_two_texts_do_not_have_is_marked(sources, mark, words):
    figure = Figure("F", "ffhq", "fid", 1.5, None, sources, "1.50")
    assert marked(figure) == mark
    lines = doubts([figure])
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def settings_of(folder):
    rows = pd.read_csv(folder / "report.csv")
    return [json.loads(text)["dual"] for text in rows["settings"]]


def test_separability_is_then_by_the_published_solver(tmp_path):
    plain, beside = tmp_path / "plain", tmp_path / "beside"
    succeeded(run("compare", A, B, *JUDGE, *FEW, "-o", plain))
    succeeded(run("compare", A, B, *JUDGE, *FEW, "--published", "-o", beside))
    assert set(settings_of(plain)) == {False}
    assert set(settings_of(beside)) == {True}
    page = html.unescape((beside / "report.html").read_text(encoding="utf-8"))
    assert "0.689" in page
    assert "145.0 \u00b1 0.5" in page
    # What was measured otherwise is not taken for it, and says so where it is shown.
    other = run("compare", A, B, *JUDGE, *FEW, "--published", "-o", plain)
    assert other.exit_code == 6
    assert "holds another measurement: dual" in other.stderr
    latentlab.save(make_generator(resolution=32), tmp_path / "third.safetensors")
    succeeded(run("compare", plain, tmp_path / "third.safetensors", *JUDGE, "--published",
                  "-o", tmp_path / "again"))  # fmt: skip
    assert set(settings_of(tmp_path / "again")) == {False}  # the third is measured as the others
    page = html.unescape((tmp_path / "again" / "report.html").read_text(encoding="utf-8"))
    assert "by another solver than the published one" in page
    succeeded(run("compare", A, B, *JUDGE, *FEW, "--published", "-o", beside))  # is finished
    succeeded(run("compare", A, B, *JUDGE, *FEW, "--dual", "-o", beside))  # the same measurement
    assert set(settings_of(beside)) == {True}
    assert "145.0 \u00b1 0.5" not in (beside / "report.html").read_text(encoding="utf-8")
