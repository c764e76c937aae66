"""Every command that takes latents takes them as other tools write them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from cli.models import open_model
from cli.projecting.saved_latents import read_saved
from latentlab import LatentError
from latentlab.editing.directions import Directions, save_directions
from latentlab.images import save_image
from tests.conftest import make_generator

# File, w_dim and resolution of a generator that it is for, pictures in it.
FIXTURES = [
    ("latents_18x512.npy", 16, 32, 1), ("latents_e4e.pt", 16, 32, 2),
    ("latents_rosinality_w.pt", 16, 32, 1), ("latents_dlatents.npz", 16, 32, 1),
    ("pti_pivot.pt", 4, 16, 1),
]  # fmt: skip
NEAR = ["--distance", "builtin:digits"]


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models by resolution, a direction for each, and a photo."""
    folder = tmp_path_factory.mktemp("everyone")
    for w_dim, resolution in ((16, 32), (4, 16)):
        g = make_generator(resolution=resolution, w_dim=w_dim)
        latentlab.save(g, folder / f"{resolution}.safetensors")
        one = torch.eye(w_dim)[:1]
        directions = Directions(("d",), one, torch.ones(1).double(), torch.ones(1).double(), "pca")
        save_directions(folder / f"directions{resolution}.safetensors", directions)
    save_image(folder / "img.png", torch.zeros(3, 32, 32))
    return folder


@pytest.fixture(params=FIXTURES, ids=[each[0] for each in FIXTURES])
def case(request, shared, place):
    file, _, resolution, count = request.param
    if not (shared / "reports").is_dir():
        pytest.skip("files of other people are not there")
    return shared / "reports" / file, place, resolution, count


def test_they_are_rendered(case, tmp_path):
    file, place, resolution, count = case
    done = run("generate", place / f"{resolution}.safetensors", "--projected-w", file,
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == count + 1


def test_they_are_edited(case, tmp_path):
    file, place, resolution, count = case
    done = run("edit", place / f"{resolution}.safetensors", "--projected-w", file, "--directions",
               place / f"directions{resolution}.safetensors", "--direction", "d",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert pd.read_csv(tmp_path / "out" / "edits.csv")["picture"].nunique() == count


def test_they_are_walked_between_and_mixed(case, tmp_path):
    file, place, resolution, _ = case
    model = place / f"{resolution}.safetensors"
    done = run("interpolate", model, file, file, "--frames", "2", "-o", tmp_path / "walk")
    assert done.exit_code == 0, done.stderr
    done = run("mix", model, "--row-w", file, "--cols", "3", "-o", tmp_path / "mix")
    assert done.exit_code == 0, done.stderr


def test_they_are_started_from(case, tmp_path):
    file, place, resolution, count = case
    photos = [place / "img.png"]
    if count == 2:
        photos.append(tmp_path / "two.png")
        save_image(photos[1], torch.ones(3, 32, 32))
    done = run("project", place / f"{resolution}.safetensors", *photos, "--start", file,
               "--space", "w+", "--steps", "2", "--distance", "builtin:digits",
               "-o", tmp_path / "out")  # fmt: skip
    if resolution == 16:  # the bundled distance is for 32 pixels
        assert "32" in done.stderr
        return
    assert done.exit_code == 0, done.stderr
    assert ("taken in order" in done.stderr) == (count == 2)
    report = pd.read_csv(tmp_path / "out" / "report.csv")
    assert report["status"].tolist() == ["ok"] * count
    assert report["start_distance"].nunique() == count


def test_they_are_divided_by_labels(case, tmp_path):
    file, _, _, _ = case
    labels = tmp_path / "labels.csv"
    rows = {"latents_18x512.npy": 8, "latents_e4e.pt": 2}.get(file.name, 1)
    pd.DataFrame({"a": [i % 2 for i in range(rows)]}).to_csv(labels, index=False)
    done = run("separability", "--latents", file, "--labels", labels, "-o", tmp_path / "out",
               "--overwrite")  # fmt: skip
    assert "expected" not in done.stderr
    assert done.exit_code == 0, done.stderr


def test_noise_in_a_file_is_used_and_the_generator_s_follows(place, shared, tmp_path):
    file = shared / "reports" / "latents_rosinality_w.pt"
    model = open_model(str(place / "32.safetensors"), "cpu")
    (found,) = read_saved([file], model)
    assert found.name == "img"
    assert torch.equal(found.ws, found.ws[:, :1].expand(1, 8, 16))
    first, *others = found.noise(model.g)
    theirs = torch.load(file, weights_only=True)["img.png"]["noise"][0]
    assert torch.equal(first, theirs)
    layers = model.g.synthesis.noise_layers[1:]
    assert all(torch.equal(a[0, 0], b.noise_const) for a, b in zip(others, layers, strict=True))
    out = tmp_path / "out"
    assert run("generate", place / "32.safetensors", "--projected-w", file,
               "-o", out).exit_code == 0  # fmt: skip
    drawn = latentlab.images.load_image(out / "img.png", 32)
    image = model.g.synthesis(found.ws, noise=found.noise(model.g))[0].clamp(-1, 1)
    assert (drawn - image).abs().max() < 0.01
    assert (model.g.synthesis(found.ws)[0] - image).abs().max() > 0.1


def test_noise_of_another_size_is_refused(place, tmp_path):
    one = {"latent": torch.ones(16), "noise": [torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)]}
    torch.save({"a.png": one}, tmp_path / "a.pt")
    (found,) = read_saved([tmp_path / "a.pt"], open_model(str(place / "32.safetensors"), "cpu"))
    with pytest.raises(LatentError, match=r"noise map 1 has shape \[1, 1, 4, 4\], expected"):
        found.noise(open_model(str(place / "32.safetensors"), "cpu").g)


@pytest.mark.parametrize(("write", "words"), [
    (lambda path: np.save(path, np.ones((18, 16))), "[18, 16], expected floats [N, 8, 16], or"),
    (lambda path: np.save(path, np.ones((8, 12))), "has shape [8, 12], expected floats"),
    (lambda path: np.save(path, np.full((8, 16), np.nan)), "holds NaN"),
    (lambda path: np.save(path, np.full((8, 16), 1e300)), "beyond float32"),
    (lambda path: np.save(path, np.ones((0, 8, 16))), "has shape [0, 8, 16]"),
    (lambda path: np.save(path, {"a": [np.ones((8, 16))]}), "numpy.savez('latents.npz'"),
    (lambda path: path.write_bytes(b""), "not a readable"),
])  # fmt: skip
@pytest.mark.parametrize("command", ["generate", "edit", "interpolate", "project"])
def test_one_line_says_what_does_not_fit(write, words, command, place, tmp_path):
    file, model = tmp_path / "a.npy", place / "32.safetensors"
    write(file)
    done = run(*{
        "generate": ["generate", model, "--projected-w", file],
        "edit": ["edit", model, "--projected-w", file, "--direction", "d", "--directions",
                 place / "directions32.safetensors"],
        "interpolate": ["interpolate", model, file, file],
        "project": ["project", model, place / "img.png", "--start", file, *NEAR],
    }[command], "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert str(file) in last
    assert words in last
    assert not (tmp_path / "out").exists()


def test_a_w_that_may_be_z_is_refused(place, tmp_path):
    np.savez(tmp_path / "a.npz", latents=np.ones((1, 16)))
    done = run("generate", place / "32.safetensors", "--projected-w", tmp_path / "a.npz",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4
    assert "the array latents may be z or w" in done.stderr


def test_more_latents_than_pictures_are_refused_as_starts(place, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 8, 16)))
    done = run("project", place / "32.safetensors", place / "img.png", *NEAR, "--start",
               tmp_path / "a.npy", "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4
    assert "2 latents without names, for 1 picture; give as many pictures" in done.stderr


def test_w_plus_in_space_w_is_refused_before_a_folder_is_made(place, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(8 * 16.0).reshape(8, 16))
    done = run("project", place / "32.safetensors", place / "img.png", *NEAR, "--start",
               tmp_path / "a.npy", "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 4
    assert "--start has rows that differ: that is W+; use --space w+" in done.stderr
    assert not (tmp_path / "out").exists()


def test_names_in_a_file_find_their_pictures(place, tmp_path):
    np.savez(tmp_path / "a.npz", **{"other.png": np.ones((8, 16)), "img": np.zeros((8, 16))})
    done = run("project", place / "32.safetensors", place / "img.png", *NEAR, "--space", "w+",
               "--steps", "0", "--start", tmp_path / "a.npz", "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    with np.load(tmp_path / "out" / "projected_w.npz") as found:
        assert not found["w"].any()
    assert json.loads((tmp_path / "out" / "projection.json").read_text())
