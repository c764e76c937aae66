import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.pictures.real_pictures import read_real
from latentlab.datasets.digits import digits
from latentlab.images import load_image, pixels_to_tensor
from metrics import attribution
from tests.conftest import make_generator

MODEL = "builtin:digits-stylegan2"
METRIC = sys.modules["metrics.source_attribution"]  # the function has the module's name
FILES = {"report.csv", "distances.csv", "histogram.png", "roc.png", "examples.png"}


def run(*arguments):
    options = ["--distance", "builtin:digits", "--device", "cpu"]
    return CliRunner().invoke(main, ["attribution", MODEL, *map(str, arguments), *options])


@pytest.fixture
def folder(tmp_path):
    """Three digits, one of them in a folder inside, among files that are no pictures."""
    place = tmp_path / "real"
    (place / "more").mkdir(parents=True)
    for name, pixels in zip(("b.png", "a.png", "more/c.png"), digits("held-out")[0], strict=False):
        Image.fromarray(pixels).save(place / name)
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_bytes(b"no picture")
    return place


def test_the_report_holds_what_the_library_measures(tmp_path):
    done = run("builtin:digits", "--most-real", 3, "--generated", 2, "--steps", 3, "--seed", 1,
               "--html", "-o", tmp_path)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    g, distance = latentlab.load(MODEL).generator, latentlab.perceptual_distance("builtin:digits")
    images = pixels_to_tensor(digits("held-out")[0][:3], g.channels)
    expected = attribution(g, images, distance, 2, steps=3, seed=1)
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows["quantity"].tolist() == expected.rows["quantity"].tolist()
    assert rows["value"].tolist() == expected.rows["value"].tolist()
    distances = pd.read_csv(tmp_path / "distances.csv")
    assert distances["distance"].tolist() == expected.samples["distance"].tolist()
    assert distances["picture"][0] == "generated 0"
    assert distances["picture"][2].startswith("scan 0")
    others = {"report.html", "manifest.json", "saved"}
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, *others}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["files"]) == {*FILES, "report.html", "saved/results.json"}
    assert manifest["settings"]["num_real"] == 3
    assert "Area under the ROC curve" in done.stderr
    for name in ("histogram.png", "roc.png", "examples.png"):
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_files_and_folders_are_read_in_order(folder):
    g = latentlab.load(MODEL).generator
    found = read_real([str(folder / "b.png"), str(folder)], g)
    assert found.names == [str(folder / "b.png"), "a.png", "b.png", "more/c.png"]
    assert found.refused == []
    expected = load_image(folder / "more" / "c.png", 32, g.channels)
    torch.testing.assert_close(found[3], expected, rtol=0, atol=0)
    assert len(read_real([str(folder)], g, most=2)) == 2


def test_other_pictures_or_another_order_are_another_measurement(folder):
    g = latentlab.load(MODEL).generator
    a, b = (str(folder / name) for name in ("a.png", "b.png"))
    assert read_real([a, b], g).digest == read_real([a, b], g).digest
    assert len({read_real(names, g).digest for names in ([a], [b], [a, b], [b, a])}) == 4


def test_a_bad_picture_is_named_and_the_rest_goes_on(tmp_path, folder):
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:80])
    done = run(folder, tmp_path / "gone.png", "--steps", 1, "--generated", 1, "-o", tmp_path / "o")
    assert done.exit_code == 4
    assert "broken.png" in done.stderr
    assert "gone.png: no such file" in done.stderr
    assert pd.read_csv(tmp_path / "o" / "distances.csv")["group"].tolist().count("real") == 3
    settings = json.loads((tmp_path / "o" / "manifest.json").read_text())["settings"]
    assert len(settings["left_out"]) == 2


def test_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "no pictures in this folder" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_digits_need_a_generator_of_their_size():
    with pytest.raises(latentlab.ImageError, match="32 pixels wide"):
        read_real(["builtin:digits"], make_generator())


def test_a_dry_run_projects_nothing(tmp_path, folder):
    done = run(folder, "--dry-run", "--json", "-o", tmp_path / "out")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert (facts["generated"], facts["real"], facts["steps"]) == (3, 3, 1000)
    assert facts["left_out"] == []


def test_a_dry_run_names_bad_pictures_and_ends_as_the_run_would(tmp_path, folder):
    (folder / "broken.png").write_bytes(b"no picture")
    done = run(folder, "--dry-run", "--json", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "Left out: " in done.stderr
    assert len(json.loads(done.stdout)["left_out"]) == 1
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out").exists()


def test_a_stopped_measurement_goes_on_where_it_was(tmp_path, folder, monkeypatch):
    real_project, done = latentlab.project, []

    def until_the_fourth(*arguments, **settings):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(1)
        return real_project(*arguments, **settings)

    order = (folder, "--steps", 2, "--generated", 2, "-o", tmp_path / "out")
    monkeypatch.setattr(METRIC, "project", until_the_fourth)
    assert run(*order).exit_code == 130
    assert len(done) == 3
    again = []
    monkeypatch.setattr(METRIC, "project", lambda *a, **s: again.append(1) or real_project(*a, **s))
    finished = run(*order)
    assert finished.exit_code == 0, finished.stderr
    assert len(again) == 2
    assert "continuing" in finished.stderr
    monkeypatch.undo()
    assert run(*order[:-1], tmp_path / "whole").exit_code == 0
    tables = [pd.read_csv(tmp_path / name / "distances.csv") for name in ("out", "whole")]
    pd.testing.assert_frame_equal(*tables)
