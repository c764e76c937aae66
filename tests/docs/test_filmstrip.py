"""The end-to-end example of the documentation, in Python and in shell, run as it stands."""

import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from latentlab import load_classifier
from latentlab.datasets.digits import one_of_each
from latentlab.images import load_image

ROOT = Path(__file__).parents[2]
CENTRE, SIDE = (390, 230), 180  # of the digit in the photo of both examples


def check_only_the_square_changed(photo, pasted):
    with Image.open(photo) as before, Image.open(pasted) as after:
        changed = (np.asarray(before) != np.asarray(after)).any(axis=2)
    y, x = np.nonzero(changed)
    assert changed.any()
    assert (np.hypot(x - CENTRE[0], y - CENTRE[1]) < SIDE / np.sqrt(2) + 1).all()


def read(path):
    """What digit a picture shows."""
    classifier = load_classifier("builtin:digits-classifier")
    return int(classifier(load_image(path, 32)[None]).argmax())


def test_from_a_photo_to_a_filmstrip(tmp_path, monkeypatch):
    words = ["photo_to_filmstrip.py", "--output", "film", "--steps", "40", "--samples", "600"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "docs" / "photo_to_filmstrip.py"), run_name="__main__")
    film = tmp_path / "film"

    # The digit lies askew in the photo, and upright in the aligned picture, where it should be.
    digit = Image.fromarray(one_of_each("held-out")[2]).resize((256, 256), Image.Resampling.BICUBIC)
    with Image.open(film / "aligned" / "photo.png") as aligned:
        found = np.asarray(aligned.convert("L")).astype(float)
    assert np.abs(found - np.asarray(digit))[8:-8, 8:-8].mean() < 3

    # The projection is read as the digit, the last frame as what it was moved towards.
    frames = sorted((film / "edit" / "projection" / "7").glob("*.png"))
    assert len(frames) == 6
    assert read(film / "projection" / "projected.png") == 2
    assert frames[0].read_bytes() == (film / "projection" / "projected.png").read_bytes()
    assert read(frames[-1]) == 7
    positions = pd.read_csv(film / "edit" / "edits.csv")
    assert len(positions) == 6

    # Only the digit's square has changed in the photo.
    check_only_the_square_changed(film / "photo.png", film / "pasted.png")


def answer(process, calls, answers):
    """Run the commands that a script gives to ASKING, in this process; returns how many."""

    def end():
        process.wait()
        with calls.open("w"):  # whoever waits for the next command reads none
            pass

    threading.Thread(target=end, daemon=True).start()
    count = 0
    while words := calls.read_text().splitlines():
        done = CliRunner().invoke(main, words)
        with answers.open("w") as file:
            file.write(f"{done.exit_code}\n")
        assert done.exit_code == 0, done.output
        count += 1
    return count


# Stands for latentlab in a script: has another process do it, which has torch already.
ASKING = """#!/bin/sh
printf '%s\\n' "$@" > "{calls}"
read -r code < "{answers}"
exit "$code"
"""


@pytest.mark.skipif(os.name == "nt", reason="a script for bash")
def test_the_same_in_shell(tmp_path, monkeypatch):
    command, calls, answers = (tmp_path / name for name in ("bin/latentlab", "calls", "answers"))
    command.parent.mkdir()
    command.write_text(ASKING.format(calls=calls, answers=answers))
    command.chmod(0o755)
    for pipe in (calls, answers):
        os.mkfifo(pipe)
    film = tmp_path / "film"
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        ["bash", ROOT / "docs" / "photo_to_filmstrip.sh"],
        env={**os.environ, "OUT": str(film), "STEPS": "40", "SAMPLES": "600",
             "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    with process:
        assert answer(process, calls, answers) == 6
    assert process.returncode == 0
    frames = sorted((film / "edit" / "projection" / "7").glob("*.png"))
    assert len(frames) == 6
    assert read(film / "projection" / "projected.png") == 2
    assert read(frames[-1]) == 7
    pasted = {path.name for path in (film / "pasted").iterdir()}
    assert pasted == {"desk.png", "desk-7_+5.png"}
    for name in pasted:
        check_only_the_square_changed(ROOT / "docs" / "desk.jpg", film / "pasted" / name)
