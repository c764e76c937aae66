import csv
import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.pictures.records import Record, Source
from cli.projecting.files import RECORD, write_files
from tests.conftest import make_generator
from tests.projection.test_projector import targets

NAMES = ("anna", "ben")
TUNING = ("--steps", 20, "--learning-rate", 5e-4, "--distance", "builtin:digits")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    latentlab.save(make_generator(resolution=32), path)
    return path


@pytest.fixture(scope="module")
def projections(model, tmp_path_factory):
    """The folders that project writes for two pictures."""
    folder = tmp_path_factory.mktemp("projections")
    images = targets(2, size=32).clamp(-0.9, 0.9)
    found = latentlab.project(
        latentlab.load(model).generator, images, latentlab.perceptual_distance("builtin:digits"),
        settings=latentlab.ProjectorSettings(steps=2, w_samples=50),
    )  # fmt: skip
    for i, name in enumerate(NAMES):
        (folder / name).mkdir()
        write_files(found, i, images[i], folder / name)
    return folder


@pytest.fixture(scope="module")
def tuned(model, projections, tmp_path_factory):
    """The result of tuning to both."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    result = run("tune", model, projections, *TUNING, "-o", out)
    assert result.exit_code == 0, result.stderr
    return out


def run(command, *arguments):
    result = CliRunner().invoke(main, list(map(str, (command, *arguments))))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(code, named, *arguments):
    """Run a command that must end in one line and an exit code."""
    result = run(*arguments)
    assert result.exit_code == code, result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


def pixels(path):
    with Image.open(path) as picture:
        return np.array(picture)


def again(folder):
    return (
        "--projected-w", folder / "projected_w.npz", "--noise", folder / "projected_noise.npz"
    )  # fmt: skip


def test_the_files_are_there_and_the_manifest_knows_them(tuned, model):
    manifest = json.loads((tuned / "manifest.json").read_text())
    files = {str(path.relative_to(tuned)) for path in tuned.rglob("*") if path.is_file()}
    pictures = ("tuned.png", "target.png", "comparison.png")
    wanted = {f"{name}/{file}" for name in NAMES for file in pictures}
    assert files == wanted | {"tuning.safetensors", "report.csv", "manifest.json"}
    assert set(manifest["files"]) == files - {"manifest.json"}
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    assert manifest["settings"]["sha256"] == sha256
    assert latentlab.load_tuning(tuned / "tuning.safetensors").base_sha256 == sha256


def test_the_report_tells_before_and_after(tuned, projections):
    with (tuned / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == list(NAMES)
    for row in rows:
        assert float(row["seconds"]) > 0
        kept = pixels(tuned / row["picture"] / "target.png")
        assert np.array_equal(kept, pixels(projections / row["picture"] / "target.png"))
        target = pixels(projections / row["picture"] / "target.png").astype(float)
        for suffix, path in (
            ("_before", projections / row["picture"] / "projected.png"),
            ("", tuned / row["picture"] / "tuned.png"),
        ):
            mse = ((target - pixels(path)) ** 2).mean()
            assert float(row[f"mse{suffix}"]) == pytest.approx(mse, rel=1e-9)
        assert float(row["distance"]) < float(row["distance_before"])
        assert float(row["psnr"]) > float(row["psnr_before"])


def test_the_comparison_shows_target_projection_and_tuned(tuned, projections):
    all_three = pixels(tuned / "anna" / "comparison.png")
    there = (projections / "anna" / "target.png", projections / "anna" / "projected.png",
             tuned / "anna" / "tuned.png")  # fmt: skip
    for i, file in enumerate(there):
        left = 8 + i * (256 + 8)
        shown = all_three[28 : 28 + 256, left : left + 256]
        assert np.array_equal(shown, pixels(file).repeat(8, 0).repeat(8, 1))


def test_a_picture_with_a_mask_is_measured_within_it_too(model, projections, tmp_path):
    shutil.copytree(projections / "anna", tmp_path / "anna")
    mask = np.zeros((32, 32), np.uint8)
    mask[:, :16] = 255
    Image.fromarray(mask).save(tmp_path / "anna" / "mask.png")
    out = tmp_path / "out"
    result = run("tune", model, tmp_path / "anna", projections / "ben", *TUNING, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert np.array_equal(pixels(out / "anna" / "mask.png"), mask)
    assert not (out / "ben" / "mask.png").exists()
    with (out / "report.csv").open(newline="") as file:
        anna, ben = csv.DictReader(file)
    target = pixels(tmp_path / "anna" / "target.png").astype(float)
    for suffix, path in (("_before", tmp_path / "anna" / "projected.png"),
                         ("", out / "anna" / "tuned.png")):  # fmt: skip
        squares = (target - pixels(path)) ** 2
        assert float(anna[f"mse{suffix}"]) == pytest.approx(squares.mean(), rel=1e-9)
        assert float(anna[f"mask_mse{suffix}"]) == pytest.approx(squares[:, :16].mean(), rel=1e-9)
        assert 0 < float(anna[f"mask_distance{suffix}"]) != float(anna[f"distance{suffix}"])
        for name in ("distance", "mse", "psnr", "ssim"):
            assert ben[f"mask_{name}{suffix}"] == "", "it has no mask"
            assert ben[f"{name}{suffix}"] != ""


def test_generate_gives_the_tuned_picture_again(tuned, model, projections, tmp_path):
    for name in NAMES:
        result = run(
            "generate", model, "--tuning", tuned / "tuning.safetensors", *again(projections / name),
            "-o", tmp_path / name,
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
        saved = (tuned / name / "tuned.png").read_bytes()
        assert (tmp_path / name / "proj00.png").read_bytes() == saved


def test_a_converted_checkpoint_is_the_tuned_one_and_says_so(tuned, model, projections, tmp_path):
    file = tuned / "tuning.safetensors"
    out = tmp_path / "tuned.safetensors"
    assert run("convert", model, out, "--tuning", file).exit_code == 0
    facts = latentlab.load(out).metadata["tuning"]
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts["settings"]["steps"] == 20
    result = run("generate", out, *again(projections / "ben"), "-o", tmp_path / "again")
    assert result.exit_code == 0, result.stderr
    saved = (tuned / "ben" / "tuned.png").read_bytes()
    assert (tmp_path / "again" / "proj00.png").read_bytes() == saved


def test_walks_and_edits_show_the_tuned_picture(tuned, model, projections, tmp_path):
    latents = (tuned / "tuning.safetensors", projections)
    walk = run("interpolate", model, latents[1], "--tuning", latents[0], "--frames", 2,
               "-o", tmp_path / "walk")  # fmt: skip
    assert walk.exit_code == 0, walk.stderr
    frames = sorted((tmp_path / "walk" / "frames").glob("*.png"))
    ends = [(tuned / name / "tuned.png").read_bytes() for name in NAMES]
    assert [frames[0].read_bytes(), frames[-1].read_bytes()] == ends
    run("directions", model, "--samples", 50, "--components", 1, "-o", tmp_path / "pca")
    edit = run("edit", model, "--projected-w", projections / "ben", "--tuning", latents[0],
               "--directions", tmp_path / "pca" / "directions.safetensors", "--direction", "pca0",
               "--strengths", "0,1", "-o", tmp_path / "edit")  # fmt: skip
    assert edit.exit_code == 0, edit.stderr
    still = next((tmp_path / "edit" / "ben").rglob("00_*.png"))
    assert still.read_bytes() == (tuned / "ben" / "tuned.png").read_bytes()


def test_a_single_folder_and_several(model, projections, tmp_path):
    for folders, names in (
        ([projections / "ben"], ["ben"]),
        ([projections / "ben", projections / "anna"], ["ben", "anna"]),
    ):
        result = run(
            "tune",
            model,
            *folders,
            "--distance",
            "builtin:digits",
            "--dry-run",
            "--json",
            "-o",
            tmp_path / "x",
        )
        assert json.loads(result.stdout)["pictures"] == names
        assert not (tmp_path / "x").exists()


def test_generators_without_noise_and_in_grey(tmp_path):
    g = make_generator(resolution=32, channels=1, use_noise=False)
    latentlab.save(g, tmp_path / "model.safetensors")
    images = targets(1, size=32)[:, :1]
    found = latentlab.project(
        g, images, latentlab.perceptual_distance("builtin:digits"),
        settings=latentlab.ProjectorSettings(steps=1, w_samples=50),
    )  # fmt: skip
    (tmp_path / "one").mkdir()
    write_files(found, 0, images[0], tmp_path / "one")
    result = run("tune", tmp_path / "model.safetensors", tmp_path / "one", *TUNING,
                 "-o", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert pixels(tmp_path / "out" / "one" / "tuned.png").shape == (32, 32)


class TestRefused:
    def test_a_tuning_of_another_checkpoint(self, tuned, tmp_path):
        other = tmp_path / "other.safetensors"
        latentlab.save(make_generator(1, resolution=32), other)
        file, out = tuned / "tuning.safetensors", tmp_path / "o.safetensors"
        for command, last in (
            ("generate", ("--seeds", 1, "-o", tmp_path / "o")), ("convert", (out,)),
        ):  # fmt: skip
            refused(3, "the tuning was made for", command, other,
                    "--tuning", file, *last)  # fmt: skip
        assert not (tmp_path / "o").exists()
        assert not out.exists()

    def test_a_projection_with_another_checkpoint(self, model, projections, tmp_path):
        folder = tmp_path / "anna"
        folder.mkdir()
        for file in (projections / "anna").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        record = Record({"sha256": "00"}, Source("a.png", 1, 1, "00"), {}, {})
        record.write(folder / RECORD)
        refused(4, "another checkpoint", "tune", model, folder, *TUNING,
                "-o", tmp_path / "o")  # fmt: skip
        own = hashlib.sha256(model.read_bytes()).hexdigest()
        replace(record, identity={"sha256": own}).write(folder / RECORD)
        result = run("tune", model, folder, *TUNING, "--dry-run", "--json", "-o", tmp_path / "o")
        assert result.exit_code == 0, result.stderr

    def test_folders_that_hold_no_projection(self, model, projections, tmp_path):
        refused(4, "holds neither", "tune", model, tmp_path, *TUNING,
                "-o", tmp_path / "o")  # fmt: skip
        for missing in (tmp_path / "none", projections / "anna" / "projected_w.npz"):
            refused(4, "no such folder", "tune", model, missing, *TUNING,
                    "-o", tmp_path / "o")  # fmt: skip
        folder = tmp_path / "anna"
        folder.mkdir()
        for name in ("projected_w.npz", "projected_noise.npz"):
            (folder / name).write_bytes((projections / "anna" / name).read_bytes())
        refused(4, "target.png: no such file", "tune", model, folder, *TUNING,
                "-o", tmp_path / "o")  # fmt: skip

    def test_results_that_are_there_and_inputs(self, model, projections, tuned):
        refused(6, "use --overwrite", "tune", model, projections, *TUNING,
                "-o", tuned)  # fmt: skip
        refused(6, "is an input", "tune", model, projections, *TUNING,
                "--overwrite", "-o", projections)  # fmt: skip
