"""`latentlab equivariance`: what the library measures, the pictures, and how it goes on."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.measuring.equivariance import apart, summary
from metrics import equivariance
from metrics.aliasing.moved_pictures import examples
from tests.conftest import make_progan, make_stylegan3

FILES = {"report.csv", "pictures.csv", "moved.png", "manifest.json", "saved"}


def run(*arguments):
    done = CliRunner().invoke(main, ["equivariance", *map(str, arguments), "--device", "cpu"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "three.safetensors"
    latentlab.save(make_stylegan3(), path)
    return path


@pytest.fixture(scope="module")
def measured(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / "out"
    done = run(model, "--samples", 8, "--seed", 2, "-o", folder)
    assert done.exit_code == 0, done.stderr
    return folder, done.stderr


def test_the_report_holds_what_the_library_measures(measured, model):
    folder, told = measured
    assert {path.name for path in folder.iterdir()} == FILES
    g = latentlab.load(model).generator
    expected = equivariance(g, 8, seed=2)
    rows = pd.read_csv(folder / "report.csv")
    assert rows["value"].tolist() == expected.rows["value"].tolist()
    assert rows["measure"].tolist() == ["eqt_int", "eqt_frac", "eqr"]
    pictures = pd.read_csv(folder / "pictures.csv")
    assert pictures.columns[0] == "sample"
    np.testing.assert_allclose(pictures.iloc[:, 1:], expected.samples)
    assert summary(expected) in told
    assert "Fewer than 1,000 pictures" in told


def test_pictures_show_what_counts(measured, model):
    folder, _ = measured
    with Image.open(folder / "moved.png") as picture:
        assert picture.size[0] > 1000
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    one = examples(latentlab.load(model).generator, 0, seed=2)["eqr"]
    levels = apart(one)
    assert np.isnan(levels).sum() == (one.mask == 0).sum()
    pictures = pd.read_csv(folder / "pictures.csv")
    inside = (one.reference - one.compared).square()[:, one.mask > 0].double().sum()
    assert float(inside) == pytest.approx(pictures["eqr_error"][0], rel=1e-3)


def test_more_pictures_go_on_from_those_that_are_there(measured, model, tmp_path):
    folder, _ = measured
    assert "is finished" in run(model, "--samples", 8, "--seed", 2, "-o", folder).stderr
    done = run(model, "--samples", 12, "--seed", 2, "--html", "-o", folder)
    assert done.exit_code == 0, done.stderr
    assert "holds a part of this measurement" in done.stderr
    run(model, "--samples", 12, "--seed", 2, "-o", tmp_path)
    for name in ("report.csv", "pictures.csv"):
        drop = {"columns": ["seconds"], "errors": "ignore"}
        mine, other = (pd.read_csv(place / name).drop(**drop) for place in (folder, tmp_path))
        pd.testing.assert_frame_equal(mine, other)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Pictures that are moved" in page
    assert "EQ-T_frac" in page


@pytest.mark.parametrize("make", [make_progan, lambda: latentlab.load(
    "builtin:digits-stylegan2").generator])  # fmt: skip
def test_generators_at_a_fixed_place_are_refused_before_anything_is_written(make, tmp_path):
    latentlab.save(make(), tmp_path / "other.safetensors")
    for more in ((), ("--dry-run",)):
        done = run(tmp_path / "other.safetensors", "-o", tmp_path / "out", *more)
        assert done.exit_code == 4
        assert "only StyleGAN3 and StyleGAN-XL can shift and turn" in done.stderr
    assert not (tmp_path / "out").exists()


def test_small_pictures_are_refused(tmp_path):
    latentlab.save(make_stylegan3(resolution=8, first_stopband=2.0), tmp_path / "s.safetensors")
    done = run(tmp_path / "s.safetensors", "-o", tmp_path / "out")
    assert (done.exit_code, "8x8 pixels are too small" in done.stderr) == (4, True)


def test_another_measurement_in_the_folder_is_refused(measured, model):
    done = run(model, "--samples", 8, "--seed", 3, "-o", measured[0])
    assert done.exit_code == 6
    assert "holds another measurement: seed 2 (not 3)" in done.stderr


def test_the_manifest_says_how(measured):
    manifest = json.loads((measured[0] / "manifest.json").read_text())
    assert manifest["settings"]["together"] == 4
    assert manifest["settings"]["most_shift"] == 0.125
