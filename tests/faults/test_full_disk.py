"""J4: a disk that is full ends a command with its exit code, and what was there stays."""

import pytest

from tests.faults.folders import every_byte, full_disk, mounted
from tests.support.commands import run, succeeded

MODEL = "builtin:digits-stylegan2"
DISTANCE = ["--distance", "builtin:digits"]
TRAINING = ["train", "--data", "builtin:digits", "--config", "stylegan2-small", "--channels", 1,
            "--batch", 2, "--channel-base", 64, "--channel-max", 4,
            "--generator-architecture", "resnet"]  # fmt: skip
WORDS = {
    "generate": ["generate", MODEL, "--seeds", "0-3", "--overwrite"],
    "project": ["project", MODEL, "PHOTOS", *DISTANCE, "--steps", 1, "--overwrite"],
    "ppl": ["ppl", MODEL, *DISTANCE, "--samples", 20, "--overwrite"],
    "train": [*TRAINING, "--snapshot-kimg", 0.002],
}


@pytest.fixture(autouse=True)
def _no_page(monkeypatch):
    """Plots take long, and are written as other files are."""
    monkeypatch.setattr("cli.reports.training_page.write_training_page", lambda *_: None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    succeeded(run("generate", MODEL, "--seeds", "0,1", "-o", folder / "out"))
    return [folder / "out" / f"seed000{i}.png" for i in (0, 1)]


def given(name, photos, *more):
    words = [each for word in WORDS[name] for each in (photos if word == "PHOTOS" else [word])]
    length = ["--kimg", more[0]] if name == "train" else []
    return [*words, *length]


def refused(result, code, *said):
    """One line says what is wrong, after what was said before."""
    assert result.exit_code == code, result.stderr
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("Error:")]
    assert all(str(each) in line for each in said), line
    assert "Traceback" not in result.stderr
    return line


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("size", [1000, pytest.param(0, marks=pytest.mark.slow)])
def test_j04_a_full_disk_leaves_what_was_there(name, size, photos, tmp_path):
    out = tmp_path / "out"
    succeeded(run(*given(name, photos, 0.002), "-o", out))
    before = every_byte(out)
    with full_disk(size):
        refused(run(*given(name, photos, 0.004), "-o", out), 6, out)
    after = every_byte(out)
    if name == "train":  # a log may be ahead of the snapshots: continuing drops what is
        assert after.pop("log.csv", None) is not None
        del before["log.csv"]
    assert after == before


def test_j04_a_checkpoint_that_does_not_fit_is_not_converted(tmp_path):
    file = tmp_path / "g.safetensors"
    succeeded(run("convert", MODEL, file))
    before = every_byte(tmp_path)
    with full_disk(10_000):
        refused(run("convert", "builtin:digits-stylegan1", file, "--overwrite"), 6, file)
    assert every_byte(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", WORDS)
def test_j04_a_file_system_that_is_full_ends_in_the_same(name, photos, tmp_path):
    with mounted(tmp_path / "small", 2**15) as folder:
        (folder / "filling").write_bytes(bytes(2**14))
        refused(run(*given(name, photos, 0.004), "-o", folder / "out"), 6, folder / "out")
        assert not list(folder.rglob(".tmp-*"))
        assert (folder / "filling").read_bytes() == bytes(2**14)
