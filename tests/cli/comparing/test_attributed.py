"""Attribution as a metric of a comparison."""

import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from metrics import sampling
from metrics.source_attribution import attribution_of
from tests.conftest import make_progan

A, B = "builtin:digits-stylegan1", "builtin:digits-stylegan2"
DISTANCE = ("--distance", "builtin:digits")
REAL = ("--real", "builtin:digits")
FEW = ("--samples", "attribution=3", "--steps", "2")


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])


@pytest.fixture
def nothing_is_computed(monkeypatch):
    monkeypatch.setattr(sampling, "_computed", lambda *_: pytest.fail("a sample was computed"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A comparison of both models, and each model's own folder."""
    folder = tmp_path_factory.mktemp("attributed")
    done = run("compare", A, B, *DISTANCE, *REAL, *FEW, "--metric", "attribution",
               "-o", folder / "both")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    for name, model in (("a", A), ("b", B)):
        alone = run("attribution", model, "builtin:digits", "--most-real", 3, "--steps", 2,
                    *DISTANCE, "-o", folder / name)  # fmt: skip
        assert alone.exit_code == 0, alone.stderr
    return folder


def areas(folder):
    rows = pd.read_csv(folder / "report.csv")
    return rows.loc[rows["quantity"] == "auc", "value"].tolist()


def test_numbers_are_those_of_the_command_for_one_model(root):
    assert areas(root / "both") == areas(root / "a") + areas(root / "b")
    distances = pd.read_csv(root / "both" / "distances.csv")
    for name, model in (("a", A), ("b", B)):
        mine = distances[distances["model"] == model]
        alone = pd.read_csv(root / name / "distances.csv")
        assert mine["distance"].tolist() == alone["distance"].tolist()
        assert mine.groupby("group", sort=False).size().to_dict() == {"generated": 3, "real": 3}


def test_the_difference_has_its_interval_and_the_larger_area_is_better(root):
    (row,) = pd.read_csv(root / "both" / "differences.csv").to_dict("records")
    assert (row["metric"], row["quantity"], row["unit"]) == ("attribution", "auc", "share")
    assert row["ci_low"] <= row["difference"] <= row["ci_high"]
    report = pd.read_csv(root / "both" / "report.csv").set_index("quantity")
    assert (report.loc["auc", "better_when"] == "higher").all()
    assert report.loc["generated_mean", "better_when"].isna().all()


def test_the_page_shows_the_curves_of_all_models(root):
    page = (root / "both" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Attribution</h2>" in page
    assert "attribution (auc)" in page
    listed = json.loads((root / "both" / "manifest.json").read_text())["files"]
    assert {"roc.png", "distances.csv"} <= set(listed)


def test_folders_of_attribution_stand_for_models(root, tmp_path, nothing_is_computed):
    done = run("compare", root / "a", root / "b", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert areas(tmp_path) == areas(root / "both")
    tables = [pd.read_csv(each / "differences.csv") for each in (tmp_path, root / "both")]
    pd.testing.assert_frame_equal(*tables)


def test_a_checkpoint_beside_a_folder_is_projected_as_it_was(root, tmp_path):
    done = run("compare", root / "a", B, *DISTANCE, *REAL, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert areas(tmp_path / "out") == areas(root / "both")
    done = run("compare", root / "a", B, *DISTANCE, "-o", tmp_path / "other")
    assert done.exit_code == 2
    assert "To measure attribution as in the folders, give --real." in done.stderr


@pytest.mark.parametrize(("more", "words"), [
    (("--steps", "3"), "steps 3 (not 2)"), (("--seed", "4"), "seed 4 (not 0)"),
])  # fmt: skip
def test_what_would_not_compare_is_refused_before_the_work(
    root, tmp_path, nothing_is_computed, more, words
):
    done = run("compare", root / "a", B, *DISTANCE, *REAL, *more, "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert words in done.stderr


def test_other_real_pictures_are_another_measurement(root, tmp_path):
    for i in range(3):
        Image.new("L", (32, 32), 40 * i).save(tmp_path / f"{i}.png")
    done = run("attribution", B, tmp_path, "--steps", 2, *DISTANCE, "-o", tmp_path / "b")
    assert done.exit_code == 0, done.stderr
    done = run("compare", root / "a", tmp_path / "b", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "cannot be compared by attribution" in done.stderr
    assert "pictures" in done.stderr


def test_real_pictures_that_cannot_be_read_are_named_and_left_out(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(2):
        Image.new("L", (32, 32), 90 * i).save(photos / f"{i}.png")
    (photos / "bad.png").write_bytes(b"no picture")
    done = run("compare", A, B, *DISTANCE, "--real", photos, *FEW, "--metric", "attribution",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4, done.stderr
    assert "bad.png" in done.stderr.splitlines()[-1]
    assert (tmp_path / "out" / "report.html").exists()
    found = pd.read_csv(tmp_path / "out" / "distances.csv")
    assert found.groupby("group").size().to_dict() == {"generated": 6, "real": 4}


def test_a_model_without_w_is_noted(root, tmp_path):
    import latentlab

    small = tmp_path / "small.safetensors"
    latentlab.save(make_progan(resolution=32), small)
    done = run("compare", root / "a", small, *DISTANCE, *REAL, "--metric", "attribution",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4
    assert "no W" in done.stderr


def test_it_is_measured_where_its_pictures_are_given(tmp_path):
    done = run("compare", A, B, *DISTANCE, "--metric", "attribution", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "--metric attribution needs --real." in done.stderr
    plan = (*DISTANCE, "--dry-run", "-o", tmp_path / "out")
    few = ("--samples", "attribution=3,fidelity=4")
    for more, count in (((), 0), (REAL, 1)):
        done = run("compare", A, B, "--data", "builtin:digits", *few, *more, *plan)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.count("attribution: 6 pictures of each model") == count
    done = run("compare", A, B, "--data", "builtin:digits", *few, "--metric", "attribution", *plan)
    assert "attribution: 6 pictures of each model, 1,000 steps each" in done.stdout


def test_another_metric_is_measured_in_addition(root, tmp_path, monkeypatch):
    folder = shutil.copytree(root / "both", tmp_path / "both")
    monkeypatch.setattr("cli.comparing.attributed.project_groups", _known_only(folder))
    done = run("compare", A, B, *DISTANCE, *REAL, "--steps", 2, "--metric", "attribution",
               "--metric", "droplets", "--samples", "attribution=3,droplets=4",
               "-o", folder)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert areas(folder) == areas(root / "both")
    assert set(pd.read_csv(folder / "report.csv")["metric"]) == {"attribution", "droplets"}


def test_another_seed_is_another_measurement_whatever_is_added(root):
    done = run("compare", A, B, *DISTANCE, *REAL, "--steps", 2, "--metric", "attribution",
               "--metric", "droplets", "--samples", "attribution=3,droplets=4", "--seed", 3,
               "-o", root / "both")  # fmt: skip
    assert done.exit_code == 6
    assert "seed 0 (not 3)" in done.stderr.splitlines()[-1]


def _known_only(folder):
    from metrics.source_attribution import project_groups

    def projected(*arguments, finished, **more):
        assert sum(map(len, finished)) == 6  # nothing is projected again
        return project_groups(*arguments, finished=finished, **more)

    return projected


def test_attribution_joins_a_folder_of_another_metric(tmp_path):
    models = (A, B, *DISTANCE, *REAL, "--steps", 2)
    first = ("--metric", "droplets", "--samples", "droplets=4,attribution=1")
    assert run("compare", *models, *first, "-o", tmp_path).exit_code == 0
    done = run("compare", *models, *first, "--metric", "attribution", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert areas(tmp_path) == [
        attribution_of(*(part["distance"] for _, part in mine.groupby("group"))).value
        for _, mine in pd.read_csv(tmp_path / "distances.csv").groupby("model")
    ]
