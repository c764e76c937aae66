"""Every command that makes or reads pictures, with generators of 1, 4 and 2 channels."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.editing.directions import save_directions
from latentlab.images import COMPARED_ON, SEEN_ON
from tests.cli.conftest import SMALL
from tests.conftest import make_generator

CHANNELS = {"grey": 1, "alpha": 4}
MODES = {"grey": "L", "alpha": "RGBA"}
DIGITS = ["--distance", "builtin:digits"]
CLASSIFIER = ["--classifier", "builtin:digits-classifier"]

# By command: what it is given besides the checkpoint, and pictures that it leaves in the
# generator's own mode. PHOTOS and PROJECTIONS stand for folders.
COMMANDS = {
    "generate": (["--seeds", "0-1"], ["seed0000.png", "grid.png"]),
    "generate strips": (["--seeds", "0-1", "--truncation-psi", "0.5,1"],
                        ["seed0000-truncation.png", "truncation.png"]),
    "generate saved": (["--projected-w", "PROJECTIONS"], ["p0.png"]),
    "mix": (["--rows", "0", "--cols", "1,2"], ["0-1.png", "grid.png"]),
    "edit": (["--seeds", "0", "--directions", "DIRECTIONS", "--direction", "#0",
              "--strengths", "-1,1", "--video", "e.gif", "--frames", "2"], ["seed0000.png"]),
    "interpolate": (["--seeds", "0,1", "--frames", "2"], ["strip.png", "frames/00000.png"]),
    "interpolate video": (["PROJECTIONS", "--frames", "2", "--video", "walk.gif"], []),
    "tune": (["PROJECTIONS/p0", "--steps", "1", *DIGITS], ["p0/tuned.png"]),
    "directions": (["--method", "sefa", "--components", "2", "--samples", "8"], ["directions.png"]),
    "ppl": (["--samples", "2", "--html", *DIGITS], []),
    "separability": (["--samples", "40", *CLASSIFIER], []),
    "contributions": (["--samples", "4"], []),
    "droplets": (["--samples", "4"], []),
    "noise": (["--samples", "1", "--draws", "4"], []),
    "attribution": (["PHOTOS", "--most-real", "2", "--steps", "1", "--html", *DIGITS], []),
    "fidelity": (["--data", "PHOTOS", "--samples", "8"], []),
    "compare": (["builtin:digits-stylegan2", "--samples", "ppl=4,droplets=4",
                 "--metric", "ppl", "--metric", "droplets", *DIGITS], []),
}  # fmt: skip
ALPHA_IN_SETTINGS = {
    "ppl": COMPARED_ON, "noise": COMPARED_ON, "attribution": COMPARED_ON, "separability": SEEN_ON,
    "fidelity": SEEN_ON,
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(scope="module")
def home(tmp_path_factory, directions):
    """A model of each kind, photos that are half transparent, and their projections."""
    folder = tmp_path_factory.mktemp("channels")
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(6):
        pixels = rng.integers(0, 256, [32, 32, 4], dtype=np.uint8)
        pixels[:, :16, 3], pixels[:, 16:, 3] = 0, 255
        Image.fromarray(pixels).save(folder / f"photos/p{i}.png")
    for name, channels in CHANNELS.items():
        latentlab.save(make_generator(channels=channels, **SMALL), folder / f"{name}.safetensors")
    model = folder / "alpha.safetensors"
    done = run("project", model, folder / "photos", "--limit", "2", "--steps", "2", *DIGITS,
               "--html", "--video", "p.gif", "--device", "cpu", "-o", folder / "projections",
               )  # fmt: skip
    assert done.exit_code == 0, done.output
    save_directions(folder / "directions.safetensors", directions)
    return folder


def arguments_of(command, home):
    places = {"PHOTOS": "photos", "PROJECTIONS": "projections",
              "DIRECTIONS": "directions.safetensors"}  # fmt: skip
    for text in COMMANDS[command][0]:
        first, *rest = text.split("/")
        yield str(home.joinpath(places[first], *rest)) if first in places else text


# The bundled models, which the tests of each command use, are grey.
@pytest.mark.parametrize(("kind", "command"), [
    *(("alpha", command) for command in COMMANDS), ("grey", "generate"), ("grey", "fidelity"),
])  # fmt: skip
def test_every_command_takes_generators_of_any_picture(command, kind, home, tmp_path, pooled):
    arguments = [*arguments_of(command, home), "--device", "cpu", "-o", tmp_path]
    done = run(command.split()[0], home / f"{kind}.safetensors", *arguments)
    assert done.exit_code == 0, done.output
    for name in COMMANDS[command][1]:
        with Image.open(tmp_path / name) as picture:
            assert picture.mode == MODES[kind]
    if command in ALPHA_IN_SETTINGS:
        settings = json.loads(pd.read_csv(tmp_path / "report.csv")["settings"][0])
        assert settings.get("alpha") == (ALPHA_IN_SETTINGS[command] if kind == "alpha" else None)


@pytest.mark.parametrize("command", [*COMMANDS, "project"])
def test_other_numbers_of_channels_are_refused_before_any_work(command, home, tmp_path):
    model, folder = tmp_path / "two.safetensors", tmp_path / "out"
    latentlab.save(make_generator(channels=2, **SMALL), model)
    if command == "project":
        given = [str(home / "photos"), "--steps", "1", *DIGITS]
    else:
        given = arguments_of(command, home)
    done = run(command.split()[0], model, *given, "--device", "cpu", "-o", folder)
    if command == "contributions":  # makes no picture
        assert done.exit_code == 0
        return
    assert done.exit_code == 4
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert line.endswith("two.safetensors makes images of 2 channels, but pictures have 1 (grey), "
                         "3 (colour) or 4 (colour with alpha) channels")  # fmt: skip
    assert not folder.exists()
    for name in ("info", "convert"):
        out = [] if name == "info" else [tmp_path / "again.safetensors"]
        assert run(name, model, *out).exit_code == 0
        [path.unlink() for path in out]


def test_projecting_keeps_the_alpha_of_photos(home):
    folder = home / "projections/p0"
    with Image.open(folder / "target.png") as target, Image.open(home / "photos/p0.png") as photo:
        assert target.mode == "RGBA"
        assert np.array_equal(np.asarray(target), np.asarray(photo))
    with Image.open(folder / "projected.png") as picture:
        assert picture.mode == "RGBA"
    with Image.open(folder / "comparison.png") as page:
        assert page.mode == "RGB"
        # The left half of the target is transparent: white, whatever its hidden colours are.
        assert np.asarray(page)[100, 20:100].min() == 255
    report = pd.read_csv(folder.parent / "report.csv")
    assert report["alpha"].unique().tolist() == [COMPARED_ON]


def test_grey_becomes_colour_and_alpha_does_not(home, tmp_path):
    out = tmp_path / "out.safetensors"
    assert run("convert", home / "grey.safetensors", out, "--rgb").exit_code == 0
    assert latentlab.load(out).generator.channels == 3
    refused = run("convert", home / "alpha.safetensors", tmp_path / "x.safetensors", "--rgb")
    assert refused.exit_code == 2
    assert not (tmp_path / "x.safetensors").exists()


def test_training_with_alpha(home, tmp_path):
    arguments = ["--config", "stylegan2-small", "--channels", "4", "--kimg", "0.004",
                 "--resolution", "8", "--batch", "4", "--device", "cpu"]  # fmt: skip
    done = run("train", "--data", home / "photos", *arguments, "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert latentlab.load(tmp_path / "snapshot-000000004.safetensors").generator.channels == 4
    for name in ("reals.png", "fakes.png"):
        with Image.open(tmp_path / name) as grid:
            assert grid.mode == "RGBA"


def test_the_published_snapshot_with_alpha(shared, tmp_path):
    model = shared / "reports/ada_rgba.pkl"
    done = run("generate", model, "--seeds", "0", "--device", "cpu", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "out/seed0000.png") as picture:
        assert picture.mode == "RGBA"
    g = latentlab.load(model).generator
    result = latentlab.project(
        g, torch.zeros(1, 4, g.resolution, g.resolution),
        lambda a, b: (a - b).square().mean(dim=[1, 2, 3]), steps=2,
    )  # fmt: skip
    assert bool(torch.isfinite(result.distance).all())
