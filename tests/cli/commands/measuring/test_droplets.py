import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.measuring.droplets import summary
from metrics import MetricResult
from metrics.droplet_detection import THRESHOLD

MODEL = "builtin:digits-stylegan1"
ROW, COLUMN = 4, 10  # of 16


def droplets(folder, *arguments):
    command = ["droplets", *map(str, arguments), "--device", "cpu", "-o", str(folder)]
    return CliRunner().invoke(main, command)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A checkpoint whose noise has a spike at one place, strong enough for every image."""
    g = latentlab.load(MODEL).generator
    layer = g.synthesis.b16.layer1
    layer.noise_const[ROW, COLUMN] += 100 / float(layer.noise_strength.abs().mean())
    path = tmp_path_factory.mktemp("planted") / "planted.safetensors"
    latentlab.save(g, path)
    return path


def test_planted_droplets_are_found_and_shown(planted, tmp_path):
    done = droplets(tmp_path, planted, "--samples", 12, "--html")
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows["layer"].iloc[0] == "any"
    found = pd.read_csv(tmp_path / "detections.csv")
    here = found[found["layer"] == "b16.layer1"]
    assert here["sample"].nunique() >= 11
    np.testing.assert_allclose(here["row"], (ROW + 0.5) / 16, atol=1 / 16)
    np.testing.assert_allclose(here["column"], (COLUMN + 0.5) / 16, atol=1 / 16)
    assert "b16.layer1" in done.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Pictures with the strongest droplets" in page
    with Image.open(tmp_path / "heat.png") as picture:
        assert (np.asarray(picture.convert("RGB")) == [0, 255, 255]).all(axis=2).sum() > 100


@pytest.mark.parametrize(("samples", "words"), [
    ([], "0 of 8 pictures have a droplet"), ([3, 3], "1 of 8 pictures has a droplet"),
    ([1, 3], "2 of 8 pictures have a droplet"),
])  # fmt: skip
def test_pictures_are_counted_in_words(samples, words):
    found = pd.DataFrame({"sample": samples, "layer": ["b8"] * len(samples)})
    rows = pd.DataFrame([{"value": 0.1, "ci_low": 0.0, "ci_high": 0.4, "n": 8}])
    assert summary(MetricResult("droplets", rows, {}, found))[0].startswith(words)


def test_none_are_found_in_the_bundled_model(tmp_path):
    done = droplets(tmp_path, MODEL, "--samples", 16)
    assert done.exit_code == 0, done.stderr
    assert "0 of 16 pictures have a droplet" in done.stderr
    assert pd.read_csv(tmp_path / "report.csv")["value"].max() == 0
    assert list(pd.read_csv(tmp_path / "detections.csv").columns) == [
        "sample", "layer", "resolution", "row", "column", "strength", "area_share",
        "at_border",
    ]  # fmt: skip


def test_spots_at_the_border_are_said_and_not_counted():
    found = pd.DataFrame({"sample": [0, 1], "layer": ["b8", "b8"], "at_border": [True, False]})
    rows = pd.DataFrame([{"value": 0.1, "n": 8, "at_border": 1, "refused": 3}])
    lines = summary(MetricResult("droplets", rows, {}, found))
    assert lines[0].startswith("1 of 8 pictures has a droplet")
    assert lines[1] == "Layers, with their number of pictures: b8 (1)."
    assert lines[2].startswith("Not counted: 1 spot at the border")
    assert lines[3].startswith("Not counted: 3 compact spots")


def test_a_folder_of_the_first_rule_is_neither_taken_over_nor_replaced(tmp_path, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("cli.measuring.droplet_search.RULE", 1)
        assert droplets(tmp_path, MODEL, "--samples", 4).exit_code == 0
    before = (tmp_path / "report.csv").read_bytes()
    done = droplets(tmp_path, MODEL, "--samples", 4)
    assert done.exit_code == 6
    assert "holds another measurement: rule 1 (not 2)" in done.stderr
    assert (tmp_path / "report.csv").read_bytes() == before


def test_detections_of_a_finished_folder_are_written_again_as_they_were(planted, tmp_path):
    arguments = (planted, "--samples", 8)
    assert droplets(tmp_path, *arguments).exit_code == 0
    kept = (tmp_path / "detections.csv").read_bytes(), (tmp_path / "report.csv").read_bytes()
    (tmp_path / "detections.csv").unlink()
    assert droplets(tmp_path, *arguments).exit_code == 0
    again = (tmp_path / "detections.csv").read_bytes(), (tmp_path / "report.csv").read_bytes()
    assert again == kept


def test_the_threshold_is_the_librarys(tmp_path):
    done = droplets(tmp_path / "out", MODEL, "--dry-run", "--json")
    assert json.loads(done.stdout)["threshold"] == THRESHOLD
    assert not (tmp_path / "out").exists()
