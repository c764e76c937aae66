import csv
import hashlib
import json
import os
from urllib.error import URLError

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.projecting.side_by_side import quality_lines
from latentlab.images import load_image
from tests.conftest import DATA, make_generator

SETTINGS = {"resolution": 32, "z_dim": 16, "w_dim": 12}
FILES = {
    "projected_w.npz", "projected_noise.npz", "target.png", "projected.png", "comparison.png",
    "history.csv",
}  # fmt: skip
ALL = FILES | {"projection.json"}
REPORTS = {"report.csv", "manifest.json", "latents.safetensors"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    latentlab.save(make_generator(**SETTINGS), path)
    return path


@pytest.fixture
def photo(tmp_path):
    """Make a picture file; each name gets its own pixels."""

    def make(name, size=(48, 40)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(str(name).encode()))
        coarse = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, "PNG")
        return path

    return make


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def project(*arguments, steps=3, distance="builtin:digits"):
    return run("project", *arguments, "--steps", steps, "--distance", distance)


def projected(*arguments, **options):
    result = project(*arguments, **options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    return result


def check_refused(code, *arguments, **options):
    """Run a command that must end in one line and an exit code; returns the line."""
    result = project(*arguments, **options)
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def pixels(path):
    with Image.open(path) as picture:
        return np.array(picture)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names(folder):
    return {path.name for path in folder.iterdir()}


def to_bytes(image):
    scaled = (image.permute(1, 2, 0) * 127.5 + 128).clamp(0, 255)
    return scaled.to(torch.uint8).numpy()


# One picture.


def test_one_pictures_files_go_into_the_folder_itself(model, photo, tmp_path):
    projected(model, photo("a.png"), "-o", tmp_path / "out")
    assert names(tmp_path / "out") == ALL | REPORTS


def test_saved_latents_fit_the_generator(model, photo, tmp_path):
    g = latentlab.load(model).generator
    projected(model, photo("a.png"), "-o", tmp_path / "out")
    with np.load(tmp_path / "out" / "projected_w.npz") as file:
        assert file.files == ["w"]
        assert (file["w"].shape, file["w"].dtype) == ((1, g.num_ws, g.w_dim), np.float32)
        assert np.array_equal(file["w"][:, 1:], file["w"][:, :-1]), "in w all rows are equal"
    with np.load(tmp_path / "out" / "projected_noise.npz") as file:
        sizes = [4, 8, 8, 16, 16, 32, 32]
        assert [file[f"noise_{i}"].shape for i in range(7)] == [(1, 1, s, s) for s in sizes]
        assert len(file.files) == 7


def test_w_plus_gives_each_layer_its_own_latent(model, photo, tmp_path):
    projected(model, photo("a.png"), "--space", "w+", "-o", tmp_path / "out")
    with np.load(tmp_path / "out" / "projected_w.npz") as file:
        assert len(np.unique(file["w"][0], axis=0)) == 8


def test_the_target_is_the_centred_square_at_the_generators_size(model, photo, tmp_path):
    path = photo("wide.png", size=(60, 32))
    projected(model, path, "-o", tmp_path / "out")
    assert np.array_equal(pixels(tmp_path / "out" / "target.png"), pixels(path)[:, 14:46])


def test_the_comparison_shows_target_and_projection(model, photo, tmp_path):
    out = tmp_path / "out"
    projected(model, photo("a.png"), "-o", out)
    both = pixels(out / "comparison.png")
    for left, name in ((8, "target.png"), (8 + 256 + 8, "projected.png")):
        large = pixels(out / name).repeat(8, 0).repeat(8, 1)
        assert np.array_equal(both[28 : 28 + 256, left : left + 256], large)
    (row,) = rows(out / "report.csv")
    text = f"distance {float(row['distance']):.3g}, PSNR {float(row['psnr']):.1f} dB"
    assert quality_lines({"distance": float(row["distance"]), "psnr": float(row["psnr"])}) == [text]


def test_the_history_has_a_row_a_step(model, photo, tmp_path):
    projected(model, photo("a.png"), "-o", tmp_path / "out", steps=5)
    history = rows(tmp_path / "out" / "history.csv")
    assert [int(row["step"]) for row in history] == list(range(5))
    assert list(history[0]) == ["step", "distance", "noise_penalty", "loss", "learning_rate"]
    for row in history:
        whole = float(row["distance"]) + 1e5 * float(row["noise_penalty"])
        assert float(row["loss"]) == pytest.approx(whole, rel=1e-6)


def test_the_report_measures_the_saved_pictures(model, photo, tmp_path):
    out, path = tmp_path / "out", photo("a.png")
    projected(model, path, "--seed", "4", "--space", "w+", "-o", out)
    (row,) = rows(out / "report.csv")
    assert (row["picture"], row["status"], row["note"]) == (str(path), "ok", "")
    assert (row["space"], row["seed"], row["steps"]) == ("w+", "4", "3")
    assert row["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    difference = pixels(out / "target.png").astype(float) - pixels(out / "projected.png")
    assert float(row["mse"]) == pytest.approx((difference**2).mean(), rel=1e-12)
    assert float(row["psnr"]) == pytest.approx(10 * np.log10(255**2 / (difference**2).mean()))
    compare = latentlab.perceptual_distance("builtin:digits")
    target = load_image(path, 32).unsqueeze(0)
    with np.load(out / "projected_w.npz") as w, np.load(out / "projected_noise.npz") as noise:
        maps = [torch.from_numpy(noise[f"noise_{i}"]) for i in range(7)]
        image = latentlab.load(model).generator.synthesis(torch.from_numpy(w["w"]), noise=maps)
    assert float(row["distance"]) == pytest.approx(float(compare(target, image)), rel=1e-5)


def test_the_manifest_holds_the_digest_of_each_file(model, photo, tmp_path):
    out = tmp_path / "out"
    projected(model, photo("a.png"), "-o", out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == ALL | REPORTS - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert manifest["settings"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert manifest["latentlab"] == latentlab.__version__


def test_all_that_shapes_a_projection_is_in_the_manifest(model, photo, tmp_path):
    options = {
        "--space": "w+", "--steps": 4, "--seed": 7, "--distance": "builtin:digits",
        "--crop": "none", "--max-upscale": 3.5, "--learning-rate": 0.05, "--noise-weight": 123.0,
        "--batch": 2, "--device": "cpu",
    }  # fmt: skip
    given = [text for pair in options.items() for text in pair]
    result = run("project", model, photo("a.png", (32, 32)), *given, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
    values = [str(value) for value in settings.values()]
    assert [name for name, value in options.items() if str(value) not in values] == []


def test_the_same_command_gives_the_same_files(model, photo, tmp_path):
    for out in ("first", "second"):
        projected(model, photo("a.png"), "-o", tmp_path / out)
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("space", ["w", "w+"])
@pytest.mark.parametrize("changes", [{}, {"use_noise": False}, {"c_dim": 3}, {"channels": 1}])
def test_generate_gives_the_saved_projection_again(space, changes, photo, tmp_path):
    model, out = tmp_path / "model.safetensors", tmp_path / "out"
    latentlab.save(make_generator(**SETTINGS, **changes), model)
    projected(model, photo("a.png"), photo("b.png"), photo("c.png"), "--space", space, "-o", out)
    for name in "abc":
        again = run(
            "generate", model, "--projected-w", out / name / "projected_w.npz",
            "--noise", out / name / "projected_noise.npz", "-o", tmp_path / "again" / name,
        )  # fmt: skip
        assert again.exit_code == 0, again.stderr
        saved = (out / name / "projected.png").read_bytes()
        assert (tmp_path / "again" / name / "proj00.png").read_bytes() == saved


def test_a_torchscript_distance(model, photo, tmp_path):
    distance = DATA / "vgg16_standin.pt"
    if not distance.exists():
        pytest.skip("no stand-in for vgg16.pt")
    projected(model, photo("a.png"), "-o", tmp_path / "out", distance=distance)
    assert rows(tmp_path / "out" / "report.csv")[0]["distance_name"] == str(distance)


# Several pictures.


def test_several_pictures_get_a_folder_each(model, photo, tmp_path):
    out = tmp_path / "out"
    pictures = [photo("a.png"), photo("b.png"), photo("other/a.png")]
    projected(model, *pictures, "-o", out)
    assert names(out) == {"a", "b", "a-2"} | REPORTS
    for folder, path in zip(("a", "b", "a-2"), pictures, strict=True):
        assert names(out / folder) == ALL
        target = to_bytes(load_image(path, 32))
        assert np.abs(pixels(out / folder / "target.png").astype(int) - target).max() <= 1
    assert [row["picture"] for row in rows(out / "report.csv")] == [str(p) for p in pictures]
    listed = json.loads((out / "manifest.json").read_text())["files"]
    files = {f"{folder}/{name}" for folder in ("a", "b", "a-2") for name in ALL}
    assert set(listed) == files | {"report.csv", "latents.safetensors"}


@pytest.mark.parametrize(
    "files",
    [
        ["a.png", "x/a.png", "a-2.png"],
        ["a-2.png", "a.png", "x/a.png"],
        ["a.png", "x/A.png", "y/a.png"],
        ["a.png", "a.bmp", "a.tiff"],
        ["report.csv.png", "a.png"],
        ["manifest.json.png", "a.png"],
        ["...png", "a.png"],
        ["..png", "a.png"],
    ],
)
def test_no_pictures_files_are_lost(files, model, photo, tmp_path):
    out = tmp_path / "below" / "out"
    pictures = [photo(name) for name in files]
    projected(model, *pictures, "-o", out)
    assert names(tmp_path / "below") == {"out"}
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert len(folders) == len(files)
    assert all(names(folder) == ALL for folder in folders)
    assert len({(folder / "target.png").read_bytes() for folder in folders}) == len(files)


def test_a_picture_does_not_depend_on_its_batch(model, photo, tmp_path):
    pictures = [photo(f"{i}.png") for i in range(3)]
    for batch in (1, 3):
        projected(model, *pictures, "--batch", batch, "-o", tmp_path / str(batch))
    for i in range(3):
        alone, together = (
            pixels(tmp_path / batch / str(i) / "projected.png").astype(int) for batch in "13"
        )
        assert np.abs(alone - together).max() <= 1


# Bad pictures.


@pytest.fixture
def bad(tmp_path, photo):
    """Make a file that is no usable picture, of a given kind."""

    def make(kind):
        path = tmp_path / f"{kind}.png"
        if kind == "text":
            path.write_text("once upon a time")
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind == "truncated":
            path.write_bytes(photo("whole.png").read_bytes()[:-200])
        elif kind == "tiny":
            photo("tiny.png", size=(5, 5))
        elif kind == "folder":
            path.mkdir()
        return path

    return make


BAD = ["text", "empty", "truncated", "tiny", "folder", "missing"]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_refused_in_one_line(kind, bad, model, tmp_path):
    path = bad(kind)
    message = check_refused(4, model, path, "-o", tmp_path / "out")
    assert message.startswith(f"Error: {path}: ")
    assert not (tmp_path / "out").exists()


def test_all_pictures_bad_is_one_line_and_no_folder(bad, model, tmp_path):
    message = check_refused(4, model, *map(bad, BAD), "-o", tmp_path / "out")
    assert "none of the 6 pictures" in message
    assert "text.png" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", BAD)
def test_i18_one_bad_picture_does_not_stop_the_others(kind, bad, model, photo, tmp_path):
    out, path = tmp_path / "out", bad(kind)
    result = project(model, photo("a.png"), path, photo("b.png"), "-o", out)
    assert result.exit_code == 4
    assert "2 of 3 pictures" in result.stderr
    assert str(path) in result.stderr.splitlines()[-1]
    assert names(out) == {"a", "b"} | REPORTS
    report = {row["picture"]: row for row in rows(out / "report.csv")}
    assert len(report) == 3
    assert report[str(path)]["status"] == "refused"
    assert str(path) in report[str(path)]["note"]
    assert report[str(path)]["distance"] == report[str(path)]["width"] == ""
    assert report[str(tmp_path / "a.png")]["width"].isdecimal()  # whole beside an empty cell
    assert float(report[str(tmp_path / "a.png")]["distance"]) > 0


def test_a_bad_picture_does_not_move_the_others_files(bad, model, photo, tmp_path):
    project(model, photo("a.png"), bad("text"), "-o", tmp_path / "out")
    assert names(tmp_path / "out") == {"a"} | REPORTS


def test_a_picture_that_diverges_does_not_stop_the_others(model, photo, tmp_path, monkeypatch):
    from latentlab import NumericalError
    from latentlab import project as original

    def breaks_once(g, images, *arguments, **options):
        breaks_once.calls += 1
        if breaks_once.calls == 2:
            raise NumericalError("projection step 0: the loss of image 0 is nan")
        return original(g, images, *arguments, **options)

    breaks_once.calls = 0
    monkeypatch.setattr("cli.projecting.run.project", breaks_once)
    out, pictures = tmp_path / "out", [photo(f"{i}.png") for i in range(3)]
    result = project(model, *pictures, "--batch", 1, "-o", out)
    assert result.exit_code == 5
    assert [row["status"] for row in rows(out / "report.csv")] == ["ok", "diverged", "ok"]
    assert names(out) == {"0", "2"} | REPORTS


def test_a_picture_that_is_not_square_is_refused_when_asked(model, photo, tmp_path):
    path = photo("wide.png", size=(60, 32))
    message = check_refused(4, model, path, "--crop", "none", "-o", tmp_path / "out")
    assert "60x32 is not square" in message


def test_a_formula_as_a_file_name_is_defused_in_the_report(model, photo, tmp_path, monkeypatch):
    photo("=1+1.png")
    monkeypatch.chdir(tmp_path)
    projected(model, "=1+1.png", "-o", "out")
    assert rows(tmp_path / "out" / "report.csv")[0]["picture"] == "'=1+1.png"


def test_a_file_name_that_is_not_utf8_is_reported(model, photo, tmp_path):
    name = os.fsdecode(b"photo-\xff.png")
    try:
        photo("a.png").rename(tmp_path / name)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    projected(model, tmp_path / name, "-o", tmp_path / "out")
    assert r"photo-\xff.png" in rows(tmp_path / "out" / "report.csv")[0]["picture"]


# Other refusals; none makes a folder.


@pytest.mark.parametrize(
    ("code", "options", "words"),
    [
        (2, {"--space": "v"}, "space"),
        (2, {"--distance": "vgg"}, "lpips-vgg"),
        (2, {"--device": "abacus"}, "abacus"),
        (3, {"--distance": "nowhere/vgg16.pt"}, "nowhere/vgg16.pt"),
        (3, {"--distance": __file__}, __file__),
    ],
)
def test_settings_that_cannot_be_met_are_refused(code, options, words, model, photo, tmp_path):
    given = [text for pair in options.items() for text in pair]
    result = run("project", model, photo("a.png"), "--steps", "3", *given, "-o", tmp_path / "out")
    assert result.exit_code == code, result.stderr
    assert words in result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_zero_steps_are_a_usage_error(model, photo, tmp_path):
    result = project(model, photo("a.png"), "-o", tmp_path / "out", steps=0)
    assert result.exit_code == 2
    assert "--steps" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_distance_for_another_size_is_refused_before_a_folder_is_made(photo, tmp_path):
    latentlab.save(make_generator(resolution=16), tmp_path / "small.safetensors")
    result = project(tmp_path / "small.safetensors", photo("a.png"), "-o", tmp_path / "out")
    assert result.exit_code in (2, 4)
    assert "32x32" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_missing_checkpoint_is_named(photo, tmp_path):
    message = check_refused(3, tmp_path / "none.pkl", photo("a.png"), "-o", tmp_path / "out")
    assert "none.pkl: no such file" in message
    assert not (tmp_path / "out").exists()


def test_j17_missing_lpips_weights_are_told_with_what_helps(model, photo, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    message = check_refused(3, model, photo("a.png"), "-o", tmp_path / "out", distance="lpips-vgg")
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    for words in ("vgg16-397923af.pth", str(folder), "TORCH_HOME", "vgg16.pt", "builtin:digits"):
        assert words in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 300])
def test_j15_a_folder_that_cannot_be_made_is_named(name, model, photo, tmp_path):
    (tmp_path / "file").write_text("here already")
    message = check_refused(6, model, photo("a.png"), "-o", tmp_path / name)
    assert str(tmp_path / name) in message


# Results that are there already.


def test_an_existing_report_is_kept_without_overwrite(model, photo, tmp_path):
    out = tmp_path / "out"
    projected(model, photo("a.png"), "-o", out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    message = check_refused(6, model, photo("b.png"), "-o", out)
    assert "report.csv" in message
    assert "--overwrite" in message
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    projected(model, photo("b.png"), "--overwrite", "-o", out)
    assert rows(out / "report.csv")[0]["picture"] == str(tmp_path / "b.png")


# A record that is none is set aside, see tests/cli/projecting/test_project_folders.py.
@pytest.mark.parametrize("name", sorted((ALL | REPORTS) - {"projection.json"}))
def test_j13_any_existing_result_is_kept_without_overwrite(name, model, photo, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    message = check_refused(6, model, photo("a.png"), "-o", out)
    assert name in message
    assert (out / name).read_text() == "mine"


def test_a_picture_is_never_replaced_by_its_own_projection(model, photo, tmp_path):
    path = photo("target.png")
    before = path.read_bytes()
    project(model, path, "-o", tmp_path)
    assert path.read_bytes() == before


# Dry run.


def test_a_dry_run_prints_the_settings_and_writes_nothing(model, photo, tmp_path):
    path = photo("a.png")
    result = project(
        model, path, "--space", "w+", "--dry-run", "--json", "-o", tmp_path / "out", steps=7
    )
    assert result.exit_code == 0
    assert result.stderr == ""
    printed = json.loads(result.stdout)
    assert printed["pictures"] == [str(path)]
    assert (printed["space"], printed["steps"], printed["seed"]) == ("w+", 7, 0)
    assert printed["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert names(tmp_path) == {"a.png"}


def test_a_dry_run_tells_of_a_bad_picture(bad, model, photo, tmp_path):
    result = project(
        model, photo("a.png"), bad("text"), "--dry-run", "--json", "-o", tmp_path / "out"
    )
    assert result.exit_code == 4
    assert "text.png" in result.stderr
    assert json.loads(result.stdout)["pictures"] == [str(tmp_path / "a.png")]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "checkpoint", "picture", "folder"),
    [
        (3, "none.safetensors", "a.png", "out"),
        (4, "model.safetensors", "none.png", "out"),
        (6, "model.safetensors", "a.png", "file"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(
    code, checkpoint, picture, folder, photo, tmp_path, monkeypatch
):
    photo("a.png")
    monkeypatch.chdir(tmp_path)
    latentlab.save(make_generator(**SETTINGS), "model.safetensors")
    (tmp_path / "file").write_text("here already")
    for mode in ([], ["--dry-run", "--json"]):
        check_refused(code, checkpoint, picture, *mode, "-o", folder)
