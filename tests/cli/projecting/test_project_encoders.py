"""Projections that start from what an encoder gives, or end there."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.encoders import encoder_input, load_encoder
from latentlab.encoders.config import E4E
from tests.support.encoders import write_encoder

DIGITS = "builtin:digits-stylegan2"


@pytest.fixture(scope="module")
def g():
    return latentlab.load(DIGITS).generator


@pytest.fixture(scope="module")
def encoder(g, tmp_path_factory):
    file = tmp_path_factory.mktemp("encoder") / "e4e.pt"
    mean = g.w_mean.expand(g.num_ws, -1).contiguous()
    return write_encoder(file, E4E, g.num_ws, g.w_dim, mean=mean, start_from_latent_avg=True)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, size in enumerate([(90, 60), (40, 40)]):
        pixels = np.random.default_rng(i).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def project(*arguments):
    given = ["project", DIGITS, *map(str, arguments), "--distance", "builtin:digits"]
    return CliRunner().invoke(main, given)


def ws_in(folder):
    with np.load(folder / "projected_w.npz") as file:
        return torch.from_numpy(file["w"])


def test_what_the_encoder_gives_is_a_result_of_its_own(g, encoder, photos, tmp_path):
    out = tmp_path / "out"
    done = project(photos, "--encoder", encoder, "--steps", "0", "--html", "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "into W+, no optimisation" in done.stderr
    with Image.open(photos / "0.png") as picture:
        square = picture.crop((15, 0, 75, 60))
    expected = load_encoder(encoder).ws_for(g, encoder_input(square, (256, 256))[None])
    assert torch.equal(ws_in(out / "0"), expected)
    images = g.synthesis(expected)  # with the noise maps of the generator
    rendered = latentlab.images.load_image(out / "0" / "projected.png", 32)
    assert (rendered - images[0].clamp(-1, 1)).abs().max() < 0.01
    with np.load(out / "0" / "projected_noise.npz") as file:
        maps = [torch.from_numpy(file[f"noise_{i}"])[0, 0] for i in range(len(file.files))]
    assert all(torch.equal(a, b.noise_const)
               for a, b in zip(maps, g.synthesis.noise_layers, strict=True))  # fmt: skip
    report = pd.read_csv(out / "report.csv")
    assert report["space"].tolist() == ["w+", "w+"]
    assert report["encoder"].tolist() == ["e4e.pt"] * 2
    assert report["encoder_type"].tolist() == [E4E] * 2
    assert (report["distance"] == report["start_distance"]).all()
    again = project(photos, "--encoder", encoder, "--steps", "0", "-o", out)
    assert "2 of 2 pictures projected" in again.stderr


@pytest.mark.parametrize("space", ["w", "w+"])
def test_the_optimisation_goes_on_from_there(space, g, encoder, photos, tmp_path):
    out, as_it_is = tmp_path / "out", tmp_path / "as_it_is"
    picture, options = photos / "1.png", ["--space", space, "--encoder", encoder]
    assert project(picture, *options, "--steps", "0", "-o", as_it_is).exit_code == 0
    done = project(picture, *options, "--steps", "15", "-o", out)
    assert done.exit_code == 0, done.stderr
    (before,), (after,) = (pd.read_csv(each / "report.csv").to_dict("records")
                           for each in (as_it_is, out))  # fmt: skip
    assert after["start_distance"] == before["distance"]
    assert after["distance"] < before["distance"]
    rows = ws_in(as_it_is)
    with Image.open(picture) as whole:
        codes = load_encoder(encoder).ws_for(g, encoder_input(whole, (256, 256))[None])
    expected = codes if space == "w+" else codes.mean(dim=1, keepdim=True).expand_as(codes)
    assert torch.equal(rows, expected)


def test_a_saved_start_as_it_is_is_compared(encoder, photos, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    assert project(photos / "1.png", "--encoder", encoder, "--steps", "3",
                   "-o", first).exit_code == 0  # fmt: skip
    done = project(photos / "1.png", "--start", first, "--space", "w+", "--steps", "0",
                   "-o", again)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    distances = [pd.read_csv(each / "report.csv")["distance"][0] for each in (first, again)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-6)


def test_a_dry_run_opens_the_encoder(encoder, photos, tmp_path):
    options = [photos, "--encoder", encoder, "--steps", "0", "--dry-run", "-o", tmp_path / "out"]
    done = project(*options, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["encoder_type"] == E4E
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "code", "words"), [
    (["--encoder", "{e}", "--start", "{e}"], 2, "give --encoder or --start"),
    (["--encoder", "{e}", "--start-samples", "4"], 2, "give --encoder or --start-samples"),
    (["--encoder-type", E4E], 2, "--encoder-type goes with --encoder"),
    (["--steps", "0"], 2, "--steps 0 goes with --encoder or --start"),
    (["--encoder", "{e}", "--steps", "0", "--video", "a.gif"], 2, "--video shows an optimisation"),
    (["--encoder", "{e}", "--encoder-type", "GradualStyleEncoder"], 3, "leave --encoder-type out"),
    (["--encoder", "{none}"], 3, "no such file"),
    (["--encoder", "{other}"], 3, "gives latents of 8 x 12, but the generator takes 8 x 64"),
    (["--encoder", "{mute}"], 3, "give --encoder-type GradualStyleEncoder (pSp) or"),
])  # fmt: skip
def test_refusals_come_before_anything_is_written(
    options, code, words, g, encoder, photos, tmp_path
):
    places = {"e": encoder, "none": tmp_path / "none.pt"}
    places["other"] = write_encoder(tmp_path / "other.pt")
    places["mute"] = write_encoder(tmp_path / "mute.pt", E4E, g.num_ws, g.w_dim, encoder_type=None)
    given = [each.format(**places) for each in options]
    done = project(photos, *given, "-o", tmp_path / "out")
    assert done.exit_code == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
