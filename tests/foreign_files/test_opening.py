"""What is no file is refused at once, and content and SHA-256 are of one opening."""

import gzip
import os
import re
import shutil
import socket
from functools import partial

import pytest

import latentlab
from latentlab import CheckpointError, DataError, LatentlabError
from latentlab.csv_files import read_csv
from latentlab.editing.directions import load_directions
from latentlab.faces import load_alignment, read_landmarks
from latentlab.files import sha256_of
from latentlab.foreign_files.opening import all_unchanging, open_regular, read_regular, unchanging
from latentlab.images import decode
from latentlab.latent_files import read_latent_file
from latentlab.latents import load_noise, load_ws
from tests.conftest import make_generator


@pytest.fixture(scope="module")
def g():
    return make_generator(resolution=8, z_dim=4, w_dim=4)


def csv_of(path):
    try:
        return read_csv(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def readers(g):
    return {
        "x.safetensors": latentlab.load, "x.pkl": latentlab.load, "x.pt": latentlab.load,
        "classifier": latentlab.load_classifier, "encoder.pt": latentlab.load_encoder,
        "tuning": latentlab.load_tuning, "directions": partial(load_directions, w_dim=g.w_dim),
        "w.npz": partial(load_ws, g=g), "noise.npz": partial(load_noise, g=g),
        "latents.npy": read_latent_file, "latents.pt": read_latent_file,
        "landmarks.csv": read_landmarks, "landmarks.json": read_landmarks,
        "alignment.json": load_alignment, "table.csv": csv_of, "picture.png": decode,
        "mask.png": partial(latentlab.load_mask, resolution=8),
        "distance.pt": latentlab.perceptual_distance,
    }  # fmt: skip


NAMES = [*readers(type("G", (), {"w_dim": 4}))]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", NAMES)
def test_d01_no_reader_waits_for_a_pipe(name, g, tmp_path):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(LatentlabError) as refused:
        readers(g)[name](path)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_d01_a_folder_is_refused(name, g, tmp_path):
    path = tmp_path / name
    path.mkdir()
    with pytest.raises(LatentlabError, match=re.escape(name)):
        readers(g)[name](path)


@pytest.mark.parametrize("name", NAMES)
def test_d01_a_name_that_no_file_has_is_refused(name, g, tmp_path):
    with pytest.raises(LatentlabError):
        readers(g)[name](tmp_path / f"a\0{name}")


def test_what_is_no_file_is_said(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    place = socket.socket(socket.AF_UNIX)
    with monkeypatch.context() as there:
        there.chdir(tmp_path)  # the path of a socket is short
        place.bind("socket")
    kinds = {"pipe": "a named pipe, and not a file", "socket": "not a file", ".": "directory"}
    for name, words in kinds.items():
        with pytest.raises(OSError, match=words):
            open_regular(tmp_path / name)
    with pytest.raises(OSError, match="a device, and not a file"):
        open_regular("/dev/null")
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    place.close()


def test_a_link_to_a_file_is_one(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b", 4) == b"text"
    with pytest.raises(OSError, match="over 3 bytes"):
        read_regular(tmp_path / "b", 3)


def swap(a, b):
    os.replace(b, a)


def swap_and_back(a, b):
    for source, target in ((a, a.with_name("c")), (b, a), (a, b), (a.with_name("c"), a)):
        os.replace(source, target)


def write(a, _):
    with a.open("r+b") as file:
        file.write(b"X")


def remove(a, _):
    a.unlink()


@pytest.mark.parametrize("change", [swap, swap_and_back, write, remove])
def test_i19_a_file_that_changes_while_it_is_read_is_an_error(change, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"first")
    b.write_bytes(b"other")
    with unchanging(a, CheckpointError) as file:
        assert file.read() == b"first"
    with pytest.raises(DataError, match="changed, or replaced"), all_unchanging(a, None):
        change(a, b)


def test_an_error_of_the_block_stays(tmp_path):
    (tmp_path / "a").write_bytes(b"first")

    def fail():
        with unchanging(tmp_path / "a", DataError):
            (tmp_path / "a").unlink()
            raise KeyError

    with pytest.raises(KeyError):
        fail()


@pytest.mark.parametrize("kind", ["safetensors", "gzip"])
def test_i19_a_checkpoint_that_is_swapped_has_no_wrong_digest(kind, g, tmp_path, monkeypatch):
    path, other = tmp_path / "model.bin", tmp_path / "other.bin"
    latentlab.save(g, path)
    if kind == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
    assert latentlab.load(path).sha256 == sha256_of(path)
    shutil.copy(path, other)
    read = latentlab.checkpoints.read_safetensors

    def swapping(file):
        found = read(file)
        os.replace(other, path)
        return found

    monkeypatch.setattr(latentlab.checkpoints, "read_safetensors", swapping)
    with pytest.raises(CheckpointError, match="changed, or replaced"):
        latentlab.load(path)
