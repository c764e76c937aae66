"""Folders of earlier measurements as models of a comparison."""

import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

import latentlab
from cli.commands.measuring.compare import SAMPLES
from cli.comparing.measured_folders import METRICS
from cli.main import main
from metrics import sampling

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
DISTANCE = ("--distance", "builtin:digits")
CLASSIFIER = ("--classifier", "builtin:digits-classifier")


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


def measured(folder, model, metric, *options):
    done = run(metric, model, *options, "-o", folder)
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """ppl, separability, contributions and droplets of both models, and of checkpoints by path."""
    root = tmp_path_factory.mktemp("measured")
    for name, model in (("a", A), ("b", B)):
        shutil.copy(latentlab.models.builtin_path(model), root / f"{name}.safetensors")
        file = root / f"{name}.safetensors"
        measured(root / f"ppl-{name}", file, "ppl", *DISTANCE, "--samples", 40)
        measured(root / f"ls-{name}", model, "separability", *CLASSIFIER, "--samples", 80)
        measured(root / f"drops-{name}", model, "droplets", "--samples", 8)
    return root


@pytest.fixture
def nothing_is_computed(monkeypatch):
    monkeypatch.setattr(sampling, "_computed", lambda *_: pytest.fail("a sample was computed"))


@pytest.fixture(scope="module")
def compared(folders):
    """What compare has made of all these folders, without computing a sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_computed", lambda *_: pytest.fail("a sample was computed"))
        done = run("compare", *both(folders, "ppl", "ls", "drops"), "-o", folders / "compared")
    assert done.exit_code == 0, done.stderr
    return folders / "compared"


def test_the_published_solver_is_not_that_of_these_folders(folders, tmp_path):
    done = run("compare", *both(folders, "ls"), "--dual", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "--dual: separability in " in done.stderr
    assert "by the default solver; measure again with --dual" in done.stderr
    assert not (tmp_path / "out").exists()


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def both(folders, *metrics):
    return [folders / f"{metric}-{name}" for metric in metrics for name in "ab"]


def test_each_metric_that_is_measured_is_known_in_folders():
    assert {*METRICS.values()} == {*SAMPLES}


def test_folders_give_the_page_of_the_checkpoints_without_measuring(folders, compared, tmp_path):
    options = ("--samples", "ppl=40,separability=80,droplets=8", "--metric", "ppl",
               "--metric", "separability", "--metric", "droplets")  # fmt: skip
    fresh = run("compare", folders / "a.safetensors", folders / "b.safetensors", *DISTANCE,
                *CLASSIFIER, *options, "-o", tmp_path / "fresh")  # fmt: skip
    assert fresh.exit_code == 0, fresh.stderr
    for name in ("differences.csv", "models.csv", "path_lengths.csv", "attributes.csv",
                 "detections.csv", "samples.png", "path_lengths.png"):  # fmt: skip
        assert (compared / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    a, b = (pd.read_csv(each / "report.csv") for each in (compared, tmp_path / "fresh"))
    assert a["value"].tolist() == b["value"].tolist()
    assert names_in(compared) == names_in(tmp_path / "fresh")


def test_the_tables_behind_the_plots_are_listed(folders, compared):
    listed = json.loads((compared / "manifest.json").read_text())["files"]
    assert {"path_lengths.csv", "attributes.csv", "detections.csv"} <= set(listed)
    lengths = pd.read_csv(compared / "path_lengths.csv")
    for name in "ab":
        mine = lengths[lengths["model"] == f"{name}.safetensors"]
        alone = pd.read_csv(folders / f"ppl-{name}" / "path_lengths.csv")
        assert mine["path_length"].tolist() == alone["path_length"].tolist()
        assert (mine["protocol"] == "ppl2_wend").all()
    attributes = pd.read_csv(compared / "attributes.csv")
    assert attributes.groupby("model")["attribute"].nunique().tolist() == [10, 10]


def test_a_checkpoint_beside_folders_is_measured_as_they_were(folders, tmp_path):
    out, model = tmp_path / "out", folders / "b.safetensors"
    done = run("compare", folders / "ppl-a", model, *DISTANCE, "-o", out)
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(out / "report.csv")
    assert rows["n"].tolist() == [40, 40]
    alone = pd.read_csv(folders / "ppl-b" / "report.csv")
    assert rows["value"].tolist()[1] == alone["value"].item()
    again = run("compare", folders / "ppl-a", model, *DISTANCE, "-o", out)
    assert again.exit_code == 0
    assert "is finished; see " in again.stderr


def test_a_folder_of_a_comparison_counts_as_well(folders, tmp_path, nothing_is_computed):
    assert run("compare", *both(folders, "ppl"), "-o", tmp_path / "one").exit_code == 0
    done = run("compare", tmp_path / "one", *both(folders, "drops"), "-o", tmp_path / "two")
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "two" / "report.csv")
    assert {"path_length", "droplets"} <= set(rows["metric"])
    assert rows["sha256"].nunique() == 2


def test_without_the_checkpoint_the_numbers_are_compared_and_the_rest_is_said(folders, tmp_path):
    for name in ("ppl-a", "ppl-b"):
        shutil.copytree(folders / name, tmp_path / name)
    file = tmp_path / "ppl-a" / "saved" / "results.json"
    saved = json.loads(file.read_text())
    saved["models"][0]["facts"]["checkpoint"] = "gone.pkl"
    file.write_text(json.dumps(saved))
    out = tmp_path / "out"
    done = run("compare", tmp_path / "ppl-a", tmp_path / "ppl-b", "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "its checkpoint gone.pkl is not there" in done.stderr
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "its checkpoint gone.pkl is not there" in page
    assert len(pd.read_csv(out / "report.csv")) == 2
    saved["models"][0]["facts"]["checkpoint"] = str(folders / "b.safetensors")
    file.write_text(json.dumps(saved))
    done = run("compare", tmp_path / "ppl-a", tmp_path / "ppl-b", "-o", tmp_path / "other")
    assert "is another one by now" in done.stderr


@pytest.mark.parametrize(("change", "words"), [
    (("--seed", "3"), "seed 0 (not 3)"), (("--noise", "const"), "noise random (not const)"),
])  # fmt: skip
def test_what_was_measured_otherwise_is_refused_by_name(folders, tmp_path, change, words):
    other = measured(tmp_path / "o", folders / "b.safetensors", "ppl", *DISTANCE,
                     "--samples", 8, *change)  # fmt: skip
    done = run("compare", folders / "ppl-a", other, "-o", tmp_path / "out")
    assert done.exit_code == 4
    told = done.stderr.splitlines()[-1]
    assert words in told
    assert "cannot be compared by ppl2_wend" in told
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_would_be_measured_otherwise_is_refused_first(
    folders, tmp_path, nothing_is_computed
):
    out, model = tmp_path / "out", folders / "b.safetensors"
    done = run("compare", folders / "ppl-a", model, *DISTANCE, "--seed", 3, "-o", out)
    assert done.exit_code == 4
    assert "seed 3 (not 0)" in done.stderr
    for more in ([], ["--metric", "separability"]):
        done = run("compare", folders / "ls-a", model, *more, "-o", out)
        assert done.exit_code == 2
        assert "To measure separability as in the folders, give --classifier." in done.stderr


@pytest.mark.parametrize(("names", "words"), [
    (("ppl-a", "drops-b"), "no measure in common"), (("ppl-a", "drops-a"), "one model alone"),
    (("ppl-a", "."), "holds no finished measurement"), (("ppl-a", "a.safetensors"), "leave one"),
])  # fmt: skip
def test_what_makes_no_comparison_is_told_in_a_line(folders, tmp_path, names, words):
    done = run("compare", *(folders / name for name in names), *DISTANCE, "-o", tmp_path / "out")
    assert done.exit_code == 4, done.exception
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "words"), [
    (("noise", "--samples", 1, "--draws", 2), "can be compared, only stochastic_variation\n"),
    (("directions", "--samples", 16), "holds no measure that can be compared\n"),
])  # fmt: skip
def test_a_folder_without_a_measure_that_compare_takes_is_named(folders, tmp_path, command, words):
    name, *options = command
    done = run(name, folders / "a.safetensors", *options, "-o", tmp_path / "other")
    assert done.exit_code == 0, done.stderr
    done = run("compare", tmp_path / "other", folders / "ppl-b", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert done.stderr.startswith(f"Error: {tmp_path / 'other'}: ")
    assert done.stderr.endswith(words)


def test_two_folders_of_the_same_are_refused(folders, tmp_path):
    twin = shutil.copytree(folders / "ppl-a", tmp_path / "twin")
    done = run("compare", folders / "ppl-a", twin, folders / "ppl-b", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "of the same model" in done.stderr


def test_a_damaged_folder_is_told_in_a_line(folders, tmp_path):
    broken = shutil.copytree(folders / "ppl-a", tmp_path / "broken")
    file = broken / "saved" / "results.json"
    file.write_bytes(file.read_bytes()[:-50])
    done = run("compare", broken, folders / "ppl-b", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "damaged" in done.stderr


def test_models_are_called_as_told(folders, tmp_path):
    done = run("compare", *both(folders, "ppl"), "--name", "One", "--name", "Two",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert pd.read_csv(tmp_path / "out" / "report.csv")["model"].tolist() == ["One", "Two"]
