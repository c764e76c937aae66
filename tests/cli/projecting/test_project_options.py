"""Faces, masks, starts and videos in `latentlab project`."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

import latentlab
from latentlab.faces import FacePoints, align, load_alignment
from latentlab.images import load_image, read_picture, to_uint8
from latentlab.latents import load_noise, load_ws
from latentlab.perceptual import ClassifierDistance
from latentlab.projection.masks import load_mask
from tests.cli.commands.test_project import check_refused, names, pixels, project, projected, rows
from tests.cli.projecting.test_project_folders import draw, saved_w

LEFT_OUT = {"status": "skipped", "distance": ""}
POINTS = ((30.0, 40.0), (60.0, 44.0), (32.0, 70.0), (55.0, 73.0))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "b.png"
    path.parent.mkdir()
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((96, 120), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def landmarks(tmp_path):
    path = tmp_path / "points.csv"
    names = [
        f"{n}_{a}" for n in ("left_eye", "right_eye", "left_mouth", "right_mouth") for a in "xy"
    ]
    numbers = [value for point in POINTS for value in point]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["picture", *names], ["b.png", *numbers]])
    return path


# Faces.


def test_the_face_is_aligned_at_the_generators_size(model, photo, landmarks, tmp_path):
    out = tmp_path / "out"
    projected(model, photo, "--crop", "face", "--landmarks", landmarks, "-o", out)
    wanted = align(read_picture(photo), FacePoints(*POINTS), 32)
    assert np.abs(pixels(out / "target.png").astype(int) - np.asarray(wanted)).max() <= 1
    kept = load_alignment(out / "alignment.json")
    assert (kept.picture, kept.points, kept.size) == (str(photo), FacePoints(*POINTS), 32)
    (row,) = rows(out / "report.csv")
    assert (row["crop"], row["width"], row["height"]) == ("face", "96", "120")
    assert "alignment.json" in json.loads((out / "manifest.json").read_text())["files"]


def test_pictures_without_a_face_are_skipped_and_names_stay(model, photo, landmarks, tmp_path):
    out = tmp_path / "out"
    draw(photo.parent, "a", "c")
    arguments = [model, photo.parent, "--crop", "face", "--landmarks", landmarks, "-o", out]
    result = project(*arguments)
    assert result.exit_code == 4
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"b"}
    report = rows(out / "report.csv")
    assert [row["status"] for row in report] == ["skipped", "ok", "skipped"]
    assert "no face" in report[0]["note"]
    assert project(*arguments).exit_code == 4, "they are tried again"


def test_corrected_landmarks_project_their_own_pictures_again(model, photo, landmarks, tmp_path):
    arguments = [model, photo.parent, "--crop", "face", "--landmarks", landmarks, "-o"]
    draw(photo.parent, "a")
    landmarks.write_text(landmarks.read_text() + "a.png,10,12,20,12,11,20,19,20\n")
    projected(*arguments, tmp_path / "out")
    before = {name: (tmp_path / "out" / name / "projection.json").read_bytes() for name in "ab"}
    landmarks.write_text(landmarks.read_text().replace("a.png,10", "a.png,9"))
    projected(*arguments, tmp_path / "out")
    after = {name: (tmp_path / "out" / name / "projection.json").read_bytes() for name in "ab"}
    assert after["b"] == before["b"]
    assert after["a"] != before["a"]
    assert load_alignment(tmp_path / "out" / "a" / "alignment.json").points.left_eye == (9, 12)


def test_a_face_far_too_small_is_refused(model, photo, landmarks, tmp_path):
    options = ["--crop", "face", "--landmarks", landmarks, "--max-upscale", "1"]
    text = landmarks.read_text().splitlines()
    small = [str(40 + value / 6) for point in POINTS for value in point]
    landmarks.write_text("\n".join([text[0], ",".join(["b.png", *small])]) + "\n")
    assert "enlarged" in check_refused(4, model, photo, *options, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--crop", "face"], "--landmarks"), (["--landmarks", "POINTS"], "--crop face")],
)
def test_faces_and_where_they_are_go_together(options, words, model, photo, landmarks, tmp_path):
    given = [str(landmarks) if option == "POINTS" else option for option in options]
    result = project(model, photo, *given, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


# Masks.


def half(size):
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[: size[1] // 2] = 255
    return Image.fromarray(mask)


def test_a_mask_is_cropped_as_its_picture_and_kept(model, photo, tmp_path):
    mask, out = tmp_path / "mask.png", tmp_path / "out"
    half((96, 120)).save(mask)
    projected(model, photo, "--mask", mask, "-o", out)
    wanted = to_uint8(load_mask(mask, 32) * 2 - 1)[0].numpy()
    assert np.array_equal(pixels(out / "mask.png"), wanted)
    (row,) = rows(out / "report.csv")
    assert row["mask"] == str(mask)


QUALITY = ("distance", "start_distance", "mean_image_distance", "mse", "psnr", "ssim")


def rendered_again(model, folder):
    g = latentlab.load(model).generator
    ws = load_ws(folder / "projected_w.npz", g)
    return g.synthesis(ws, noise=load_noise(folder / "projected_noise.npz", g))[0]


def test_every_quality_is_of_the_whole_picture_and_within_the_mask(model, photo, tmp_path):
    mask, out = tmp_path / "mask.png", tmp_path / "out"
    half((96, 120)).save(mask)
    result = projected(model, photo, "--mask", mask, "-o", out)
    assert "mask_distance=" in result.stderr
    (row,) = rows(out / "report.csv")
    kept = json.loads((out / "projection.json").read_text())["row"]
    weight = load_mask(mask, 32)
    target, found = (pixels(out / name).astype(float) for name in ("target.png", "projected.png"))
    squares = torch.from_numpy((target - found) ** 2).permute(2, 0, 1)
    assert float(row["mse"]) == pytest.approx(float(squares.mean()), rel=1e-9)
    within = (squares * weight).sum() / (3 * weight.sum())
    assert float(row["mask_mse"]) == pytest.approx(float(within), rel=1e-6)
    for kind in ("", "mask_"):
        mse = float(row[f"{kind}mse"])
        assert float(row[f"{kind}psnr"]) == pytest.approx(10 * np.log10(255**2 / mse))
    compare, wanted = latentlab.perceptual_distance("builtin:digits"), load_image(photo, 32)
    image = rendered_again(model, out)
    for name, shown in (("distance", image), ("mask_distance", wanted.lerp(image, weight))):
        expected = float(compare(wanted[None], shown[None]))
        assert float(row[name]) == pytest.approx(expected, rel=1e-5)
    assert float(row["mask_distance"]) < 0.9 * float(row["distance"])
    assert all(kept[f"{kind}{name}"] == float(row[f"{kind}{name}"])
               for name in QUALITY for kind in ("", "mask_"))  # fmt: skip
    history = rows(out / "history.csv")
    assert list(history[0])[:3] == ["step", "distance", "mask_distance"]
    for step in history:
        loss = float(step["mask_distance"]) + 1e5 * float(step["noise_penalty"])
        assert float(step["loss"]) == pytest.approx(loss, rel=1e-6)
        assert float(step["mask_distance"]) != float(step["distance"])


def test_without_a_mask_what_is_within_it_is_empty(model, photo, tmp_path):
    result = projected(model, photo, "-o", tmp_path / "out")
    assert "mask_distance" not in result.stderr
    (row,) = rows(tmp_path / "out" / "report.csv")
    assert all(row[name] != "" and row[f"mask_{name}"] == "" for name in QUALITY)
    assert "whole_distance" not in row


def test_a_folder_has_a_mask_for_each_name(model, photo, tmp_path):
    draw(photo.parent, "a")
    masks = tmp_path / "masks"
    masks.mkdir()
    half((96, 120)).save(masks / "b.webp", lossless=True)
    result = project(model, photo.parent, "--mask", masks, "-o", tmp_path / "out")
    assert result.exit_code == 4
    report = rows(tmp_path / "out" / "report.csv")
    assert [row["status"] for row in report] == ["refused", "ok"]
    assert str(masks / "a.png") in report[0]["note"]


def test_a_mask_of_another_size_is_refused(model, photo, tmp_path):
    half((50, 60)).save(tmp_path / "mask.png")
    message = check_refused(4, model, photo, "--mask", tmp_path / "mask.png", "-o", tmp_path / "o")
    assert "50x60" in message
    assert "96x120" in message


# Starts.


def test_a_projection_goes_on_from_a_saved_one(model, photo, tmp_path):
    draw(photo.parent, "a")
    first, second = tmp_path / "first", tmp_path / "second"
    projected(model, photo.parent, "-o", first, steps=30)
    projected(model, photo.parent, "--space", "w+", "--start", first, "-o", second, steps=30)
    for before, after in zip(rows(first / "report.csv"), rows(second / "report.csv"), strict=True):
        assert float(after["start_distance"]) == pytest.approx(float(before["distance"]), rel=1e-4)
    alone = tmp_path / "alone"
    projected(model, photo, "--start", first / "b" / "projected_w.npz", "-o", alone)
    (row,) = rows(alone / "report.csv")
    assert float(row["start_distance"]) < float(row["mean_image_distance"])


def test_pictures_without_a_saved_start_are_refused(model, photo, tmp_path):
    draw(photo.parent, "a")
    projected(model, photo.parent / "a.png", photo.parent / "a.png", photo.parent,
              "--limit", "1", "-o", tmp_path / "first")  # fmt: skip
    result = project(model, photo.parent, "--start", tmp_path / "first", "-o", tmp_path / "second")
    assert result.exit_code == 4
    assert "no start for b" in rows(tmp_path / "second" / "report.csv")[1]["note"]


def test_the_closest_of_random_pictures_starts_closer_than_the_mean(model, photo, tmp_path):
    projected(model, photo, "--start-samples", "60", "-o", tmp_path / "out")
    (row,) = rows(tmp_path / "out" / "report.csv")
    assert float(row["start_distance"]) < float(row["mean_image_distance"])
    assert row["start_samples"] == "60"


def test_a_strong_pull_keeps_the_rows_of_w_plus_together(model, photo, tmp_path):
    spreads = []
    for pull in ("0", "1000"):
        out = tmp_path / pull
        projected(model, photo, "--space", "w+", "--w-plus-pull", pull, "-o", out, steps=20)
        with np.load(out / "projected_w.npz", allow_pickle=False) as file:
            spreads.append(file["w"].std(axis=1).mean())
    assert spreads[1] < 0.5 * spreads[0]


# Videos.


def test_a_video_of_each_projection(model, photo, tmp_path):
    draw(photo.parent, "a")
    out = tmp_path / "out"
    options = ["--video", "search.gif", "--fps", "10", "--batch", "2"]
    projected(model, photo.parent, *options, "-o", out, steps=6)
    for name in "ab":
        assert "search.gif" in names(out / name)
        with Image.open(out / name / "search.gif") as video:
            assert video.n_frames == 6 + 10 or video.n_frames == 7, "equal frames may be joined"
            ends = []
            for number in (0, video.n_frames - 1):
                video.seek(number)
                ends.append(np.asarray(video.convert("RGB")).astype(int))
        ends_of = [pixels(out / name / file) for file in ("target.png", "projected.png")]
        still = np.hstack([ends_of[0], np.full((32, 2, 3), 255), ends_of[1]])
        scale = ends[0].shape[0] // still.shape[0]
        first, last = (np.abs(end[::scale, ::scale] - still).mean() for end in ends)
        assert last < 12  # a frame has 256 colours
        assert first > 1.5 * last


def test_j09_a_diverged_picture_keeps_its_best_and_the_others_go_on(
    model, photo, tmp_path, monkeypatch
):
    draw(photo.parent, "a")
    compare = ClassifierDistance.compare
    calls = []

    def breaking(self, first, second):
        calls.append(len(first[0]))
        distances = compare(self, first, second)
        return distances * torch.tensor([1.0, torch.nan]) if len(calls) == 8 else distances

    monkeypatch.setattr(ClassifierDistance, "compare", breaking)
    out = tmp_path / "out"
    arguments = [model, photo.parent, "--batch", "2", "-o", out]
    result = project(*arguments, steps=12)
    assert result.exit_code == 5
    report = rows(out / "report.csv")
    assert [row["status"] for row in report] == ["ok", "diverged"]
    assert "became NaN or infinite" in report[1]["note"]
    assert all(float(row["distance"]) < float(row["mean_image_distance"]) for row in report)
    assert np.isfinite(saved_w(out, "b")).all()
    assert len(rows(out / "a" / "history.csv")) == 12
    assert project(*arguments, steps=12).exit_code == 5, "it would diverge again"
