import json

import pandas as pd
import torch
from click.testing import CliRunner
from matplotlib.figure import Figure
from PIL import Image

import latentlab
from cli.demo_steps import project_digits
from cli.main import main

FEW = {"ppl": 40, "separability": 200, "contributions": 32, "droplets": 8}


def test_the_demo_writes_pictures_and_a_table_and_names_them(tmp_path, monkeypatch):
    monkeypatch.setattr("cli.demo_steps._COUNTS", FEW)
    folder = tmp_path / "demo"
    command = ["demo", "-o", str(folder), "--steps", "20", "--device", "cpu"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.stderr
    for name in ("samples.png", "projections.png"):
        assert str(folder / name) in done.stderr
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 400
    page = folder / "comparison" / "report.html"
    assert str(page) in done.stderr
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
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 6
    assert "--overwrite" in again.stderr


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
