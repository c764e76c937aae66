"""`latentlab spectrum`: several sources, what they are compared with, and how it goes on."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.datasets.pictures import open_dataset
from metrics import spectrum_of_generator, spectrum_of_pictures, spectrum_result
from metrics.aliasing.measured_spectra import levels_of, real_pixels
from tests.conftest import make_generator

ONE, TWO, DIGITS = "builtin:digits-stylegan1", "builtin:digits-stylegan2", "builtin:digits"
FILES = {"report.csv", "slices.csv", "spectra.png", "slices.png", "manifest.json", "saved"}


def run(*arguments):
    done = CliRunner().invoke(main, ["spectrum", *map(str, arguments), "--device", "cpu"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def ran(*arguments):
    done = run(*arguments)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / "out"
    done = ran(TWO, DIGITS, ONE, "--samples", 24, "-o", folder)
    return folder, done.stderr


@pytest.fixture(scope="module")
def expected():
    """What the library measures of the same."""
    digits = open_dataset(DIGITS)
    mean, std = levels_of(lambda i: real_pixels(digits, i), len(digits))
    reals = spectrum_of_pictures(digits, mean, std, 24)
    found = [spectrum_of_generator(latentlab.load(name).generator, mean, std, 24)
             for name in (TWO, ONE)]  # fmt: skip
    two, one = (spectrum_result(each, reals) for each in found)
    return {TWO: two, DIGITS: spectrum_result(reals), ONE: one}


def test_the_report_holds_what_the_library_measures(measured, expected):
    folder, told = measured
    assert {path.name for path in folder.iterdir()} == FILES
    rows = pd.read_csv(folder / "report.csv")
    assert rows["model"].unique().tolist() == [TWO, DIGITS, ONE]
    for name, result in expected.items():
        mine = rows[rows["model"] == name]
        np.testing.assert_allclose(mine["value"], result.rows["value"], atol=1e-9)
        assert len(mine) == (2 if name == DIGITS else 4)
    assert f"{ONE}: excess in the finest octave" in told
    assert f"{DIGITS}: level of the finest octave" in told


def test_slices_and_pictures(measured, expected):
    folder, _ = measured
    slices = pd.read_csv(folder / "slices.csv")
    assert slices.columns.tolist() == ["model", "angle", "frequency", "level"]
    for name, result in expected.items():
        mine = slices[slices["model"] == name].drop(columns="model").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, result.samples, atol=1e-9)
    for name in ("spectra.png", "slices.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300


def test_the_same_again_is_finished_and_a_page_is_drawn_from_what_is_saved(measured, monkeypatch):
    folder, _ = measured
    again = (TWO, DIGITS, ONE, "--samples", 24, "-o", folder)
    assert "is finished" in ran(*again).stderr
    monkeypatch.setattr("cli.measuring.spectra.spectrum_of_generator", None)
    assert "is measured already" in ran(*again, "--html").stderr
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Average spectra" in page
    assert "cycles" in page or "decibels" in page


def test_a_heat_map_that_is_gone_is_drawn_again(measured):
    folder, _ = measured
    before = (folder / "spectra.png").read_bytes()
    (folder / "spectra.png").unlink()
    ran(TWO, DIGITS, ONE, "--samples", 24, "-o", folder)
    assert (folder / "spectra.png").read_bytes() == before


def test_levels_may_be_given(tmp_path):
    ran(TWO, "--samples", 8, "--mean", 100, "--std", 50, "-o", tmp_path / "a")
    ran(TWO, "--samples", 8, "--mean", 100, "--std", 5, "-o", tmp_path / "b")
    a, b = (pd.read_csv(tmp_path / each / "report.csv").set_index("quantity")["value"]
            for each in "ab")  # fmt: skip
    assert b["level of the finest octave"] - a["level of the finest octave"] == pytest.approx(20)
    assert a["peaks of the pixel grid"] == pytest.approx(b["peaks of the pixel grid"])
    settings = json.loads((tmp_path / "a" / "manifest.json").read_text())["settings"]
    assert (settings["mean"], settings["std"]) == (100, 50)


def test_folders_and_zips_alone(tmp_path):
    rng = np.random.default_rng(0)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        for i in range(3):
            pixels = rng.integers(0, 256, [16, 16, 3], np.uint8)
            Image.fromarray(pixels).save(tmp_path / place / f"{i}.png")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for i in range(3):
            archive.write(tmp_path / "b" / f"{i}.png", f"{i}.png")
    ran(tmp_path / "a", tmp_path / "b.zip", tmp_path / "b", "-o", tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out" / "report.csv")
    values = [part["value"].tolist() for _, part in rows.groupby("model", sort=False)]
    assert len(values) == 3
    assert values[1] == values[2] != values[0]
    assert rows["n"].unique().tolist() == [3]


def test_resized_pictures_are_told(tmp_path):
    latentlab.save(make_generator(), tmp_path / "m.safetensors")
    (tmp_path / "reals").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    for i in range(2):
        Image.fromarray(pixels).rotate(90 * i).save(tmp_path / "reals" / f"{i}.png")
    done = ran(tmp_path / "m.safetensors", tmp_path / "reals", "--samples", 8, "-o", tmp_path / "o")
    assert "The real pictures were resized" in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    ((TWO, TWO), "Give each source once"), ((TWO, "--mean", "3"), "--mean and --std go together"),
    ((TWO, "--std", "3"), "--mean and --std go together"), ((TWO, "--mean", "300"), "--mean"),
    ((TWO, "--std", "0"), "--std"), ((), "Missing argument"),
])  # fmt: skip
def test_usage_errors(arguments, words, tmp_path):
    done = run(*arguments, "-o", tmp_path / "o")
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr


def test_what_is_missing_or_too_small_is_named(tmp_path):
    done = run(tmp_path / "none.pkl", "-o", tmp_path / "o")
    assert (done.exit_code, "none.pkl" in done.stderr) == (3, True)
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "-o", tmp_path / "o")
    assert (done.exit_code, "empty" in done.stderr) == (4, True)
    latentlab.save(make_generator(resolution=8), tmp_path / "small.safetensors")
    done = run(tmp_path / "small.safetensors", "--samples", 4, "-o", tmp_path / "o")
    assert "16x16 pixels or more" in done.stderr
    assert done.exit_code != 0
