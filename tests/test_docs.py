"""The end-to-end example of the documentation, run as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from latentlab import load_classifier
from latentlab.datasets.digits import one_of_each
from latentlab.images import load_image

ROOT = Path(__file__).parents[1]


def test_from_a_photo_to_a_filmstrip(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "photo_to_filmstrip.py", "--output", tmp_path / "film",
         "--steps", "100", "--samples", "1500"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    film = tmp_path / "film"

    # The digit lies askew in the photo, and upright in the aligned picture, where it should be.
    digit = Image.fromarray(one_of_each("held-out")[2]).resize((256, 256), Image.Resampling.BICUBIC)
    with Image.open(film / "aligned" / "photo.png") as aligned:
        found = np.asarray(aligned.convert("L")).astype(float)
    assert np.abs(found - np.asarray(digit))[8:-8, 8:-8].mean() < 3

    # The projection is read as the digit, the last frame as what it was moved towards.
    classifier = load_classifier("builtin:digits-classifier")

    def read(path):
        return int(classifier(load_image(path, 32)[None]).argmax())

    frames = sorted((film / "edit" / "projection" / "7").glob("*.png"))
    assert len(frames) == 6
    assert read(film / "projection" / "projected.png") == 2
    assert frames[0].read_bytes() == (film / "projection" / "projected.png").read_bytes()
    assert read(frames[-1]) == 7
    positions = pd.read_csv(film / "edit" / "edits.csv")
    assert len(positions) == 6

    # Only the digit's square has changed in the photo.
    with Image.open(film / "photo.png") as photo, Image.open(film / "pasted.png") as pasted:
        changed = (np.asarray(photo) != np.asarray(pasted)).any(axis=2)
    y, x = np.nonzero(changed)
    assert changed.any()
    assert (np.hypot(x - 390, y - 230) < 180 / np.sqrt(2) + 1).all()
