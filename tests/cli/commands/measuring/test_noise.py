import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.reports.numbers import number_of
from metrics import stochastic_variation
from tests.conftest import make_generator, make_progan

MODEL = "builtin:digits-stylegan1"
PICTURES = {"deviation.png", "realisations.png", "versions.png"}


def run(*arguments):
    return CliRunner().invoke(main, ["noise", *map(str, arguments), "--device", "cpu"])


def test_the_report_holds_what_the_library_measures(tmp_path):
    done = run(MODEL, "--samples", 2, "--draws", 5, "--seed", 3, "--html", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    expected = stochastic_variation(latentlab.load(MODEL).generator, 2, 5, seed=3)
    rows = pd.read_csv(tmp_path / "report.csv", keep_default_na=False)
    assert rows["value"].tolist() == expected.rows["value"].tolist()
    assert rows["layers"].tolist() == ["all", "coarse", "fine", "none"]
    assert rows["resolutions"].tolist() == ["4-32", "4-8", "16-32", "none"]
    latents = pd.read_csv(tmp_path / "latents.csv")
    assert latents["all"].tolist() == expected.samples["all"].tolist()
    files = {"report.csv", "latents.csv", "report.html", *PICTURES}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["files"]) == {*files, "saved/results.json"}
    assert {path.name for path in tmp_path.iterdir()} == {*files, "manifest.json", "saved"}
    written = number_of(expected.frame().iloc[0].to_dict())
    assert f"Noise moves a pixel by {written} of 255 grey levels" in done.stderr
    assert "coarse 4-8, fine 16-32" in (tmp_path / "report.html").read_text()
    for name in PICTURES:
        with Image.open(tmp_path / name) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) > 150
        assert pixels.std() > 10


def test_a_single_latent_has_no_interval(tmp_path):
    done = run(MODEL, "--samples", 1, "--draws", 2, "--fine-from", 32, "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "interval" not in done.stderr
    assert "(4-16)" in done.stderr


def test_colour_images_smaller_than_the_square_are_drawn(tmp_path):
    latentlab.save(make_generator(resolution=8), tmp_path / "g.safetensors")
    done = run(tmp_path / "g.safetensors", "--samples", 1, "--draws", 2, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr


def test_a_dry_run_says_how_layers_would_be_split(tmp_path):
    done = run(MODEL, "--fine-from", 8, "--dry-run", "--json", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["split"] == "coarse 4, fine 8-32"
    assert not (tmp_path / "out").exists()


def test_a_generator_without_noise_is_refused_before_the_folder_is_made(tmp_path):
    latentlab.save(make_progan(), tmp_path / "g.safetensors")
    done = run(tmp_path / "g.safetensors", "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "no noise layers" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [4, 64])
def test_a_split_that_leaves_one_side_empty_is_refused(tmp_path, size):
    done = run(MODEL, "--fine-from", size, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "8, 16, 32" in done.stderr
