"""Training in a folder that holds something already: a run, another one, or another's files."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.files import sha256_of
from latentlab.training import snapshots

SHORT = ["--kimg", "0.016", "--snapshot-kimg", "0.008"]


def train(folder, data, *options):
    line = ["train", "--data", data, "--config", "stylegan2-small", "--channels", "1", "--batch",
            "8", "--device", "cpu", "-o", folder, *options]  # fmt: skip
    return CliRunner().invoke(main, [*map(str, line)])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run of two steps, a snapshot after each."""
    folder = tmp_path_factory.mktemp("run")
    done = train(folder, data, *SHORT)
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture
def copied(data, trained, tmp_path):
    """Copies of data and run, to be changed."""
    pictures = shutil.copytree(data, tmp_path / "data")
    return pictures, shutil.copytree(trained, tmp_path / "run")


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_r08_a_training_folder_has_a_manifest(data, trained):
    found = manifest(trained)
    kept = {"date", "command", "latentlab", "python", "torch", "settings", "files"}
    assert kept <= found.keys()
    settings = found["settings"]
    assert settings.items() >= {
        "data": str(data), "config": "stylegan2-small", "from": None, "seed": 0, "device": "cpu",
        "dtype": "float32", "processes": 1, "images": 16, "images_in_all": 16, "steps": 2,
        "departures": [],
    }.items()  # fmt: skip
    described = latentlab.load(trained / "snapshot-000000016.safetensors").metadata["training"]
    assert settings["training"].items() <= described.items()
    assert settings["training"]["data"]["pictures"] == 3
    files = {path.name for path in trained.iterdir()} - {"manifest.json"}
    listed = found["files"]
    assert {name for name in files if ".optimizer." not in name} == listed.keys()
    assert all(sha256_of(trained / name) == digest for name, digest in listed.items())


def change(what, pictures, monkeypatch):
    """Change something of a run; returns the options that it is continued with."""
    if what == "version":
        monkeypatch.setattr(snapshots, "__version__", "9.9")
    elif what == "pixels":
        with Image.open(pictures / "1.png") as picture:
            changed = picture.point(lambda value: 255 - value)
        changed.save(pictures / "1.png")
    return ["--gamma", "3"] if what == "config" else []


@pytest.mark.parametrize(("what", "said"), [
    ("config", "config.r1_gamma: "), ("pixels", "data.fingerprint: "),
    ("version", f"latentlab: {latentlab.__version__} there, 9.9 here"),
])  # fmt: skip
def test_j16_another_run_is_refused_with_the_difference_unless_forced(
    what, said, copied, monkeypatch
):
    pictures, run = copied
    options = [*change(what, pictures, monkeypatch), "--kimg", "0.024"]
    before = {path: path.read_bytes() for path in run.iterdir()}
    refused = train(run, pictures, *options)
    assert refused.exit_code == 2, refused.output
    (line,) = [line for line in refused.stderr.splitlines() if "Error" in line]
    assert said in line
    assert line.endswith("; give --force to continue it all the same")
    assert {path: path.read_bytes() for path in run.iterdir()} == before

    forced = train(run, pictures, *options, "--force")
    assert forced.exit_code == 0, forced.stderr
    (departure,) = manifest(run)["settings"]["departures"]
    assert departure.startswith(said)
    assert manifest(run)["settings"]["images"] == 24
    # It is one run from now on, which does not forget what happened.
    plan = train(run, pictures, *options, "--dry-run")
    assert plan.exit_code == 0, plan.stderr
    described = latentlab.load(run / "snapshot-000000024.safetensors").metadata["training"]
    assert described["departures"] == [departure]


def test_j16_networks_that_do_not_fit_are_refused_even_by_force(copied):
    pictures, run = copied
    done = train(run, pictures, "--kimg", "0.024", "--channel-base", "128", "--force")
    assert done.exit_code == 2
    assert "config.generator.channel_base: " in done.stderr
    assert "--force" not in done.stderr


def test_a_picture_that_was_mended_goes_on_without_force(copied, monkeypatch):
    # A picture that is bad from the beginning ends the run before there is anything to go on from.
    monkeypatch.setattr("latentlab.training.run._save_reals", lambda *_: None)
    pictures, run = copied
    shutil.rmtree(run)
    good = (pictures / "1.png").read_bytes()
    (pictures / "1.png").write_bytes(good[:-40])
    stopped = train(run, pictures, *SHORT)
    assert stopped.exit_code == 4
    assert "1.png" in stopped.stderr
    (pictures / "1.png").write_bytes(good)
    done = train(run, pictures, "--kimg", "0.008")
    assert done.exit_code == 0, done.stderr
    (departure,) = manifest(run)["settings"]["departures"]
    assert departure.startswith("data.fingerprint: ")


@pytest.mark.parametrize("name", ["report.html", "manifest.json", "contributions.csv"])
def test_j13_what_another_command_has_written_is_not_replaced(name, data, tmp_path):
    (tmp_path / name).write_text("precious")
    done = train(tmp_path, data, *SHORT)
    assert done.exit_code == 6
    assert f"{tmp_path / name} exists, and is not of a training run; move it away" in done.stderr
    assert "--overwrite" not in done.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]
