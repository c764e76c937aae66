"""Every command on StyleGAN3, configs T and R: what works, and what is refused in words."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.editing.directions import load_directions
from latentlab.images import load_image, save_image
from latentlab.latents import z_from_seeds
from metrics import perceptual_path_length
from metrics.path_protocols import PROTOCOLS
from tests.conftest import make_generator, make_stylegan3
from tests.metrics.doubles import squared

NEAR = ("--distance", "builtin:digits")
METRICS = [part for name in ("ppl", "separability", "contributions", "droplets", "equivariance")
           for part in ("--metric", name)]  # fmt: skip
JUDGE = ("--classifier", "builtin:digits-classifier")
CONFIGS = {"t": {}, "r": {"conv_kernel": 1, "use_radial_filters": True}}
SIZE = {"resolution": 32, "num_layers": 5, "num_critical": 1, "margin_size": 6, "z_dim": 8,
        "w_dim": 8, "channel_base": 128, "channel_max": 8, "output_scale": 1.5}  # fmt: skip


def run(command, *arguments):
    line = [command, *map(str, arguments)]
    done = CliRunner().invoke(main, line)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def ran(command, *arguments):
    done = run(command, *arguments)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module", params=CONFIGS)
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / f"{request.param}.safetensors"
    latentlab.save(make_stylegan3(**SIZE, **CONFIGS[request.param]), path)
    return path


@pytest.fixture(scope="module")
def radial(tmp_path_factory):
    """Config R, for what depends on the config in nothing."""
    path = tmp_path_factory.mktemp("radial") / "radial.safetensors"
    latentlab.save(make_stylegan3(**SIZE, **CONFIGS["r"]), path)
    return path


@pytest.fixture(scope="module")
def pictures(model, tmp_path_factory):
    """Two pictures that the generator makes of other latents, and one that it cannot make."""
    folder = tmp_path_factory.mktemp("pictures")
    g = latentlab.load(model).generator
    for seed in (50, 51):
        save_image(folder / f"p{seed}.png", g(z_from_seeds([seed], g.z_dim))[0])
    return folder


@pytest.fixture(scope="module")
def projected(model, pictures, tmp_path_factory):
    """Config T into W, and R into W+."""
    space = {"t": "w", "r": "w+"}[model.stem]
    folder = tmp_path_factory.mktemp("projected") / "out"
    ran("project", model, pictures, "--space", space, "--steps", 25, *NEAR, "--html",
        "-o", folder)  # fmt: skip
    return folder, space


def test_projections_come_closer_and_hold_no_noise(projected, model):
    folder, space = projected
    g = latentlab.load(model).generator
    rows = pd.read_csv(folder / "report.csv")
    assert rows["status"].tolist() == ["ok", "ok"]
    assert (rows["distance"] < rows["start_distance"]).all()
    for name in ("p50", "p51"):
        ws = np.load(folder / name / "projected_w.npz")["w"]
        assert ws.shape == (1, g.num_ws, g.w_dim)
        assert (np.ptp(ws, axis=1).max() > 0) == (space == "w+")
        assert np.load(folder / name / "projected_noise.npz").files == []
        image = g.synthesis(torch.from_numpy(ws))
        shown = load_image(folder / name / "projected.png", 32)
        assert (image[0].clamp(-1, 1) - shown).abs().max() < 2 / 255


def test_saved_projections_are_rendered_edited_walked_and_mixed(projected, model, tmp_path):
    folder, _ = projected
    ran("generate", model, "--projected-w", folder, "-o", tmp_path / "again")
    first = Image.open(tmp_path / "again" / "p50.png")
    assert np.array_equal(first, Image.open(folder / "p50" / "projected.png"))
    ran("interpolate", model, folder, "--frames", 4, "--video", "w.gif", "--pictures",
        "-o", tmp_path / "walk")  # fmt: skip
    assert len(list((tmp_path / "walk" / "frames").iterdir())) == 5
    assert (tmp_path / "walk" / "w.gif").stat().st_size > 0
    ran("mix", model, "--row-w", folder, "--cols", "1,2", "--layers", "2-4", "-o", tmp_path / "m")
    assert (tmp_path / "m" / "grid.png").is_file()
    ran(
        "directions",
        model,
        "--method",
        "sefa",
        "--components",
        2,
        "--samples",
        200,
        "-o",
        tmp_path / "d",
    )
    ran("edit", model, "--projected-w", folder, "--directions", tmp_path / "d",
        "--direction", "sefa0", "--strengths=-2,0,2", "-o", tmp_path / "e")  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "e").glob("*.png")) != []


def test_tuning_brings_pictures_closer(projected, model, tmp_path):
    folder, space = projected
    if space == "w+":
        return  # the same network, from another start
    ran("tune", model, folder, "--steps", 8, *NEAR, "-o", tmp_path / "t")
    rows = pd.read_csv(tmp_path / "t" / "report.csv")
    before, after = rows["distance_before"].mean(), rows["distance"].mean()
    assert after < before
    change = tmp_path / "t" / "tuning.safetensors"
    ran("generate", model, "--projected-w", folder, "--tuning", change, "-o", tmp_path / "g")


def test_directions_by_all_methods(radial, tmp_path):
    g = latentlab.load(radial).generator
    ran(
        "directions",
        radial,
        "--method",
        "sefa",
        "--components",
        3,
        "--samples",
        200,
        "-o",
        tmp_path / "sefa",
    )
    found = load_directions(tmp_path / "sefa" / "directions.safetensors", g.w_dim)
    assert found.vectors.shape == (3, g.w_dim)
    ran("directions", radial, "--method", "pca", "--components", 3, "--samples", 500, "-o",
        tmp_path / "pca")  # fmt: skip
    found = load_directions(tmp_path / "pca" / "directions.safetensors", g.w_dim)
    directions = found.vectors.double().numpy()
    assert np.allclose(directions @ directions.T, np.eye(3), atol=1e-5)
    # The variance along the first is the largest there is, as eigenvalues of other samples say.
    ws = g.mapping(z_from_seeds(range(2000), g.z_dim))[:, 0].detach().double().numpy()
    largest = np.linalg.eigvalsh(np.cov(ws.T))[-1]
    assert np.var(ws @ directions[0], ddof=1) > 0.9 * largest
    ran("directions", radial, "--method", "svm", *JUDGE, "--samples", 200, "-o", tmp_path / "svm")
    assert len(load_directions(tmp_path / "svm" / "directions.safetensors", g.w_dim).names) >= 1


def test_walks_between_seeds_in_z_with_the_anchor(radial, tmp_path):
    g = latentlab.load(radial).generator
    ran("interpolate", radial, "--seeds", "0-2", "--space", "z", "--frames", 3, "--anchor", "-o",
        tmp_path / "walk")  # fmt: skip
    ws = np.load(tmp_path / "walk" / "frames.npz")["w"]
    assert ws.shape == (7, g.num_ws, g.w_dim)
    assert np.array_equal(ws[:, 0], np.broadcast_to(g.w_mean.numpy(), ws[:, 0].shape))
    assert np.ptp(ws[:, 1:], axis=0).max() > 0
    assert (
        json.loads((tmp_path / "walk" / "manifest.json").read_text())["settings"]["anchor"] is True
    )


def test_path_length(radial, tmp_path):
    ran("ppl", radial, *NEAR, "--samples", 12, "-o", tmp_path)
    row = pd.read_csv(tmp_path / "report.csv").iloc[0]
    assert row["protocol"] == "ppl2_wend"
    assert row["value"] > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_path_length_by_every_protocol(radial, protocol):
    g, paths = latentlab.load(radial).generator, PROTOCOLS[protocol]
    settings = {"space": paths.space, "sampling": paths.sampling, "crop": paths.crop}
    result = perceptual_path_length(g, squared, num_samples=6, **settings)
    assert result.value > 0
    part = perceptual_path_length(g, squared, num_samples=4, **settings)
    assert result.samples.iloc[:4].equals(part.samples)


def test_separability_in_both_spaces(radial, tmp_path):
    ran("separability", radial, *JUDGE, "--samples", 160, "-o", tmp_path)
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows["quantity"].tolist()[:2] == ["separability in Z", "separability in W"]


def test_droplets_are_looked_for_in_every_layer(model, tmp_path):
    ran("droplets", model, "--samples", 8, "-o", tmp_path)
    layers = pd.read_csv(tmp_path / "report.csv")["layer"].tolist()
    assert layers[0] == "any"
    assert len(layers) > 4


def test_attribution_tells_what_it_made(model, pictures, tmp_path):
    ran("attribution", model, pictures, "--steps", 10, *NEAR, "-o", tmp_path)
    rows = pd.read_csv(tmp_path / "report.csv").set_index("quantity")
    assert 0 <= rows.loc["auc", "value"] <= 1


def test_fidelity(radial, tmp_path, pooled):
    ran("fidelity", radial, "--data", "builtin:digits", "--samples", 24, "-o", tmp_path)
    rows = pd.read_csv(tmp_path / "report.csv").set_index("quantity")
    assert rows.loc["FID", "value"] > 0


@pytest.mark.parametrize(("command", "words"), [
    (["contributions"], "only a skip generator adds up an RGB output"),
    (["noise"], "no noise"),
])  # fmt: skip
def test_what_does_not_apply_is_refused_in_words(radial, command, words, tmp_path):
    done = run(*command, radial, "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_comparison_with_stylegan2_notes_what_does_not_apply(radial, tmp_path):
    latentlab.save(make_generator(resolution=32), tmp_path / "two.safetensors")
    ran("compare", radial, tmp_path / "two.safetensors", *NEAR, *JUDGE, "--samples",
        "ppl=8,separability=160,contributions=8,droplets=4,equivariance=4",
        *METRICS, "-o", tmp_path / "c")  # fmt: skip
    rows = pd.read_csv(tmp_path / "c" / "report.csv")
    of_both = rows.groupby("metric")["model"].nunique()
    assert of_both["path_length"] == of_both["separability"] == of_both["droplets"] == 2
    assert rows[rows["metric"] == "contributions"]["model"].unique().tolist() == ["two.safetensors"]
    assert rows[rows["metric"] == "equivariance"]["model"].unique().tolist() == [radial.name]
    page = (tmp_path / "c" / "report.html").read_text(encoding="utf-8")
    assert "only a skip generator" in page
    assert "only StyleGAN3 and StyleGAN-XL can shift" in page


def test_spectrum_beside_real_pictures(radial, tmp_path):
    ran("spectrum", radial, "builtin:digits", "--samples", 16, "--html", "-o", tmp_path)
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows["model"].unique().tolist() == [radial.name, "builtin:digits"]


def test_info_card_and_conversion(radial, tmp_path):
    assert "StyleGAN3 in latentlab's own format" in ran("info", radial).stdout
    ran("convert", radial, tmp_path / "copy.safetensors")
    g, copy = (latentlab.load(path).generator for path in (radial, tmp_path / "copy.safetensors"))
    z = z_from_seeds([0], g.z_dim)
    assert torch.equal(g(z), copy(z))
    ran("convert", radial, tmp_path / "state.pt", "--to", "nvidia-state")
    ran("ppl", radial, *NEAR, "--samples", 12, "-o", tmp_path / "ppl")
    ran("card", radial, tmp_path / "CARD.md", tmp_path / "ppl")


class TestAnchoredProjection:
    def test_the_first_row_stays_at_the_mean(self, model, pictures, tmp_path):
        ran("project", model, pictures / "p50.png", "--space", "w+", "--anchor", "--steps", 15,
            "--w-plus-pull", 0.01, *NEAR, "-o", tmp_path)  # fmt: skip
        g = latentlab.load(model).generator
        ws = np.load(tmp_path / "projected_w.npz")["w"]
        assert np.array_equal(ws[0, 0], g.w_mean.numpy())
        assert np.ptp(ws[0, 1:], axis=0).max() > 0
        row = pd.read_csv(tmp_path / "report.csv").iloc[0]
        assert row["distance"] < row["start_distance"]
        assert bool(row["anchor"]) is True

    def test_it_belongs_to_w_plus(self, model, pictures, tmp_path):
        done = run("project", model, pictures / "p50.png", "--anchor", *NEAR, "-o", tmp_path / "o")
        assert done.exit_code in (1, 2)
        assert "--anchor holds a row of W+; give it with --space w+" in done.stderr

    def test_other_systems_refuse_before_anything_is_written(self, pictures, tmp_path):
        done = run("project", "builtin:digits-stylegan2", pictures / "p50.png", "--space", "w+",
                   "--anchor", *NEAR, "-o", tmp_path / "o")  # fmt: skip
        assert done.exit_code == 4
        assert "only StyleGAN3 and StyleGAN-XL" in done.stderr
        assert not (tmp_path / "o").exists()

    def test_a_folder_without_it_says_nothing_of_it(self, projected):
        assert "anchor" not in pd.read_csv(projected[0] / "report.csv").columns


class TestPlacement:
    def drawn(self, model, folder, *more):
        ran("generate", model, "--seeds", "3", *more, "-o", folder)
        return load_image(folder / "seed0003.png", 32)

    def test_pictures_are_those_of_the_library(self, model, tmp_path):
        from latentlab.networks.placement import placement_matrix

        g = latentlab.load(model).generator
        z = z_from_seeds([3], g.z_dim)
        with g.synthesis.moved(placement_matrix((0.25, -0.1), 30)):
            expected = g(z)[0]
        found = self.drawn(model, tmp_path, "--translate", "0.25,-0.1", "--rotate", "30")
        assert (found - expected.clamp(-1, 1)).abs().max() < 2 / 255
        assert (found - g(z)[0].clamp(-1, 1)).abs().max() > 0.05

    def test_either_may_stand_alone(self, model, tmp_path):
        plain = self.drawn(model, tmp_path / "a", "--translate", "0,0")
        same = self.drawn(model, tmp_path / "b", "--rotate", "360")
        assert (plain - same).abs().max() < 2 / 255
        assert (plain - self.drawn(model, tmp_path / "c", "--rotate", "90")).abs().max() > 0.05

    def test_the_anchor(self, model, tmp_path):
        g = latentlab.load(model).generator
        expected = g.synthesis(g.anchored(g.mapping(z_from_seeds([3], g.z_dim))))[0]
        found = self.drawn(model, tmp_path, "--anchor")
        assert (found - expected.clamp(-1, 1)).abs().max() < 2 / 255

    def test_the_anchor_in_mixtures_and_edits(self, radial, tmp_path):
        g = latentlab.load(radial).generator
        ran("mix", radial, "--rows", 1, "--cols", 2, "--layers", "0-1", "--anchor", "-o",
            tmp_path / "mix")  # fmt: skip
        first, second = (g.anchored(g.mapping(z_from_seeds([seed], g.z_dim))) for seed in (1, 2))
        ws = torch.cat([second[:, :2], first[:, 2:]], dim=1)
        found = load_image(tmp_path / "mix" / "1-2.png", 32)
        assert (found - g.synthesis(ws)[0].clamp(-1, 1)).abs().max() < 2 / 255

        ran("directions", radial, "--components", 1, "--samples", 100, "-o", tmp_path / "pca")
        edit = ("edit", radial, "--seeds", 1, "--directions", tmp_path / "pca", "--direction",
                "pca0", "--strengths", "0,2", "--anchor")  # fmt: skip
        ran(*edit, "-o", tmp_path / "edit")
        moved = np.load(tmp_path / "edit" / "seed0001" / "pca0" / "w.npz")["w"]
        assert np.allclose(moved[0], first[0].detach(), atol=1e-6)
        assert np.array_equal(moved[1][0], moved[0][0])  # its place
        assert np.abs(moved[1][1:] - moved[0][1:]).min(axis=1).max() > 0
        settings = json.loads((tmp_path / "edit" / "manifest.json").read_text())["settings"]
        assert settings["anchor"] is True
        done = run(*edit, "--layers", "0", "-o", tmp_path / "none")
        assert done.exit_code == 4
        assert "keeps the first layers; move others by --layers" in done.stderr

    @pytest.mark.parametrize("command", [
        ("mix", "--rows", 1, "--cols", 2, "--layers", 0),
        ("edit", "--seeds", 0, "--directions", "{folder}", "--direction", "pca0"),
    ])  # fmt: skip
    def test_other_systems_have_no_anchor(self, command, tmp_path):
        name, *options = command
        if name == "edit":
            ran("directions", "builtin:digits-stylegan1", "--components", 1, "--samples", 70,
                "-o", tmp_path / "d")  # fmt: skip
            options = [str(each).format(folder=tmp_path / "d") for each in options]
        done = run(name, "builtin:digits-stylegan1", *options, "--anchor", "-o", tmp_path / "o")
        assert done.exit_code == 4
        assert "only StyleGAN3 and StyleGAN-XL can shift and turn" in done.stderr
        assert not (tmp_path / "o").exists()

    def test_a_dry_run_names_them(self, model, tmp_path):
        told = ran("generate", model, "--seeds", 0, "--translate", "0.1,0.2", "--anchor",
                   "--dry-run", "--json", "-o", tmp_path / "o").stdout  # fmt: skip
        settings = json.loads(told)
        assert settings["translate"] == [0.1, 0.2]
        assert settings["anchor"] is True

    @pytest.mark.parametrize("option", [("--translate", "0.1,0"), ("--rotate", "3"), ("--anchor",)])
    @pytest.mark.parametrize("dry", [(), ("--dry-run",)])
    def test_other_systems_refuse(self, option, dry, tmp_path):
        done = run("generate", "builtin:digits-stylegan1", "--seeds", 0, *option, *dry, "-o",
                   tmp_path / "o")  # fmt: skip
        assert done.exit_code == 4
        assert "only StyleGAN3 and StyleGAN-XL can shift and turn" in done.stderr
        assert not (tmp_path / "o").exists()

    @pytest.mark.parametrize(("option", "value"), [
        ("--translate", "1"), ("--translate", "1,2,3"), ("--translate", "nan,0"),
        ("--translate", "a,b"), ("--rotate", "inf"), ("--rotate", "x"),
    ])  # fmt: skip
    def test_values_that_are_none_are_usage_errors(self, option, value, tmp_path):
        done = run("generate", "builtin:digits-stylegan1", "--seeds", 0, option, value, "-o",
                   tmp_path)  # fmt: skip
        assert done.exit_code == 2
        assert option in done.stderr


def test_the_genuine_snapshot_is_projected_and_moved(shared, tmp_path):
    snapshot = shared / "sg3t_32.pkl"
    ran("generate", snapshot, "--seeds", "5", "--translate", "0.2,0", "-o", tmp_path / "moved")
    ran("generate", snapshot, "--seeds", "5", "-o", tmp_path / "plain")
    ran("project", snapshot, tmp_path / "plain" / "seed0005.png", "--space", "w+", "--anchor",
        "--steps", 5, *NEAR, "-o", tmp_path / "p")  # fmt: skip
    row = pd.read_csv(tmp_path / "p" / "report.csv").iloc[0]
    assert row["distance"] < row["start_distance"]
