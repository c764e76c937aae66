import html
import json
import shutil
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from cli.options.inversions import FACE_CROPS, SCORE_NAMES
from latentlab import perceptual_distance
from latentlab.datasets.digits import digits
from latentlab.identity import FaceCrop, FaceIdentity
from latentlab.images import from_uint8
from metrics import inversion_differences, inversion_quality
from metrics.picture_pairs.quality import SCORES
from metrics.scheme import DIFFERENCES
from tests.support.commands import run
from tests.support.pairs import MeanFaces, save_program

COUNT = 8
FILES = {"report.csv", "pictures.csv", "measures.png", "worst.png", "best.png", "report.html",
         "manifest.json"}  # fmt: skip
PLAIN = ("--distance", "builtin:digits", "--score", "none")


def result_of(pixels, noise, seed):
    rng = np.random.default_rng(seed)
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Targets, projections of them, and results of another tool, which are worse."""
    folder = tmp_path_factory.mktemp("places")
    pictures, _ = digits("held-out")
    (folder / "photos").mkdir()
    (folder / "tool").mkdir()
    for i, pixels in enumerate(pictures[:COUNT]):
        home = folder / "w" / f"scan{i}"
        home.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "photos" / f"scan{i}.png")
        Image.fromarray(pixels).save(home / "target.png")
        Image.fromarray(result_of(pixels, 5, i)).save(home / "projected.png")
        Image.fromarray(result_of(pixels, 12, i)).save(folder / "tool" / f"scan0{i}.png")
        row = {"status": "ok", "seconds": 1.0 + i, "distance_name": "builtin:digits"}
        source = {"path": f"photos/scan{i}.png", "size": 1, "modified": 1, "sha256": "0"}
        record = {"format": 1, "identity": {}, "source": source, "row": row, "files": {}}
        (home / "projection.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def mine(places, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(places, tmp_path / "mine")
    return tmp_path / "mine"


def command(folder, *more, out, options=PLAIN):
    given = [str(each).replace("{}", str(folder)) for each in (*more, *options)]
    arguments = ["inversion-report", *given, "--device", "cpu", "-o", str(out)]
    return CliRunner().invoke(main, arguments)


BOTH = ("{}/w", "--targets", "{}/photos", "--results", "{}/tool", "--name", "W", "--name", "Tool")


def images(folder, pattern):
    files = sorted(folder.glob(pattern))
    return torch.stack([
        from_uint8(torch.from_numpy(np.array(Image.open(file).convert("RGB")))).permute(2, 0, 1)
        for file in files
    ])  # fmt: skip


@pytest.fixture(scope="module")
def report(places, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports") / "report"
    return command(places, *BOTH, out=out), out


def test_the_tables_hold_what_the_library_measures(report, places):
    done, out = report
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    targets = images(places / "photos", "*.png")
    distance = perceptual_distance("builtin:digits")
    made = {"W": images(places / "w", "*/projected.png"), "Tool": images(places / "tool", "*.png")}
    names = pd.DataFrame({"picture": [f"scan{i}" for i in range(COUNT)]})
    expected = {name: inversion_quality(targets, each, [distance], about=names)
                for name, each in made.items()}  # fmt: skip
    rows = pd.read_csv(out / "report.csv")
    pictures = pd.read_csv(out / "pictures.csv")
    for name, result in expected.items():
        mine = rows[(rows["model"] == name) & (rows["measure"] != "seconds")]
        assert mine["quantity"].tolist() == result.rows["quantity"].tolist()
        for column in ("value", "ci_low", "ci_high", "std"):
            np.testing.assert_allclose(mine[column], result.rows[column], rtol=1e-12)
        own = pictures[pictures["model"] == name]
        assert own["picture"].tolist() == names["picture"].tolist()
        np.testing.assert_allclose(own["mse"], result.samples["mse"], rtol=1e-12)
    differences = pd.read_csv(out / "differences.csv")
    assert differences.columns.tolist() == [*DIFFERENCES]
    np.testing.assert_allclose(
        differences["difference"], inversion_differences(expected)["difference"], rtol=1e-12
    )
    assert differences["better"].tolist() == ["W"] * 5  # seconds are of W alone
    seconds = rows[rows["measure"] == "seconds"]
    assert (seconds["model"].tolist(), seconds["value"].tolist()) == (["W"], [4.5])


def test_files_page_and_manifest(report):
    done, out = report
    assert {path.name for path in out.iterdir()} == {*FILES, "differences.csv", "saved"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == {*FILES, "differences.csv", "saved/results.json"} - {
        "manifest.json"
    }  # fmt: skip
    assert [model["name"] for model in manifest["settings"]["models"]] == ["W", "Tool"]
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    for words in ("Inversions: W and Tool", "W is better on distance (builtin:digits), MSE, MAE",
                  "Compared over 8 pictures that all methods have", "MS-SSIM is left out",
                  "The worst pictures", "The best pictures"):  # fmt: skip
        assert words in page, words
        assert words in done.stderr or "pictures" in words or "Inversions" in words


def test_the_same_command_again_has_nothing_to_do(report, places):
    _, out = report
    before = (out / "report.html").stat().st_mtime_ns
    done = command(places, *BOTH, out=out)
    assert done.exit_code == 0
    assert "is finished" in done.stderr
    assert (out / "report.html").stat().st_mtime_ns == before


def test_a_method_alone_is_compared_with_nothing(places, tmp_path):
    done = command(places, "{}/w", out=tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "saved"}
    assert "w: distance (builtin:digits)" in done.stderr
    assert "better on" not in done.stderr


def test_a_stopped_report_is_continued(places, tmp_path, monkeypatch):
    from metrics.picture_pairs import quality

    measured, seen = quality.measured, []

    def interrupted(pairs, networks):
        seen.append(len(pairs))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measured(pairs, networks)

    monkeypatch.setattr(quality, "measured", interrupted)
    assert command(places, *BOTH, out=tmp_path / "out").exit_code == 130
    done = command(places, *BOTH, out=tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert "W: continuing where it was stopped" in done.stderr
    assert seen == [COUNT, COUNT, COUNT]  # W is not measured twice


def test_equal_folders_are_not_said_to_be_continued(mine, tmp_path):
    shutil.copytree(mine / "w", mine / "copy")
    done = command(mine, "{}/w", "{}/copy", out=tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert "continuing" not in done.stderr
    assert f"Comparing {COUNT} pairs each of w and copy, on cpu" in done.stderr


def test_other_pictures_are_another_report(mine, tmp_path):
    out = tmp_path / "out"
    assert command(mine, "{}/w", out=out).exit_code == 0
    Image.new("L", (32, 32)).save(mine / "w" / "scan3" / "projected.png")
    done = command(mine, "{}/w", out=out)
    assert done.exit_code == 6
    assert "holds another measurement" in done.stderr
    assert command(mine, "{}/w", "--overwrite", out=out).exit_code == 0


def test_what_cannot_be_used_is_named_and_the_rest_compared(mine, tmp_path):
    (mine / "tool" / "scan02.png").write_bytes(b"no picture")
    whole = (mine / "w" / "scan4" / "projected.png").read_bytes()
    (mine / "w" / "scan4" / "projected.png").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (32, 32)).save(mine / "tool" / "zoe.png")
    out = tmp_path / "out"
    done = command(mine, *BOTH, out=out)
    assert done.exit_code == 4
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    for words in ("scan02.png: not a picture", "zoe.png: no target has this name", "scan4"):
        assert words in done.stderr
        assert words in page
    pictures = pd.read_csv(out / "pictures.csv").set_index(["model", "picture"])
    assert pictures.loc[("W", "scan4"), "status"] == "unreadable"
    assert np.isnan(pictures.loc[("W", "scan4"), "mse"])
    note = pd.read_csv(out / "differences.csv")["note"][0]
    assert note == f"Over {COUNT - 2} pictures that all methods have."


def test_scores_of_the_sets(places, tmp_path, pooled):
    options = ("--distance", "builtin:digits")
    done = command(places, "{}/w", out=tmp_path / "out", options=options)
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "report.csv").set_index("quantity")
    assert rows.loc["FID", "value"] > 0
    assert rows.loc["KID", "n"] == COUNT
    assert "FID falls with the number of pictures" in done.stderr


def test_faces_are_compared_by_the_file(places, tmp_path):
    face = save_program(MeanFaces(), tmp_path / "face.pt")
    more = ("--identity", face, "--trust", "--face-crop", "none")
    done = command(places, "{}/w", *more, out=tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    pictures = pd.read_csv(tmp_path / "out" / "pictures.csv")
    pair = [images(places / "w", f"*/{name}.png") for name in ("target", "projected")]
    expected = inversion_quality(*pair, identity=FaceIdentity(face, "none"))
    np.testing.assert_allclose(pictures["identity"], expected.samples["identity"], rtol=1e-6)
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
    assert len(facts["identity"]) == 64


@pytest.fixture
def offline(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)


def test_what_cannot_be_had_is_left_out_unless_it_was_asked_for(places, tmp_path, offline):
    done = command(places, "{}/w", out=tmp_path / "a", options=())
    assert done.exit_code == 0, done.stderr
    assert "Left out: lpips-alex: the backbone weights" in done.stderr
    assert "FID and KID are left out" in done.stderr
    rows = pd.read_csv(tmp_path / "a" / "report.csv")
    assert rows["measure"][0] == "builtin:digits"  # by which the pictures were projected
    for asked in (("--distance", "lpips-alex"), ("--score", "fid")):
        done = command(places, "{}/w", out=tmp_path / "b", options=asked)
        assert done.exit_code == 3, asked
        assert "cannot be fetched" in done.stderr
        assert not (tmp_path / "b").exists()


def test_a_dry_run_says_what_would_be_fetched(places, tmp_path, offline):
    options = ("--dry-run", "--json")
    done = command(places, *BOTH, out=tmp_path / "out", options=options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["plan"]["work"] == ["Comparing 8 pairs of W", "Comparing 8 pairs of Tool"]
    missing = " ".join(told["plan"]["missing"])
    assert "alexnet-owt-7be5be79.pth" in missing
    assert "inception" in missing
    assert told["resolution"] == 32
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("more", "words"), [
    (("{}/photos",), "nothing of `latentlab project` or `latentlab tune` is in it; give the "
     "folders of another tool by --targets and --results"),
    (("{}/gone",), "no such folder"),
    (("--targets", "{}/photos", "--results", "{}/w"), "was written by `latentlab project`; give it "
     "without --targets and --results"),
    (("{}/w", "{}/photos/../w"), "is given twice"),
])  # fmt: skip
def test_folders_that_cannot_be_compared_are_named(places, tmp_path, more, words):
    done = command(places, *more, out=tmp_path / "out")
    assert done.exit_code == 4
    assert words in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_face_recognition_is_refused(places, tmp_path):
    (tmp_path / "face.pt").write_bytes(b"no program")
    done = command(places, "{}/w", "--identity", tmp_path / "face.pt", out=tmp_path / "out")
    assert done.exit_code == 3
    assert "not a TorchScript network" in done.stderr.splitlines()[-1]


def test_choices_are_those_of_the_library():
    assert SCORE_NAMES == SCORES
    assert FaceCrop.__args__ == FACE_CROPS


def test_names_are_of_methods(tmp_path):
    done = run("inversion-report", tmp_path, "--name", "a", "--name", "b", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "Give --name once: there is one method." in done.stderr
