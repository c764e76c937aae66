import json
import re

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.commands.measuring.compare import SAMPLES
from cli.comparing.comparison_page import planned_files
from cli.comparing.verdicts import verdicts
from cli.main import main
from metrics import MetricResult, perceptual_path_length
from metrics.differences import compare as differences
from tests.conftest import make_progan

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
FEW = "ppl=24,separability=80,contributions=16,droplets=8"


def compare(folder, *arguments):
    command = ["compare", *map(str, arguments), "--device", "cpu", "-o", str(folder)]
    return CliRunner().invoke(main, [*command, "--distance", "builtin:digits"])


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "out"
    done = compare(folder, A, B, "--classifier", "builtin:digits-classifier", "--samples", FEW,
                   "--published")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    return folder, done.stderr


def test_every_metric_is_measured_on_both_with_the_same_seeds(compared):
    folder, _ = compared
    rows = pd.read_csv(folder / "report.csv")
    for model in (A, B):
        mine = rows[rows["model"] == model]
        assert {"path_length", "separability", "droplets"} <= set(mine["metric"])
        assert mine["sha256"].unique().tolist() == [latentlab.load(model).sha256]
    assert rows["seed"].unique().tolist() == [0]
    distance = latentlab.perceptual_distance("builtin:digits")
    for model in (A, B):
        value = rows[(rows["model"] == model) & (rows["metric"] == "path_length")]["value"].item()
        g = latentlab.load(model).generator
        assert value == perceptual_path_length(g, distance, num_samples=24).value


def test_differences_say_who_is_better(compared):
    folder, talk = compared
    rows = pd.read_csv(folder / "differences.csv")
    assert rows["metric"].tolist() == ["path_length", "separability", "separability", "droplets"]
    outcomes = ["neither", "not comparable", "not comparable", "neither"]  # so few are measured
    assert rows["better"].tolist() == outcomes
    assert "No significant difference on path length (ppl2_wend), pictures with droplets" in talk
    honest = "cross-fitted separability in Z, cross-fitted separability in W"
    assert f"Not comparable: {honest}" in talk
    for row in rows.itertuples():
        assert row.difference == pytest.approx(row.value_b - row.value_a)
        assert row.significant == (row.ci_low > 0 or row.ci_high < 0)


def test_results_of_another_run_are_told_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "cli.comparing.compared.open_settings", lambda *_, **__: pytest.fail("fetched")
    )
    (tmp_path / "report.csv").touch()
    done = compare(tmp_path, A, B, "--metric", "ppl")
    assert done.exit_code == 6
    assert "report.csv exists" in done.stderr.splitlines()[-1]


def test_what_does_not_apply_to_a_model_is_noted(compared):
    folder, told = compared
    assert f"{A} has no contributions: only a skip generator" in told
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{A} has no contributions: only a skip generator" in page


def test_one_page_holds_everything(compared):
    folder, _ = compared
    page = (folder / "report.html").read_text(encoding="utf-8")
    for heading in ("Which is better on what", "Samples", "Path lengths", "Droplets",
                    "Separability of each attribute", "Contribution of each resolution",
                    "Published figures, for orientation", "How it was measured"):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page
    assert len(re.findall('<img src="data:image/png', page)) == 6
    assert "not measured here" in page
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    others = {"report.csv", "report.html", "saved/results.json"}
    metrics = [name for name in SAMPLES if name != "attribution"]  # whose pictures are not given
    assert {*planned_files([True, True], metrics), *others} == set(listed)


def test_a_model_better_than_several_is_said_once_for_each_measure():
    measure = {"metric": "path_length", "protocol": "ppl2_wend", "quantity": "path length"}
    pairs = [("a", "b", "neither"), ("a", "c", "c"), ("b", "c", "c")]
    rows = [{**measure, "model_a": a, "model_b": b, "better": better} for a, b, better in pairs]
    won, _ = verdicts(pd.DataFrame(rows))
    assert won == "c is better on path length (ppl2_wend) (than a and b)."


def test_a_difference_without_an_interval_has_no_verdict():
    def fid(value):
        rows = pd.DataFrame([{"quantity": "FID", "better_when": "lower", "value": value}])
        return [MetricResult("fidelity", rows, {})]

    lines = verdicts(differences({"a": fid(1.0), "b": fid(9.0)}))
    assert lines == ["No verdict on FID, as no interval is known."]


def test_an_attribute_of_one_class_in_one_model_counts_in_none(tmp_path):
    """The bundled pair has it: among the samples kept for the digit 1 of StyleGAN2 is none."""
    done = compare(tmp_path, A, B, "--classifier", "builtin:digits-classifier", "--metric",
                   "separability", "--samples", "separability=1400")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "differences.csv")
    text = "Counts 9 of 10 attributes, those valid in all models."
    assert rows["note"].str.contains(text, regex=False).all()
    assert pd.read_csv(tmp_path / "report.csv")["attributes"].tolist() == [9] * 8
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text in page
    every = "Separability in Z and W, cross-fitted separability in Z and W"
    assert f"Caution: {every}: {text}" in done.stderr
    assert f"for: attribute 1 in {B}." in done.stderr


def test_models_of_other_resolutions_are_not_ranked(tmp_path):
    small = tmp_path / "small.safetensors"
    latentlab.save(make_progan(resolution=16), small)
    done = compare(tmp_path / "out", A, small, "--metric", "droplets", "--samples", "droplets=4",
                   "--name", "large", "--name", "small")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "out" / "differences.csv").to_dict("records")
    assert (row["better"], row["significant"]) == ("not comparable", False)
    assert "Pictures of 32x32 and 16x16 pixels" in row["note"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for words in ("Not comparable: pictures with droplets", "Pictures of 32x32 and 16x16 pixels"):
        assert words in page
        assert words in done.stderr
    assert "trained on" in page
    models = pd.read_csv(tmp_path / "out" / "models.csv")
    assert models["model"].tolist() == ["large", "small"]
    assert models["resolution"].tolist() == [32, 16]
    assert models["training_pictures"].isna().tolist() == [False, True]


def test_samples_stand_side_by_side(compared):
    folder, _ = compared
    with Image.open(folder / "samples.png") as picture:
        assert picture.width > 1.9 * picture.height * 0.9
        assert len(picture.getcolors(2**20)) > 50


def test_three_models_and_one_without_w(tmp_path):
    third = tmp_path / "third.safetensors"
    latentlab.save(make_progan(resolution=32), third)
    done = compare(tmp_path / "out", A, B, third, "--metric", "ppl", "--metric", "droplets",
                   "--samples", "ppl=8,droplets=4")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "differences.csv")
    assert rows["metric"].value_counts().to_dict() == {"path_length": 1, "droplets": 3}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "has no ppl: this generator has no W" in page


def test_a_stopped_comparison_goes_on_where_it_was(tmp_path, monkeypatch):
    calls = []

    def broken(g, *arguments, **settings):
        raise KeyboardInterrupt

    def counted(g, *arguments, **settings):
        calls.append(len(settings["finished"]))
        return perceptual_path_length(g, *arguments, **settings)

    arguments = (A, B, "--metric", "ppl", "--metric", "droplets", "--samples", "ppl=8,droplets=4")
    monkeypatch.setattr("cli.comparing.comparison.droplets", broken)
    assert compare(tmp_path, *arguments).exit_code == 130
    monkeypatch.undo()
    monkeypatch.setattr("cli.comparing.comparison.perceptual_path_length", counted)
    assert compare(tmp_path, *arguments).exit_code == 0
    assert calls[0] > 0
    assert not list(tmp_path.glob(".partial-*"))


def test_a_dry_run_tells_what_would_be_measured(tmp_path):
    done = compare(tmp_path / "out", A, B, "--dry-run", "--json")
    facts = json.loads(done.stdout)
    assert facts["samples"] == {"ppl": 50_000, "contributions": 1024, "droplets": 256}
    assert len(facts["models"]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    ((A,), "two models or more"), ((A, A), "each once"),
    ((A, B, "--metric", "separability"), "--classifier"),
    ((A, B, "--dual"), "--dual goes with --classifier"),
    ((A, B, "--metric", "fidelity"), "--data"),
    ((A, B, "--samples", "ppl=0"), "ppl=0"), ((A, B, "--samples", "fid=9"), "fid=9"),
    ((A, B, "--samples", "ppl=1,ppl=2"), "each once"), ((A, B, "--samples", "ppl"), "ppl"),
])  # fmt: skip
def test_bad_orders_are_usage_errors(tmp_path, arguments, words):
    done = compare(tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_finished_comparison_is_said_drawn_again_and_extended(tmp_path, monkeypatch):
    first = (A, B, "--metric", "ppl", "--samples", "ppl=8")
    assert compare(tmp_path, *first).exit_code == 0
    lengths = (tmp_path / "path_lengths.csv").read_bytes()
    monkeypatch.setattr("metrics.sampling._computed", lambda *_: pytest.fail("computed"))
    again = compare(tmp_path, *first)
    assert again.exit_code == 0
    assert f"is finished; see {tmp_path / 'report.html'}" in again.stderr
    (tmp_path / "report.html").unlink()
    assert compare(tmp_path, *first).exit_code == 0
    assert (tmp_path / "report.html").exists()
    monkeypatch.undo()
    other = compare(tmp_path, *first, "--seed", "1")
    assert other.exit_code == 6
    assert "seed 0 (not 1)" in other.stderr
    more = compare(tmp_path, A, B, "--metric", "ppl", "--metric", "droplets",
                   "--samples", "ppl=8,droplets=4")  # fmt: skip
    assert more.exit_code == 0, more.stderr
    assert "holds a part of this measurement (samples of ppl 8)" in more.stderr
    assert (tmp_path / "path_lengths.csv").read_bytes() == lengths
    assert {"path_length", "droplets"} == set(pd.read_csv(tmp_path / "report.csv")["metric"])


def test_fewer_metrics_than_the_folder_holds_are_told(tmp_path):
    few = ("--metric", "ppl", "--metric", "droplets", "--samples", "ppl=4,droplets=2")
    assert compare(tmp_path, A, B, *few).exit_code == 0
    again = compare(tmp_path, A, B, "--metric", "droplets", "--samples", "droplets=2")
    assert again.exit_code == 6
    assert "holds more than is asked for: samples of droplets 2, samples of ppl 4" in again.stderr
    assert "ask for all of it to have it drawn, use --overwrite" in again.stderr
    other = compare(tmp_path, A, B, "--metric", "droplets", "--seed", "1")
    assert "holds another measurement: seed 0 (not 1)" in other.stderr
    assert compare(tmp_path, A, B, *few).exit_code == 0


@pytest.mark.parametrize(("options", "files"), [
    (("--metric", "droplets"), {"detections.csv", "droplets-1.png", "droplets-2.png"}),
    (("--metric", "ppl", "--metric", "contributions"),
     {"path_lengths.csv", "path_lengths.png", "contributions.csv", "contributions.png"}),
])  # fmt: skip
def test_a_dry_run_names_the_files_that_come_to_be(options, files, tmp_path):
    few = ("--samples", "ppl=4,droplets=2,contributions=2")
    told = compare(tmp_path, A, B, *options, *few, "--dry-run", "--json")
    planned = json.loads(told.stdout)["plan"]["files"]
    always = {"report.csv", "differences.csv", "models.csv", "samples.png", "report.html",
              "manifest.json"}  # fmt: skip
    assert {name.rsplit("/", 1)[-1] for name in planned} == always | files
    assert compare(tmp_path, A, B, *options, *few).exit_code == 0
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == always | files
