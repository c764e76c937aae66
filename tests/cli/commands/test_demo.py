import json
import shutil

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

import latentlab
from cli import demo_steps
from cli.demo_steps import project_digits
from cli.main import main

FEW = {"ppl": 40, "separability": 200, "contributions": 32, "droplets": 8}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("cli.demo_steps._COUNTS", FEW)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of the demo, and what was said."""
    folder = tmp_path_factory.mktemp("made") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.demo_steps._COUNTS", FEW)
        done = demo(folder)
    assert done.exit_code == 0, done.stderr
    return folder, done.stderr


@pytest.fixture
def folder(made, few, tmp_path):
    return shutil.copytree(made[0], tmp_path / "demo")


def demo(folder, *more):
    command = ["demo", "-o", str(folder), "--steps", "20", "--device", "cpu", *more]
    return CliRunner().invoke(main, command)


def test_the_demo_writes_pictures_and_a_table_and_names_them(made):
    folder, told = made
    for name in ("samples.png", "projections.png"):
        assert str(folder / name) in told
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 400
    page = folder / "comparison" / "report.html"
    assert told.splitlines()[-1] == f"Open {page}"
    assert "Which is better on what" in page.read_text(encoding="utf-8")
    differences = pd.read_csv(folder / "comparison" / "differences.csv")
    assert set(differences["metric"]) == {"path_length", "separability", "droplets"}
    table = pd.read_csv(folder / "projections.csv")
    assert sorted(zip(table["digit"], table["space"], strict=True)) == [
        (digit, space) for digit in range(10) for space in ("w", "w+")
    ]
    assert (table["distance"] < table["mean_image_distance"]).all()
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert all((folder / name).is_file() for name in listed)
    assert "w-plus/digit-9/projected_w.npz" in listed


def test_given_again_it_does_what_is_left(folder):
    page = folder / "comparison" / "report.html"
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    again = demo(folder)
    assert again.exit_code == 0, again.stderr
    assert f"{folder / 'comparison'} is finished; see {page}" in again.stderr
    assert all(path.read_bytes() == content for path, content in before.items())
    page.unlink()
    drawn = demo(folder)
    assert drawn.exit_code == 0, drawn.stderr
    assert page.is_file()
    assert "projecting into" not in drawn.stderr


def test_another_demo_is_not_mixed_with_it(folder):
    otherwise = demo(folder, "--steps", "21")
    assert otherwise.exit_code == 6
    assert "--overwrite" in otherwise.stderr
    (folder / "samples.png").write_bytes(b"mine")
    changed = demo(folder)
    assert changed.exit_code == 6
    assert (folder / "samples.png").read_bytes() == b"mine"


def test_its_comparison_can_be_given_to_compare(folder, saved, tmp_path):
    other, out = saved / "model.safetensors", tmp_path / "three"
    command = ["compare", folder / "comparison", other, "--metric", "ppl", "--device", "cpu",
               "--distance", "builtin:digits", "-o", out]  # fmt: skip
    done = CliRunner().invoke(main, [*map(str, command)])
    assert done.exit_code == 0, done.stderr
    assert len(pd.read_csv(out / "models.csv")) == 3


def test_digits_that_are_misread_are_framed(tmp_path, monkeypatch):
    drawn = []
    always_three = torch.nn.functional.one_hot(torch.tensor([3]), 10).float()
    monkeypatch.setattr(
        "cli.demo_steps.load_classifier",
        lambda _: lambda images: always_three.repeat(len(images), 1),
    )
    monkeypatch.setattr(
        "cli.demo_steps.tiles", lambda *arguments: drawn.append(arguments) or Figure()
    )
    g = latentlab.load("builtin:digits-stylegan2").generator
    table, _ = project_digits(g, 1, tmp_path)
    ((rows, title, marked),) = drawn
    others = {digit for digit in range(10) if digit != 3}
    assert marked == {(space, digit) for space in ("W", "W+") for digit in others}
    assert "Framed" in title
    captions = [caption for _, caption in rows["W"]]
    assert all(("read as 3" in caption) == (i != 3) for i, caption in enumerate(captions))
    assert set(table["read_as"]) == {3}


def test_one_that_was_stopped_while_projecting_goes_on(made, few, tmp_path, monkeypatch):
    folder, real = tmp_path / "demo", demo_steps.project

    def stopped(*arguments, settings, **more):
        if settings.space == "w+":
            raise KeyboardInterrupt
        return real(*arguments, settings=settings, **more)

    monkeypatch.setattr(demo_steps, "compare_models", lambda _: None)
    monkeypatch.setattr(demo_steps, "project", stopped)
    done = demo(folder)
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == (
        "Interrupted. The same command does what is left; projections begin again unless all are "
        "there."
    )
    monkeypatch.setattr(demo_steps, "project", real)
    other = demo(folder, "--steps", "21")
    assert (other.exit_code, "--overwrite" in other.stderr) == (6, True)
    again = demo(folder)
    assert again.exit_code == 0, again.stderr
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert set(listed) == set(json.loads((made[0] / "manifest.json").read_text())["files"])
