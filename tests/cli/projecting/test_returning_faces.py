"""Edited and tuned faces go back into their photos by the paths of what the commands wrote."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import latentlab
from latentlab.editing.directions import Directions, save_directions
from latentlab.faces import face_points, face_quad, load_alignment, paste_back
from tests.conftest import make_generator
from tests.support.commands import run, succeeded
from tests.support.faces.drawn import DrawnFace, draw

FACES = {"anna": DrawnFace(90, 70, 12, 20), "ben": DrawnFace(80, 80, 9, -50)}
SIZE = (180, 150)


def done(*arguments):
    return succeeded(run(*arguments))


def refused(words, *arguments):
    result = run(*arguments)
    assert result.exit_code == 4, result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert not Path(arguments[-1]).exists()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two photos, projected (out), edited along two directions (edit), and tuned to (tuned)."""
    base = tmp_path_factory.mktemp("work")
    model = base / "model.safetensors"
    latentlab.save(make_generator(resolution=32, z_dim=16, w_dim=12), model)
    (base / "photos").mkdir()
    for name, face in FACES.items():
        draw(SIZE, face).save(base / "photos" / f"{name}.png")
    points = {f"{name}.png": face.points().tolist() for name, face in FACES.items()}
    (base / "points.json").write_text(json.dumps(points))
    rows = torch.linalg.qr(torch.randn(12, 2, generator=torch.Generator().manual_seed(0)))[0].T
    ones = torch.ones(2).double()
    directions = Directions(("smile", "a/b"), rows.contiguous(), ones, ones.clone(), "svm")
    save_directions(base / "d.safetensors", directions)
    done("project", model, base / "photos", "--crop", "face", "--landmarks", base / "points.json",
         "--steps", 2, "--distance", "builtin:digits", "-o", base / "out")  # fmt: skip
    done("edit", model, "--projected-w", base / "out", "--directions", base / "d.safetensors",
         "--direction", "smile", "--direction", "a/b", "--strengths", "-2,0,1.5",
         "-o", base / "edit")  # fmt: skip
    done("tune", model, base / "out", "--steps", 2, "--distance", "builtin:digits",
         "-o", base / "tuned")  # fmt: skip
    return base


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def names(folder):
    return {path.name for path in folder.iterdir()}


def check_only_the_square_changed(work, name, pasted):
    """The rest is equal to the pixel; within the square is what the library puts there."""
    before, after = pixels(work / "photos" / f"{name}.png"), pixels(pasted)
    rows, columns = np.nonzero((before != after).any(2))
    assert len(rows) > 100
    a, b, c, d = face_quad(face_points(FACES[name].points())) + 0.5
    places = np.stack([columns + 0.5, rows + 0.5], 1)
    for start, end in ((a, b), (b, c), (c, d), (d, a)):
        edge, to = end - start, places - start
        inwards = (edge[0] * to[:, 1] - edge[1] * to[:, 0]) / np.hypot(*edge)
        assert (inwards < 1).all(), "nothing has changed outside of the square"


def check_pasted(work, name, face, pasted):
    check_only_the_square_changed(work, name, pasted)
    quad = load_alignment(work / "out" / name / "alignment.json").quad
    with Image.open(work / "photos" / f"{name}.png") as photo, Image.open(face) as picture:
        wanted = np.asarray(paste_back(photo, picture, quad)).astype(int)
    np.testing.assert_array_equal(pixels(pasted), wanted)


def test_alignments_are_carried_along_and_known_to_the_manifest(work):
    for folder in ("edit", "tuned"):
        files = json.loads((work / folder / "manifest.json").read_text())["files"]
        for name in FACES:
            kept = work / folder / name / "alignment.json"
            assert kept.read_bytes() == (work / "out" / name / "alignment.json").read_bytes()
            assert f"{name}/alignment.json" in files


def test_each_frame_of_an_edit_becomes_a_photo_of_its_own(work, tmp_path):
    done("paste-back", work / "edit", "-o", tmp_path)
    frames = {f"{name}-{way}_{strength}.png": (name, f"{way}/{i:02d}_{strength}.png")
              for name in FACES for way in ("smile", "a_b")
              for i, strength in enumerate(("-2", "+0", "+1.5"))}  # fmt: skip
    assert names(tmp_path) == set(frames)
    for file, (name, frame) in frames.items():
        check_pasted(work, name, work / "edit" / name / frame, tmp_path / file)
    assert len({(tmp_path / file).read_bytes() for file in frames}) == 10, "0 is the projection"


def test_chosen_directions_and_strengths(work, tmp_path):
    done("paste-back", work / "edit", "--direction", "a_b", "--strengths", "1.5,-2", "-o", tmp_path)
    assert names(tmp_path) == {f"{name}-a_b_{s}.png" for name in FACES for s in ("-2", "+1.5")}
    for word, options in (("smile", ["--direction", "frown"]), ("+1.5", ["--strengths", 4])):
        refused(word, "paste-back", work / "edit", *options, "-o", tmp_path / "none")


@pytest.mark.parametrize("place", ["edit/anna", "edit/anna/smile", "edit/anna/smile/02_+1.5.png"])
def test_an_edit_a_direction_or_a_single_frame(work, tmp_path, place):
    options = [] if place.endswith(".png") else ["--direction", "smile", "--strengths", 1.5]
    done("paste-back", work / place, *options, "-o", tmp_path)
    assert names(tmp_path) == {"anna-smile_+1.5.png"}
    frame = work / "edit" / "anna" / "smile" / "02_+1.5.png"
    check_pasted(work, "anna", frame, tmp_path / "anna-smile_+1.5.png")


def test_a_frame_is_found_from_within_its_folder(work, tmp_path, monkeypatch):
    monkeypatch.chdir(work / "edit" / "anna" / "smile")
    done("paste-back", "02_+1.5.png", ".", "-o", tmp_path)
    strengths = ("-2", "+0", "+1.5")
    assert names(tmp_path) == {f"anna-smile_{strength}.png" for strength in strengths}


@pytest.mark.parametrize("place", ["tuned", "tuned/ben", "tuned/ben/tuned.png"])
def test_tunings(work, tmp_path, place):
    done("paste-back", work / place, "-o", tmp_path)
    there = FACES if place == "tuned" else ["ben"]
    assert names(tmp_path) == {f"{name}-tuned.png" for name in there}
    for name in there:
        check_pasted(
            work, name, work / "tuned" / name / "tuned.png", tmp_path / f"{name}-tuned.png"
        )


def test_several_places_together_replace_nothing_of_each_other(work, tmp_path):
    (work / "out" / "anna" / "retouched.png").write_bytes(
        (work / "out" / "anna" / "projected.png").read_bytes()
    )
    done("paste-back", work / "out", work / "tuned", work / "edit" / "ben" / "smile",
         work / "out" / "anna" / "retouched.png", "-o", tmp_path)  # fmt: skip
    assert names(tmp_path) == {
        "anna.png", "ben.png", "anna-tuned.png", "ben-tuned.png", "ben-smile_-2.png",
        "ben-smile_+0.png", "ben-smile_+1.5.png", "anna-retouched.png",
    }  # fmt: skip
    check_pasted(work, "ben", work / "out" / "ben" / "projected.png", tmp_path / "ben.png")
    (work / "out" / "anna" / "retouched.png").unlink()


def test_edits_of_two_projections_of_one_photo_get_numbers(work, tmp_path):
    for name in ("first", "second"):
        shutil.copytree(work / "edit" / "anna", tmp_path / name)
    done("paste-back", tmp_path / "first", tmp_path / "second", "--direction", "smile",
         "--strengths", "0", "-o", tmp_path / "pasted")  # fmt: skip
    assert names(tmp_path / "pasted") == {"anna-smile_+0.png", "anna-smile_+0-2.png"}


def test_what_lacks_an_alignment_is_named_with_what_helps(work, tmp_path):
    shutil.copytree(work / "edit", tmp_path / "edit")
    for file in (tmp_path / "edit").glob("*/alignment.json"):
        file.unlink()
    helps = "project the photo with `latentlab project --crop face`"
    for place in (
        "edit",
        "edit/anna",
        "edit/anna/smile",
        "edit/anna/smile/00_-2.png",
        "edit/anna.png",
    ):
        refused(helps, "paste-back", tmp_path / place, "-o", tmp_path / "pasted")
    refused("no such file", "paste-back", tmp_path / "nowhere", "-o", tmp_path / "pasted")
    refused("is a filmstrip; give its frames", "paste-back", work / "edit" / "anna.png",
            "-o", tmp_path / "pasted")  # fmt: skip
    shutil.copy(work / "out" / "anna" / "alignment.json", tmp_path / "edit")
    refused("--face", "paste-back", tmp_path / "edit", "-o", tmp_path / "pasted")


def test_a_photo_that_has_changed_since_is_refused_for_an_edit_too(work, tmp_path):
    shutil.copytree(work / "photos", tmp_path / "photos")
    draw(SIZE).save(tmp_path / "photos" / "anna.png")
    result = run("paste-back", work / "tuned", "--photos", tmp_path / "photos",
                 "-o", tmp_path / "pasted")  # fmt: skip
    assert result.exit_code == 4
    assert "anna.png: is no longer the photo that was projected" in result.stderr
    assert names(tmp_path / "pasted") == {"ben-tuned.png"}


def test_inputs_are_never_replaced(work, tmp_path):
    shutil.copytree(work / "tuned", tmp_path / "anna-tuned")
    folder = tmp_path / "anna-tuned" / "anna"
    (folder / "tuned.png").rename(folder / "anna.png")
    before = (folder / "anna.png").read_bytes()
    result = run("paste-back", folder, "--face", "anna.png", "--overwrite", "-o", folder)
    assert result.exit_code == 6
    assert (folder / "anna.png").read_bytes() == before


def test_a_file_by_name_and_a_choice_of_frames_exclude_each_other(work, tmp_path):
    result = run("paste-back", work / "edit", "--face", "a.png", "--strengths", 1, "-o", tmp_path)
    assert result.exit_code == 2
    assert "--face" in result.stderr
