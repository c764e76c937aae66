"""`latentlab directions`: files of what the library finds, and sheets of what they change."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.editing.directions import load_directions, move
from latentlab.editing.factorisation import principal_directions, sefa_directions
from latentlab.editing.w_moments import w_moments
from latentlab.images import to_uint8
from latentlab.latents import save_ws, z_from_seeds
from tests.cli.conftest import AS_IN_GROUP, pixels
from tests.conftest import make_generator, make_progan

command = main.commands["directions"]
MODEL, CLASSIFIER = "builtin:digits-stylegan2", "builtin:digits-classifier"
FILES = {"directions.safetensors", "directions.csv", "directions.png", "manifest.json", "saved"}
TENSORS = ("vectors", "deviations", "origins")


@pytest.fixture
def model(saved):
    return saved / "model.safetensors"


def run(*arguments):
    result = CliRunner().invoke(command, [*map(str, arguments), "--device", "cpu"], **AS_IN_GROUP)
    known = (SystemExit, latentlab.LatentlabError)
    assert result.exception is None or isinstance(result.exception, known), result.exception
    return result


def found(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return result


def check_equal(directions, expected):
    assert directions.names == expected.names
    assert all(torch.equal(getattr(directions, n), getattr(expected, n)) for n in TENSORS)
    assert directions.facts == expected.facts
    assert directions.layers == expected.layers


class TestWithoutLabels:
    def test_principal_directions_are_the_librarys(self, model, small, tmp_path):
        done = found(model, "--samples", 3000, "--components", 4, "--seed", 2, "--html",
                     "-o", tmp_path)  # fmt: skip
        read = load_directions(tmp_path / "directions.safetensors", 12)
        check_equal(read, principal_directions(w_moments(small, 3000, 2), 4))
        assert read.sha256 == latentlab.load(model).sha256
        assert {path.name for path in tmp_path.iterdir()} == {*FILES, "report.html"}
        table = pd.read_csv(tmp_path / "directions.csv")
        assert table["direction"].tolist() == ["pca0", "pca1", "pca2", "pca3"]
        np.testing.assert_allclose(table["deviation"], read.deviations)
        share = sum(read.facts["explained_variance"])
        assert f"explain {100 * share:.1f} % of the variance" in done.stderr
        settings = json.loads((tmp_path / "manifest.json").read_text())["settings"]
        assert (settings["samples"], settings["seed"], settings["layers"]) == (3000, 2, "all")

    def test_sefa_takes_the_chosen_layers(self, model, small, tmp_path):
        found(model, "--method", "sefa", "--samples", 2000, "--components", 3, "--layers", "coarse",
              "-o", tmp_path)  # fmt: skip
        read = load_directions(tmp_path / "directions.safetensors", 12)
        check_equal(read, sefa_directions(small, w_moments(small, 2000), 3, (0, 1, 2, 3)))

    def test_the_sheet_shows_the_picture_moved(self, model, small, tmp_path):
        found(model, "--samples", 2000, "--components", 2, "--layers", "0-1", "--picture", 5,
              "--strength", 6, "-o", tmp_path)  # fmt: skip
        read = load_directions(tmp_path / "directions.safetensors", 12)
        page = pixels(tmp_path / "directions.png").astype(int)
        left = page.shape[1] - 8 - 7 * 96 - 6 * 4
        ws = small.mapping(z_from_seeds([5], 16))
        for row in range(2):
            for column, strength in enumerate((-6, -4, -2, 0, 2, 4, 6)):
                image = small.synthesis(move(ws, read[row], strength, [0, 1]))[0]
                tile = to_uint8(image).permute(1, 2, 0).numpy().repeat(3, 0).repeat(3, 1)
                top, x = 31 + row * 100, left + column * 100
                np.testing.assert_array_equal(page[top : top + 96, x : x + 96], tile)

    def test_a_generator_without_w_is_refused(self, tmp_path):
        latentlab.save(make_progan(resolution=32), tmp_path / "p.safetensors")
        assert "no W" in str(run(tmp_path / "p.safetensors", "-o", tmp_path / "out").exception)
        assert not (tmp_path / "out").exists()

    def test_a_conditional_generator_shows_a_class(self, tmp_path):
        g = make_generator(c_dim=3)
        latentlab.save(g, tmp_path / "g.safetensors")
        arguments = [tmp_path / "g.safetensors", "--samples", 500, "--components", 2]
        assert "give --class" in run(*arguments, "-o", tmp_path / "out").stderr
        found(*arguments, "--class", 1, "-o", tmp_path / "out")
        read = load_directions(tmp_path / "out" / "directions.safetensors", g.w_dim)
        check_equal(read, principal_directions(w_moments(g, 500), 2))


class TestBoundaries:
    @pytest.fixture(autouse=True)
    def few_samples_for_the_unit(self, monkeypatch):
        monkeypatch.setattr("cli.measuring.directions._UNIT_SAMPLES", 2000)

    def test_a_classifiers_classes_have_directions_towards_them(self, tmp_path):
        """Moved far along its direction, more pictures are of the class, and fewer against it."""
        done = found(MODEL, "--method", "svm", "--classifier", CLASSIFIER, "--samples", 1200,
                     "-o", tmp_path)  # fmt: skip
        read = load_directions(tmp_path / "directions.safetensors", 64)
        assert set(read.names) <= set("0123456789")
        g, classify = latentlab.load(MODEL).generator, latentlab.load_classifier(CLASSIFIER)
        ws = g.mapping(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
        for name in ("2", "7"):
            shares = []
            for strength in (-3, 0, 3):
                images = g.synthesis(move(ws, read.find(name), strength))
                shares.append(float((classify(images).argmax(dim=1) == int(name)).float().mean()))
            assert shares[0] < shares[1] < shares[2] - 0.1
        assert "accuracy of" in done.stderr
        whole = pd.read_csv(tmp_path / "directions.csv", dtype={"direction": str})
        table = whole[whole["status"] == "ok"]
        assert table["direction"].tolist() == list(read.names)
        assert set(whole["direction"]) == set("0123456789")
        assert (table["kept"] == 600).all()
        assert table["accuracy"].between(0.9, 1).all()
        settings = json.loads((tmp_path / "manifest.json").read_text())["settings"]
        assert len(settings["classifiers"]["digits-classifier"]) == 64

    def test_a_stopped_search_continues(self, tmp_path, monkeypatch):
        arguments = [MODEL, "--method", "svm", "--classifier", CLASSIFIER, "--samples", 300,
                     "--report", "directions.json"]  # fmt: skip
        found(*arguments, "-o", tmp_path / "whole")
        with monkeypatch.context() as patch:
            patch.setattr("cli.measuring.directions.boundary_directions", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                CliRunner().invoke(
                    command, [*map(str, arguments), "-o", str(tmp_path / "twice")],
                    catch_exceptions=False,
                )  # fmt: skip
        done = found(*arguments, "-o", tmp_path / "twice")
        assert "continuing where it was stopped" in done.stderr
        names = ("directions.safetensors", "directions.json", "directions.png")
        for name in names:
            one, other = (tmp_path / folder / name for folder in ("whole", "twice"))
            assert one.read_bytes() == other.read_bytes()
        assert not list((tmp_path / "twice").glob(".*"))

    def test_labels_beside_latents_are_enough(self, model, small, tmp_path):
        ws = small.mapping(z_from_seeds(range(200), 16))
        save_ws(tmp_path / "w.npz", ws)
        w = ws[:, -1].numpy()
        pd.DataFrame({"first": w[:, 0] > w[:, 0].mean(), "one": 1}).to_csv(
            tmp_path / "labels.csv", index=False
        )
        done = found(model, "--method", "svm", "--latents", tmp_path / "w.npz", "--labels",
                     tmp_path / "labels.csv", "-o", tmp_path / "out")  # fmt: skip
        read = load_directions(tmp_path / "out" / "directions.safetensors", 12)
        assert read.names == ("first",)
        positions = read[0].positions(ws)[:, 0].numpy()
        agree = (positions > 0) == (w[:, 0] > w[:, 0].mean())
        assert agree.mean() == read.facts["accuracy"][0] > 0.9
        assert "No plane was found for one: only one class" in done.stderr
        assert read.missing == {"one": "only one class is among the samples kept"}
        table = pd.read_csv(tmp_path / "out" / "directions.csv")
        assert table["direction"].tolist() == ["first", "one"]
        assert table["status"].tolist() == ["ok", f"no plane: {read.missing['one']}"]
        assert table["index"].tolist()[:1] == [0]
        assert table.loc[1, ["index", "deviation", "accuracy"]].isna().all()
        words = pd.read_csv(tmp_path / "out" / "directions.csv", dtype=str)
        assert words.loc[0, "kept"].isdecimal()  # whole beside an empty cell
        assert words.loc[0, "converged"] in ("0", "1")
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert manifest["settings"]["missing"] == read.missing

    def test_latents_of_another_generator_are_refused(self, model, tmp_path):
        save_ws(tmp_path / "w.npz", torch.randn(4, 3, 7))
        (tmp_path / "labels.csv").write_text("a\n1\n0\n1\n0\n")
        done = run(model, "--method", "svm", "--latents", tmp_path / "w.npz", "--labels",
                   tmp_path / "labels.csv", "-o", tmp_path / "out")  # fmt: skip
        assert "w of 7 numbers, but this generator's has 12" in str(done.exception)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_latents_that_are_no_numbers_are_refused_with_their_file(self, model, tmp_path, value):
        save_ws(tmp_path / "w.npz", torch.full([4, 3, 12], value))
        (tmp_path / "labels.csv").write_text("a\n1\n0\n1\n0\n")
        done = run(model, "--method", "svm", "--latents", tmp_path / "w.npz", "--labels",
                   tmp_path / "labels.csv", "-o", tmp_path / "out")  # fmt: skip
        assert "w.npz: `w` holds NaN or infinity" in str(done.exception)

    def test_what_is_missing_is_named(self, model, tmp_path):
        save_ws(tmp_path / "w.npz", torch.randn(4, 3, 12))
        (tmp_path / "labels.csv").write_text("a\n1\n0\n1\n0\n")
        for latents, labels in (("none.npz", "labels.csv"), ("w.npz", "none.csv")):
            done = run(model, "--method", "svm", "--latents", tmp_path / latents, "--labels",
                       tmp_path / labels, "-o", tmp_path / "out")  # fmt: skip
            assert "none." in str(done.exception)
            assert "no such file" in str(done.exception)


def test_a_dry_run_writes_nothing(model, tmp_path):
    done = found(
        model, "--method", "sefa", "--layers", "0-3", "--dry-run", "--json", "-o", tmp_path / "out"
    )
    facts = json.loads(done.stdout)
    assert (facts["method"], facts["layers"], facts["samples"]) == ("sefa", "0-3", 100_000)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("--classifier", CLASSIFIER), "--classifier goes with --method svm"),
    (("--method", "sefa", "--keep", 3), "--keep goes with --method svm"),
    (("--method", "svm"), "takes --classifier, or --latents and --labels"),
    (("--method", "svm", "--latents", "w.npz"), "takes --classifier, or --latents and --labels"),
    (("--method", "svm", "--classifier", "x", "--latents", "w", "--labels", "l"), "takes"),
    (("--method", "svm", "--classifier", "x", "--components", 3), "--components goes with pca"),
    (("--method", "svm", "--classifier", "x", "--layer", 3), "--layer goes with --latents"),
    (("--method", "svm", "--latents", "w", "--labels", "l", "--samples", 9), "go with a class"),
    (("--method", "svm", "--classifier", "x", "--samples", 9, "--keep", 10), "is more than"),
    (("--strength", 0), "0.0 is not in the range above 0"),
    (("--samples", 1), "1 is not in the range 2 to"),
])  # fmt: skip
def test_wrong_options_are_told_before_anything_is_read(tmp_path, arguments, words):
    done = run("none.pkl", *arguments, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(("arguments", "words"), [
    (("--components", 13), r"1 to 12 for this generator"),
    (("--method", "sefa", "--layers", "7"), "no style weights"),
    (("--layers", "8"), "layers 0 to 7"),
])  # fmt: skip
def test_what_does_not_fit_is_told_in_one_line(model, tmp_path, arguments, words):
    done = run(model, "--samples", 100, *arguments, "-o", tmp_path / "out")
    assert words in str(done.exception)
