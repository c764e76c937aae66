import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.measuring.partial import unpack
from cli.options.measuring import PROTOCOL_NAMES
from metrics import perceptual_path_length
from metrics.path_protocols import PROTOCOLS

MODEL = "builtin:digits-stylegan2"
FILES = {
    "report.csv", "path_lengths.csv", "histogram.png", "extremes.png", "manifest.json", "saved",
}  # fmt: skip


def command(folder, *more):
    return [
        "ppl",
        MODEL,
        "--distance",
        "builtin:digits",
        "--device",
        "cpu",
        "-o",
        str(folder),
        *more,
    ]


def ppl(folder, *more):
    return CliRunner().invoke(main, command(folder, *more))


def test_the_names_of_protocols_are_the_librarys():
    assert tuple(PROTOCOLS) == PROTOCOL_NAMES


def test_the_report_holds_what_the_library_measures(tmp_path):
    done = ppl(tmp_path / "out", "--samples", "40", "--seed", "3", "--html")
    assert done.exit_code == 0, done.stderr
    g, distance = latentlab.load(MODEL).generator, latentlab.perceptual_distance("builtin:digits")
    expected = perceptual_path_length(g, distance, num_samples=40, seed=3)
    (row,) = pd.read_csv(tmp_path / "out" / "report.csv").to_dict("records")
    assert row["value"] == expected.value
    assert (row["ci_low"], row["ci_high"]) == (expected.ci_low, expected.ci_high)
    assert (row["n"], row["seed"], row["protocol"]) == (40, 3, "ppl2_wend")
    assert row["sha256"] == latentlab.load(MODEL).sha256
    lengths = pd.read_csv(tmp_path / "out" / "path_lengths.csv")
    assert lengths["path_length"].tolist() == expected.samples["path_length"].tolist()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "report.html"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    listed = {*FILES, "report.html", "saved/results.json"} - {"manifest.json", "saved"}
    assert set(manifest["files"]) == listed
    assert "ppl2_wend" in done.stderr


def test_pictures_are_drawn(tmp_path):
    assert ppl(tmp_path, "--samples", "20").exit_code == 0
    for name in ("histogram.png", "extremes.png"):
        with Image.open(tmp_path / name) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) > 150
        assert pixels.std() > 10


@pytest.mark.parametrize("suffix", [".json", ".parquet", ".md"])
def test_the_reports_suffix_decides_its_form(tmp_path, suffix):
    assert ppl(tmp_path, "--samples", "12", "--report", f"numbers{suffix}").exit_code == 0
    assert (tmp_path / f"numbers{suffix}").stat().st_size > 100


def test_the_papers_protocols_and_an_early_stop(tmp_path):
    done = ppl(tmp_path, "--samples", "2000", "--protocol", "ppl_zfull", "--relative-width", "9",
               "--distance", "tests/data/vgg16_standin.pt")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "report.csv").to_dict("records")
    assert (row["protocol"], row["n"]) == ("ppl_zfull", 500)
    assert "Stopped early after 500 paths, as asked" in done.stderr


def test_a_dry_run_measures_nothing(tmp_path):
    done = ppl(tmp_path / "out", "--dry-run", "--json")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert facts["samples"] == 50_000
    assert facts["models"][0]["sha256"] == latentlab.load(MODEL).sha256
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "words"), [
    (("--protocol", "ppl_wend"), "32x32 images only"),  # what the face crop leaves is 16x16
    (("--distance", "none.pt"), "no such file"),
])  # fmt: skip
def test_a_distance_that_does_not_fit_is_told_before_anything_is_made(tmp_path, options, words):
    done = ppl(tmp_path / "out", *options)
    assert done.exit_code in (3, 4)
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_results_are_not_replaced_without_a_word(tmp_path):
    assert ppl(tmp_path, "--samples", "8").exit_code == 0
    before = (tmp_path / "report.csv").read_bytes()
    again = ppl(tmp_path, "--samples", "8", "--seed", "1")
    assert again.exit_code == 6
    assert "--overwrite" in again.stderr
    assert (tmp_path / "report.csv").read_bytes() == before
    assert ppl(tmp_path, "--samples", "8", "--seed", "1", "--overwrite").exit_code == 0
    assert (tmp_path / "report.csv").read_bytes() != before


def test_a_name_cannot_stand_for_two_results(tmp_path):
    done = ppl(tmp_path, "--report", "path_lengths.csv")
    assert done.exit_code == 6
    assert "--report" in done.stderr


# Leaves a file once so many paths are done.
MARKED = """
import pathlib, sys
from cli.main import main
from cli.running.progress import ProgressBar

mark, paths, move_to = pathlib.Path(sys.argv.pop(1)), int(sys.argv.pop(1)), ProgressBar.move_to

def marked(bar, position, **numbers):
    move_to(bar, position, **numbers)
    if position >= paths:
        mark.touch()

ProgressBar.move_to = marked
main(prog_name="latentlab")
"""


def stopped(folder, mark, paths, sign):
    """Give a measurement a signal once so many paths are done; returns code and what it said."""
    words = command(folder, "--samples", "6000", "--batch", "8")
    process = subprocess.Popen([sys.executable, "-c", MARKED, str(mark), str(paths), *words],
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    while not mark.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(sign)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_j11_a_stopped_measurement_goes_on_where_it_was(tmp_path):
    """Stopped by one signal, it goes on until another one stops it."""
    folder, count = tmp_path / "out", 0
    for sign, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        least = count + 24
        returned, talk = stopped(folder, tmp_path / str(code), least, sign)
        assert returned == code, talk
        assert ("continuing" in talk) == (count > 0)
        assert not (folder / "report.csv").exists()
        count = 0
        for kept in folder.glob(".partial-*/*.npz"):  # one for each writing
            with np.load(kept, allow_pickle=False) as packed:
                count += sum(len(samples) for samples in unpack(dict(packed)))
        assert count >= least
    done = ppl(folder, "--samples", str(count), "--batch", "8")
    assert done.exit_code == 0, done.stderr
    assert "continuing" in done.stderr
    assert {path.name for path in folder.iterdir()} == FILES
    whole = ppl(tmp_path / "whole", "--samples", str(count), "--batch", "64")
    assert whole.exit_code == 0
    for name in ("path_lengths.csv", "histogram.png", "extremes.png"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_j12_a_folder_in_use_is_refused(tmp_path):
    import fcntl

    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = ppl(tmp_path, "--samples", "8")
    assert done.exit_code == 6
    assert "another latentlab" in done.stderr
