"""`latentlab edit`: frames, filmstrips, latents and videos, against edits by hand."""

import dataclasses
import json

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.commands.edit import edit
from cli.options.values import VIDEO_SUFFIXES
from latentlab.editing.directions import move, save_directions
from latentlab.images import to_uint8
from latentlab.latents import load_ws, z_from_seeds
from latentlab.video.writer import SUFFIXES
from tests.cli.conftest import AS_IN_GROUP, pixels


def run(saved, *arguments):
    command = [saved / "model.safetensors", "--directions", saved / "directions.safetensors",
               *arguments]  # fmt: skip
    result = CliRunner().invoke(edit, list(map(str, command)), **AS_IN_GROUP)
    known = (SystemExit, latentlab.LatentlabError)
    assert result.exception is None or isinstance(result.exception, known), result.exception
    return result


def edited(saved, *arguments):
    result = run(saved, *arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return result


def test_no_strength_gives_the_projections_picture_to_the_bit(saved, tmp_path):
    edited(saved, "--projected-w", saved / "projections", "--direction", "smile", "-o", tmp_path)
    for name in ("anna", "ben"):
        written = (tmp_path / name / "smile" / "02_+0.png").read_bytes()
        assert written == (saved / "projections" / name / "projected.png").read_bytes()
        others = [pixels(path) for path in sorted((tmp_path / name / "smile").glob("*.png"))]
        assert len(others) == 5
        assert len({image.tobytes() for image in others}) == 5


def test_frames_and_latents_are_moves_by_the_library(saved, small, directions, tmp_path):
    anna = saved / "projections" / "anna"
    edited(saved, "--projected-w", anna, "--direction", "#1", "--direction", "a/b",
           "--strengths", "-2,0.5", "--layers", "0-2", "-o", tmp_path)  # fmt: skip
    ws = load_ws(anna / "projected_w.npz", small)
    with np.load(anna / "projected_noise.npz") as file:
        noise = [torch.from_numpy(file[f"noise_{i}"]) for i in range(len(file.files))]
    for folder, direction in (("0", directions[1]), ("a_b", directions[2])):
        place = tmp_path / "anna" / folder
        latents = load_ws(place / "w.npz", small)
        for i, (strength, name) in enumerate([(-2, "00_-2.png"), (0.5, "01_+0.5.png")]):
            moved = move(ws, direction, strength, range(3))
            assert torch.equal(latents[i], moved[0])
            image = to_uint8(small.synthesis(moved, noise=noise)[0]).permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(pixels(place / name), image)
    table = pd.read_csv(tmp_path / "edits.csv")
    assert table["strength"].tolist() == [-2, 0.5, -2, 0.5]
    assert table["file"][2] == "anna/a_b/00_-2.png"
    along = (ws[0, :3].double() @ directions.vectors[2].double() - 0.5) / 2
    assert table["position"][3] == pytest.approx(float(along.mean()) + 0.5, abs=1e-5)


def test_files_are_rendered_with_the_maps_given_or_stored(saved, small, tmp_path):
    anna = saved / "projections" / "anna"
    arguments = ["--projected-w", anna / "projected_w.npz", "--direction", 0, "--strengths", 0]
    edited(saved, *arguments, "--noise", anna / "projected_noise.npz", "-o", tmp_path / "own")
    edited(saved, *arguments, "-o", tmp_path / "stored")
    frame = "projected_w/0/00_+0.png"
    assert (tmp_path / "own" / frame).read_bytes() == (anna / "projected.png").read_bytes()
    image = small.synthesis(load_ws(anna / "projected_w.npz", small))[0]
    stored = to_uint8(image).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(pixels(tmp_path / "stored" / frame), stored)


def test_the_filmstrip_has_a_row_a_direction_in_the_order_of_strengths(saved, tmp_path):
    edited(saved, "--projected-w", saved / "projections" / "ben", "--direction", "smile",
           "--direction", "a/b", "--strengths", "0,2,-2", "-o", tmp_path)  # fmt: skip
    strip = pixels(tmp_path / "ben.png").astype(int)
    left = strip.shape[1] - 8 - 3 * 96 - 2 * 4
    for row, folder in enumerate(("smile", "a_b")):
        frames = sorted((tmp_path / "ben" / folder).glob("*.png"))
        assert [path.name[3:-4] for path in frames] == ["+0", "+2", "-2"]
        for column, path in enumerate(frames):
            top, x = 31 + row * 100, left + column * 100
            tile = strip[top : top + 96, x : x + 96]
            np.testing.assert_array_equal(tile, pixels(path).repeat(3, 0).repeat(3, 1))


def test_the_video_goes_there_and_back(saved, tmp_path):
    edited(saved, "--seeds", 4, "--direction", "smile", "--strengths", "2,-2", "--video", "a.mp4",
           "--frames", 5, "--fps", 10, "-o", tmp_path)  # fmt: skip
    place = tmp_path / "seed0004" / "smile"
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(place / "a.mp4"))
    assert (count, seconds) == (8, pytest.approx(0.8))
    edited(saved, "--seeds", 4, "--direction", "smile", "--strengths", "2,-2", "--video", "a.gif",
           "--frames", 5, "--fps", 10, "-o", tmp_path / "gif")  # fmt: skip
    with Image.open(tmp_path / "gif" / "seed0004" / "smile" / "a.gif") as video:
        frames = []
        for i in range(video.n_frames):
            video.seek(i)
            frames.append(np.asarray(video.convert("RGB")).astype(int)[::8, ::8])
    assert len(frames) == 8
    for i, name in ((0, "01_-2.png"), (4, "00_+2.png")):
        assert np.abs(frames[i] - pixels(place / name)).mean() < 8  # 256 colours
    for i in (1, 2, 3):
        np.testing.assert_array_equal(frames[i], frames[8 - i])


def test_seeds_are_those_of_generate(saved, small, tmp_path):
    edited(saved, "--seeds", "4,4", "--direction", "smile", "--strengths", "0",
           "--truncation-psi", "0.5", "-o", tmp_path)  # fmt: skip
    image = small(z_from_seeds([4], 16), truncation_psi=0.5)[0]
    expected = to_uint8(image).permute(1, 2, 0).numpy()
    frame = tmp_path / "seed0004" / "smile" / "00_+0.png"
    np.testing.assert_array_equal(pixels(frame), expected)


def test_the_manifest_lists_every_file(saved, tmp_path):
    edited(saved, "--seeds", "0-1", "--direction", "a/b", "--video", "x.gif", "--frames", 2,
           "-o", tmp_path)  # fmt: skip
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert set(manifest["files"]) | {"manifest.json"} == there
    assert manifest["settings"]["directions"] == ["a/b"]
    assert manifest["settings"]["layers"] == "all"


def test_a_dry_run_writes_nothing(saved, tmp_path):
    done = edited(
        saved, "--seeds", 0, "--direction", 0, "--dry-run", "--json", "-o", tmp_path / "out"
    )
    assert json.loads(done.stdout)["strengths"] == [-3, -1.5, 0, 1.5, 3]
    assert not (tmp_path / "out").exists()


def test_directions_of_another_checkpoint_are_refused_unless_asked_for(saved, directions, tmp_path):
    path = tmp_path / "d.safetensors"
    save_directions(path, dataclasses.replace(directions, sha256="00" * 32))
    arguments = ("--directions", path, "--seeds", 0, "--direction", 0, "--strengths", 0)
    refused = str(run(saved, *arguments, "-o", tmp_path / "out").exception)
    assert "d.safetensors: belongs to another checkpoint, (SHA-256 000000000000...)" in refused
    assert "model.safetensors (SHA-256" in refused
    assert not (tmp_path / "out").exists()
    done = edited(saved, *arguments, "--any-checkpoint", "-o", tmp_path / "out")
    assert "of another checkpoint, (SHA-256 000000000000...); taken for one of" in done.stderr
    own = latentlab.load(saved / "model.safetensors").sha256
    save_directions(path, dataclasses.replace(directions, sha256=own))
    done = edited(saved, "--directions", path, "--seeds", 0, "--direction", 0, "--strengths", 0,
                  "-o", tmp_path / "again")  # fmt: skip
    assert "another checkpoint" not in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "either --projected-w or --seeds"),
    (("--seeds", 0, "--projected-w", "x"), "either --projected-w or --seeds"),
    (("--seeds", 0, "--noise", "x"), "--noise goes with one"),
    (("--projected-w", "x", "--projected-w", "y", "--noise", "x"), "--noise goes with one"),
    (("--projected-w", "x", "--truncation-psi", 0.5), "--truncation-psi goes with --seeds"),
    (("--projected-w", "x", "--class", 1), "--class goes with --seeds"),
    (("--seeds", 0, "--frames", 5), "--frames goes with --video"),
    (("--seeds", 0, "--video", "a.avi"), "ends in .mp4, .gif"),
    (("--seeds", 0, "--video", "x/a.gif"), "not a file name"),
    (("--seeds", 0, "--strengths", "1,nan"), "not a finite number"),
    (("--seeds", 0, "--layers", "top"), "none of coarse"),
])  # fmt: skip
def test_wrong_options_are_told_before_anything_is_read(saved, tmp_path, arguments, words):
    done = run(saved, "--direction", 0, *arguments, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("--direction", "frown"), "no direction 'frown'"),
    (("--direction", "2"), "number 2 is 'a/b', written '#2'"),
    (("--direction", 0, "--layers", "9"), "layers 0 to 7"),
    (("--direction", 0, "--video", "a.gif", "--fps", 100), "1 to 50 for .gif"),
])  # fmt: skip
def test_what_does_not_fit_the_files_is_told_in_one_line(saved, tmp_path, arguments, words):
    done = run(saved, "--seeds", 0, *arguments, "-o", tmp_path / "out")
    assert words in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_results_are_replaced_only_when_asked(saved, tmp_path):
    arguments = ["--seeds", 0, "--direction", 0, "--strengths", 0, "-o", tmp_path]
    edited(saved, *arguments)
    assert "use --overwrite" in str(run(saved, *arguments).exception)
    edited(saved, *arguments, "--overwrite")


def test_the_options_know_the_librarys_videos():
    assert VIDEO_SUFFIXES == SUFFIXES
