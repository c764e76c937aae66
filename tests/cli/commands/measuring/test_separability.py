import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from metrics import linear_separability
from metrics.separability.score import separability_from_labels
from tests.conftest import make_generator, make_progan

MODEL, CLASSIFIER = "builtin:digits-stylegan2", "builtin:digits-classifier"
FILES = {"report.csv", "attributes.csv", "attributes.png", "manifest.json", "saved"}


def run(*arguments):
    command = ["separability", *map(str, arguments), "--device", "cpu"]
    return CliRunner().invoke(main, command)


def measure(folder, *more):
    return run(MODEL, "--classifier", CLASSIFIER, "--samples", 40, "-o", folder, *more)


@pytest.fixture(scope="module")
def latents():
    return np.random.default_rng(0).standard_normal([60, 3, 4]).astype(np.float32)


@pytest.fixture
def labels(latents):
    """Attributes of the last w, of the first w, and of nothing."""
    coins = np.random.default_rng(1).random(60) > 0.5
    return pd.DataFrame({
        "last": latents[:, 2, 0] > 0, "first": np.where(latents[:, 0, 1] > 0, 1, -1), "coin": coins,
    })  # fmt: skip


@pytest.fixture
def own(tmp_path, latents, labels):
    np.savez(tmp_path / "w.npz", w=latents, z=latents[:, 0])
    labels.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def of_own(folder, *more):
    return run("--latents", folder / "w.npz", "--labels", folder / "labels.csv",
               "-o", folder / "out", *more)  # fmt: skip


def table(folder):
    return pd.read_csv(folder / "out" / "attributes.csv").set_index("attribute")


class TestWithAClassifier:
    def test_the_report_holds_what_the_library_measures(self, tmp_path):
        done = measure(tmp_path, "--seed", 3, "--html")
        assert done.exit_code == 0, done.stderr
        g, clf = latentlab.load(MODEL).generator, latentlab.load_classifier(CLASSIFIER)
        expected = linear_separability(g, [clf], 40, seed=3)
        rows = pd.read_csv(tmp_path / "report.csv")
        assert rows["value"].tolist() == expected.rows["value"].tolist()
        assert rows["space"].tolist() == ["z", "w", "z", "w"]
        assert (rows["sha256"] == latentlab.load(MODEL).sha256).all()
        attributes = pd.read_csv(tmp_path / "attributes.csv")
        assert attributes["entropy"].tolist() == expected.samples["entropy"].tolist()
        assert {path.name for path in tmp_path.iterdir()} == {*FILES, "report.html"}
        facts = json.loads((tmp_path / "manifest.json").read_text())["settings"]
        assert len(facts["classifiers"]["digits-classifier"]) == 64
        assert "\nScore in W" in done.stderr
        assert "Cross-fitted score in W" in done.stderr
        assert "Few samples" in done.stderr
        with Image.open(tmp_path / "attributes.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 10

    def test_a_dry_run_measures_nothing(self, tmp_path):
        done = measure(tmp_path / "out", "--dry-run", "--json", "--keep", 30)
        facts = json.loads(done.stdout)
        assert (facts["n"], facts["num_keep"], facts["spaces"]) == (40, 30, ["z", "w"])
        assert not (tmp_path / "out").exists()

    def test_two_classifiers_from_one_file_have_names_of_their_own(self, tmp_path):
        done = measure(tmp_path, "--classifier", CLASSIFIER, "--space", "w", "--keep", 40)
        assert done.exit_code == 0, done.stderr
        facts = json.loads((tmp_path / "manifest.json").read_text())["settings"]
        assert list(facts["classifiers"]) == ["digits-classifier", "digits-classifier-2"]
        attributes = pd.read_csv(tmp_path / "attributes.csv")
        assert len(attributes) == 20
        assert attributes["attribute"].is_unique
        assert attributes["attribute"][10] == "digits-classifier-2 0"

    def test_a_generator_without_w_is_measured_in_z(self, tmp_path):
        latentlab.save(make_progan(resolution=32), tmp_path / "p.safetensors")
        done = run(tmp_path / "p.safetensors", "--classifier", CLASSIFIER, "--samples", 12,
                   "-o", tmp_path / "out")  # fmt: skip
        assert done.exit_code == 0, done.stderr
        assert pd.read_csv(tmp_path / "out" / "report.csv")["space"].tolist() == ["z", "z"]

    def test_a_classifier_for_larger_pictures_is_refused(self, tmp_path):
        latentlab.save(make_generator(resolution=16), tmp_path / "g.safetensors")
        done = run(tmp_path / "g.safetensors", "--classifier", CLASSIFIER, "--samples", 12,
                   "-o", tmp_path / "out")  # fmt: skip
        assert done.exit_code == 4
        assert "takes images of 32x32" in done.stderr

    def test_a_generator_is_no_classifier(self, tmp_path):
        done = run(MODEL, "--classifier", MODEL, "-o", tmp_path)
        assert done.exit_code == 3
        assert "no classifier" in done.stderr


class TestWithLabels:
    def test_the_report_holds_what_the_library_measures(self, own, latents, labels):
        done = of_own(own, "--html")
        assert done.exit_code == 0, done.stderr
        expected = separability_from_labels(latents[:, -1], labels)
        rows = pd.read_csv(own / "out" / "report.csv")
        assert rows["value"].tolist() == expected.rows["value"].tolist()
        assert (rows["protocol"][0], rows["space"][0], rows["n"][0]) == ("ls_labels", "w", 60)
        assert table(own).loc["last", "entropy"] < 0.1
        assert table(own).loc["first", "entropy"] > 0.7
        facts = json.loads((own / "out" / "manifest.json").read_text())["settings"]
        assert len(facts["labels_sha256"]) == len(facts["sha256"]) == 64

    def test_another_layer_and_another_space(self, own):
        assert of_own(own, "--layer", 0).exit_code == 0
        assert table(own).loc["first", "entropy"] < 0.1
        assert of_own(own, "--space", "z", "--overwrite").exit_code == 0
        assert table(own).loc["first", "entropy"] < 0.1
        assert table(own)["space"].unique().tolist() == ["z"]

    def projections(self, folder, latents, names):
        for name, ws in zip(names, latents, strict=True):
            (folder / name).mkdir(parents=True)
            np.savez(folder / name / "projected_w.npz", w=ws[None])
        return folder

    def test_projections_find_their_labels_by_the_names_of_pictures(self, own, latents, labels):
        names = [f"face {i:02d}" for i in range(60)]
        folder = self.projections(own / "projections", latents, names)
        shuffled = labels.assign(picture=[f"photos/{name}.jpg" for name in names])
        shuffled = shuffled.sample(frac=1, random_state=0)[1:]
        lost = sorted(set(range(60)) - set(shuffled.index))[0]
        stray = pd.DataFrame({"picture": ["else.png"], "last": [True]})
        pd.concat([shuffled, stray]).to_csv(own / "named.csv", index=False)
        done = run("--latents", folder, "--labels", own / "named.csv", "-o", own / "out")
        assert done.exit_code == 0, done.stderr
        assert f"1 projection without labels: {names[lost]}." in done.stderr
        assert "1 row of labels without projection: else.png." in done.stderr
        expected = separability_from_labels(latents[:, -1], labels).samples
        assert table(own).loc["last", "kept"] == 59
        assert table(own).loc["last", "entropy"] < 0.1
        assert expected["entropy"][0] < 0.1

    def test_projections_without_names_are_taken_in_order(self, own, latents):
        folder = self.projections(own / "p", latents, [f"{i:02d}" for i in range(60)])
        done = run("--latents", folder, "--labels", own / "labels.csv", "-o", own / "out")
        assert done.exit_code == 0, done.stderr
        assert "in the order of the folders, 00 to 59" in done.stderr

    def test_a_dry_run_reads_both(self, own):
        facts = json.loads(of_own(own, "--dry-run", "--json").stdout)
        assert (facts["n"], facts["names"]) == (60, ["last", "first", "coin"])

    @pytest.mark.parametrize(
        ("text", "code", "match"),
        [
            ("a\n1\n0\n", 4, "2 rows for 60 latents"),
            ("a\n" + "1\n" * 59 + "perhaps\n", 4, "row 60: 'perhaps' is not a label"),
            ("", 4, "holds no labels"),
            ("a\n", 4, "holds no labels"),
            ('"a\n', 4, "CSV"),
        ],
    )
    def test_labels_that_do_not_fit_are_refused(self, own, text, code, match):
        (own / "labels.csv").write_text(text)
        done = of_own(own)
        assert done.exit_code == code
        assert match in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("arrays", "more", "match"),
        [
            ({"v": np.ones([60, 4])}, (), "no array `w` or `z` inside, only v"),
            ({"w": np.ones([60, 2, 4, 4])}, (), "expected floats"),
            ({"w": np.ones([60, 4], dtype=int)}, (), "expected floats"),
            ({"w": np.ones([60, 4])}, ("--layer", 1), "one w per sample"),
            ({"w": np.ones([60, 3, 4])}, ("--layer", 3), "layers 0 to 2"),
            ({"w": np.full([60, 4], np.nan)}, (), "NaN"),
            ({"w": np.array([{}], dtype=object)}, (), "type object, expected floats"),
        ],
    )
    def test_latents_that_do_not_fit_are_refused(self, own, arrays, more, match):
        np.savez(own / "w.npz", **arrays)
        done = of_own(own, *more)
        assert done.exit_code == 4
        assert match in done.stderr

    def test_latents_whose_header_promises_terabytes_are_refused_by_it(self, own):
        # This reader had no look at the header: numpy was asked for all that it promised.
        header = io.BytesIO()
        shape = {"descr": "<f8", "fortran_order": False, "shape": (2**36, 2**5)}
        np.lib.format.write_array_header_1_0(header, shape)
        with zipfile.ZipFile(own / "w.npz", "w") as archive:
            archive.writestr("w.npy", header.getvalue())
        done = of_own(own)
        assert done.exit_code == 4
        assert "w.npz: 0 bytes of numbers do not make [68719476736, 32] in `w`" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_folders_without_projections_or_partners_are_refused(self, own, latents):
        (own / "empty").mkdir()
        done = run("--latents", own / "empty", "--labels", own / "labels.csv", "-o", own / "out")
        assert (done.exit_code, "nor NAME/projected_w.npz" in done.stderr) == (4, True)
        folder = self.projections(own / "p", latents[:1], ["a"])
        (own / "labels.csv").write_text("picture,smile\nb.png,1\n")
        done = run("--latents", folder, "--labels", own / "labels.csv", "-o", own / "out")
        assert (done.exit_code, "b.png in it, and a among" in done.stderr) == (4, True)


def test_one_class_alone_is_no_score_and_no_perfect_attribute(own, labels):
    labels.assign(first=1, last=1, coin=1).to_csv(own / "labels.csv", index=False)
    done = of_own(own, "--html")
    assert done.exit_code == 0, done.stderr
    assert "No score in W." in done.stderr
    assert "No score: only one class is among the samples kept" in done.stderr
    row, honest = pd.read_csv(own / "out" / "report.csv").to_dict("records")
    assert np.isnan(honest["value"])
    assert np.isnan(row["value"])
    assert row["note"].startswith("No score")
    page = (own / "out" / "report.html").read_text(encoding="utf-8")
    assert "No score in W." in page
    assert page.count(">1.000<") == 3  # the share of positives: no accuracy
