"""The digest of a training set tells what is in it, however that is stored, and reads it once."""

import json
import os
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import DataError
from latentlab.datasets import content, open_dataset
from latentlab.datasets.picture_files import PictureFiles

NAMES = ("a.png", "b/c.png")


@pytest.fixture
def folder(tmp_path):
    for value, name in enumerate(NAMES):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), value).save(path)
    labels = {"labels": [[name, number] for number, name in enumerate(NAMES)]}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(labels))
    return tmp_path / "data"


def digest(path, labels=False):
    return open_dataset(str(path), channels=1, labels=labels).fingerprint


def test_j16_the_same_pictures_are_the_same_data_in_a_folder_and_a_zip(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / name, name)
    found = digest(folder)
    assert digest(tmp_path / "data.zip") == found == digest(folder)
    assert len(found) == 64


@pytest.mark.parametrize("change", ["pixel", "name", "picture", "labels", "use of labels"])
def test_j16_what_is_changed_is_other_data(change, folder):
    before = digest(folder, labels=True)
    if change == "pixel":
        pixels = np.zeros((8, 8), np.uint8)
        pixels[3, 3] = 1
        Image.fromarray(pixels).save(folder / "a.png")
    elif change == "name":
        (folder / "a.png").rename(folder / "0.png")
    elif change == "picture":
        (folder / "a.png").unlink()
    elif change == "labels":
        numbers = {"labels": [[name, 1] for name in NAMES]}
        (folder / "dataset.json").write_text(json.dumps(numbers))
    if change in ("name", "picture"):
        assert digest(folder) != before
        (folder / "dataset.json").unlink()
    assert digest(folder, labels=change in ("pixel", "labels")) != before


def test_what_cannot_be_read_counts_as_such(folder, monkeypatch):
    before = digest(folder)
    (folder / "a.png").unlink()  # after it was listed
    files = PictureFiles(folder)
    files.names = sorted(NAMES)
    found = content.content_of(files, np.zeros([2, 0]))
    assert found not in (before, digest(folder))


def test_what_could_not_be_read_for_a_time_is_not_remembered(folder, tmp_path, monkeypatch):
    whole = digest(folder)
    monkeypatch.setattr(content, "_REMEMBERED", 0)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))

    def fail(files, name):
        raise DataError(f"{name}: cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(PictureFiles, "bytes_of", fail)
        files = PictureFiles(folder)
        assert content.content_of(files, np.zeros([2, 0])) != whole
    assert digest(folder) == whole


def test_a_large_set_is_read_again_only_if_its_files_have_changed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(content, "_REMEMBERED", 0)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    read, parts = [], content._parts

    def counting(files, unread):
        read.append(files)
        return parts(files, unread)

    monkeypatch.setattr(content, "_parts", counting)
    first = digest(folder)
    assert digest(folder) == first
    assert len(read) == 1
    os.utime(folder / "a.png", ns=(1, 1))
    assert digest(folder) == first
    assert len(read) == 2
    for damage in ("", "x" * 64, first + first):
        for kept in (tmp_path / "cache").rglob("*"):
            if kept.is_file():
                kept.write_text(damage)
        assert digest(folder) == first
    assert len(read) == 5
