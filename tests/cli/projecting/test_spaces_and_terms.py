"""`latentlab project --space z`, and the terms beside the distance, from the command line."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import latentlab
from tests.cli.commands.test_project import SETTINGS, check_refused, projected, run
from tests.conftest import make_generator, make_progan
from tests.test_torchscript import save


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{i}.png")
    return folder


@pytest.fixture
def model(tmp_path):
    latentlab.save(make_generator(**SETTINGS), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def without_w(tmp_path):
    latentlab.save(make_progan(resolution=32), tmp_path / "progan.safetensors")
    return tmp_path / "progan.safetensors"


class Eye(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


@pytest.fixture
def eye(tmp_path):
    """A network that takes faces, as a program."""
    save(Eye(), tmp_path / "eye.pt")
    return tmp_path / "eye.pt"


def table(path):
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in list(file.keys())}


class TestZ:
    def test_z_is_saved_beside_w(self, tmp_path, model, photos):
        out = tmp_path / "out"
        projected(model, photos, "--space", "z", "-o", out)
        g = latentlab.load(model).generator
        z = np.load(out / "p0" / "projected_z.npz")["z"]
        ws = np.load(out / "p0" / "projected_w.npz")["w"]
        np.testing.assert_allclose(g.mapping(torch.from_numpy(z)), ws, atol=1e-5)
        assert table(out / "latents.safetensors")["w"].shape == (2, g.w_dim)
        assert (
            "projected_z.npz" in json.loads((out / "p0" / "projection.json").read_text())["files"]
        )

    def test_w_again_leaves_no_z_behind(self, tmp_path, model, photos):
        out = tmp_path / "out"
        projected(model, photos / "p0.png", "--space", "z", "-o", out)
        projected(model, photos / "p0.png", "-o", out, "--overwrite")
        assert not (out / "projected_z.npz").exists()

    def test_a_generator_without_w_there_and_back(self, tmp_path, without_w, photos):
        out, again = tmp_path / "out", tmp_path / "again"
        projected(without_w, photos, "--space", "z", "-o", out)
        assert not list(out.rglob("projected_w.npz"))
        g = latentlab.load(without_w).generator
        assert table(out / "latents.safetensors")["z"].shape == (2, g.z_dim)
        assert pd.read_csv(out / "report.csv")["mean_image_distance"].isna().all()
        assert run("generate", without_w, "--projected-w", out, "-o", again).exit_code == 0
        for name in ("p0", "p1"):
            made, saved = again / f"{name}.png", out / name / "projected.png"
            np.testing.assert_array_equal(Image.open(made), Image.open(saved))

    def test_one_such_generator_in_parquet(self, tmp_path, without_w, photos):
        arguments = ("--space", "z", "--latents-file", "all.parquet", "-o", tmp_path / "out")
        projected(without_w, photos, *arguments)
        read = pd.read_parquet(tmp_path / "out" / "all.parquet")
        assert list(read.columns) == ["picture", "z"]

    def test_w_of_a_generator_without_it(self, tmp_path, without_w, photos):
        line = check_refused(4, without_w, photos, "-o", tmp_path / "out")
        assert line == "Error: this generator has no W; search in Z: --space z\n"

    @pytest.mark.parametrize("option", ["--start", "--encoder"])
    def test_what_gives_w_is_no_start(self, tmp_path, model, photos, option):
        result = run("project", model, photos, "--space", "z", option, "x", "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert f"{option} gives w: use --space w or w+." in result.stderr


class TestTerms:
    def test_they_are_in_report_and_history(self, tmp_path, model, photos, eye):
        out = tmp_path / "out"
        projected(
            model, photos, "--space", "w+", "--pixel-weight", 2, "--p-norm-weight", 0.5,
            "--identity", eye, "--trust", "-o", out,
        )  # fmt: skip
        row = pd.read_csv(out / "report.csv").iloc[0]
        weights = row["pixel_weight"], row["p_norm_weight"], row["identity_weight"]
        assert weights == (2, 0.5, 0.1)
        assert row["identity"] == "eye.pt"
        assert row["identity_sha256"] == latentlab.files.sha256_of(eye)
        steps = pd.read_csv(out / "p0" / "history.csv")
        terms = 2 * steps["pixel_mse"] + 0.5 * steps["p_norm"] + 0.1 * steps["identity_loss"]
        total = steps["distance"] + 1e5 * steps["noise_penalty"] + terms
        np.testing.assert_allclose(steps["loss"], total, rtol=1e-5)

    def test_without_them_nothing_is_said(self, tmp_path, model, photos):
        projected(model, photos, "-o", tmp_path / "out")
        assert "pixel_weight" not in pd.read_csv(tmp_path / "out" / "report.csv")

    def test_another_network_is_another_projection(self, tmp_path, model, photos, eye):
        out, other = tmp_path / "out", tmp_path / "other.pt"
        projected(model, photos / "p0.png", "--identity", eye, "--trust", "-o", out)
        other.write_bytes(eye.read_bytes() + b" ")
        check_refused(6, model, photos / "p0.png", "--identity", other, "--trust", "-o", out)

    @pytest.mark.parametrize(("options", "message"), [
        (["--identity-weight", "1"], "--identity-weight goes with --identity."),
        (["--identity", "x.pt", "--identity-weight", "0"], "give more than 0."),
    ])  # fmt: skip
    def test_what_does_not_go_together(self, tmp_path, model, photos, options, message):
        result = run("project", model, photos, *options, "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert message in result.stderr

    def test_a_file_that_is_no_network(self, tmp_path, model, photos):
        path = tmp_path / "photos.pt"
        path.write_bytes(b"no network")
        line = check_refused(3, model, photos, "--identity", path, "-o", tmp_path / "out")
        assert "not a TorchScript network" in line

    def test_the_norm_of_w_is_none_of_z(self, tmp_path, model, photos):
        line = check_refused(
            2, model, photos, "--space", "z", "--p-norm-weight", 1, "-o", tmp_path / "out"
        )
        assert "leave it out with --space z" in line


class TestAlgorithm:
    def test_pictures_are_projected_by_l_bfgs(self, tmp_path, model, photos):
        out, name = tmp_path / "out", "l-bfgs"
        projected(model, photos, "--algorithm", name, "-o", out)
        report = pd.read_csv(out / "report.csv")
        assert (report["distance"] < report["start_distance"]).all()
        assert set(report["algorithm"]) == {name}
        assert set(report["start_samples"]) == {100}
        columns = [*pd.read_csv(out / "p0" / "history.csv")]
        assert columns == ["step", "distance", "noise_penalty", "loss", "step_size"]
        again = projected(model, photos, "--algorithm", name, "-o", out)
        assert "projecting" not in again.stderr  # both are done

    def test_the_published_one_is_not_named(self, tmp_path, model, photos):
        projected(model, photos, "-o", tmp_path / "out")
        report = pd.read_csv(tmp_path / "out" / "report.csv")
        assert "algorithm" not in report
        assert set(report["start_samples"]) == {0}

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (["--batch", 2], 2, "--batch goes with --algorithm published"),
            (["--learning-rate", 0.2], 2, "--learning-rate is of --algorithm published"),
        ],
    )
    def test_what_has_no_part_in_it_is_refused(
        self, tmp_path, model, photos, options, code, said
    ):  # fmt: skip
        method = ["--algorithm", "l-bfgs", *options]
        result = run("project", model, photos, *method, "-o", tmp_path / "out")
        assert result.exit_code == code
        assert said in result.stderr
        assert not (tmp_path / "out").exists()
