"""A metric over the snapshots of a training run."""

import json
import re
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.measuring.over_training import over_training
from metrics import droplets, perceptual_path_length, sampling
from metrics.differences import Key
from tests.conftest import make_generator
from tests.support.runs import make_run
from tests.support.scripted import Brightness, Pixels, as_torchscript


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("over-training")
    as_torchscript(Pixels(), folder / "pixels.pt")
    make_run(folder / "run", 20, 0, 10)
    (folder / "run" / "snapshot-000020000.optimizer.safetensors").write_bytes(b"no checkpoint")
    return folder


def run(command, *arguments):
    return CliRunner().invoke(main, [command, *map(str, arguments), "--device", "cpu"])


def ppl(root, out, *more):
    return run("ppl", root / "run", "--distance", root / "pixels.pt", "--trust",
               "--samples", 24, "-o", out, *more)  # fmt: skip


@pytest.fixture(scope="module")
def measured(root):
    done = ppl(root, root / "out", "--html", "--name", "My run")
    assert done.exit_code == 0, done.stderr
    return root / "out", done.stderr


def test_each_snapshot_has_its_row_with_the_images_shown(root, measured):
    folder, told = measured
    rows = pd.read_csv(folder / "report.csv")
    assert rows["images"].tolist() == [0, 10_000, 20_000]
    assert rows["model"].tolist() == [f"snapshot-{n:09d}.safetensors" for n in rows["images"]]
    distance = latentlab.perceptual_distance(str(root / "pixels.pt"))
    for row in rows.to_dict("records"):
        file = root / "run" / row["model"]
        alone = perceptual_path_length(latentlab.load(file).generator, distance, num_samples=24)
        assert row["value"] == alone.value
        assert row["sha256"] == latentlab.load(file).sha256
        assert f"{row['model']}: ppl2_wend = " in told
    paths = pd.read_csv(folder / "path_lengths.csv")
    assert paths.groupby("model").size().tolist() == [24, 24, 24]


def test_plot_and_page_show_the_run(measured):
    folder, told = measured
    with Image.open(folder / "over_training.png") as picture:
        assert picture.width > 1000
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<title>Perceptual path length of My run over its training</title>" in page
    assert "The value and its 95 % interval over images shown in training" in page
    assert len(re.findall('<img src="data:image/png', page)) == 1
    assert "Path length (ppl2_wend): best " in page
    assert told.rstrip().endswith(str(folder / "report.html"))


def test_what_is_finished_says_so_and_a_longer_run_goes_on(root, measured, tmp_path, monkeypatch):
    folder, _ = measured
    grown = shutil.copytree(root / "run", tmp_path / "run")
    out = shutil.copytree(folder, tmp_path / "out")
    same = ("--distance", root / "pixels.pt", "--trust", "--samples", 24, "-o", out,
            "--name", "My run")  # fmt: skip
    assert "is finished; see " in run("ppl", grown, *same).stderr
    computed = []
    real = sampling._computed
    monkeypatch.setattr(sampling, "_computed", lambda *a: computed.append(a[1]) or real(*a))
    make_run(grown, 30)
    done = run("ppl", grown, *same)
    assert done.exit_code == 0, done.stderr
    assert "holds a part of this measurement (samples 24, snapshots 3)" in done.stderr
    assert sum(map(len, computed)) == 24  # those of the new snapshot alone
    rows = pd.read_csv(out / "report.csv")
    assert rows["images"].tolist() == [0, 10_000, 20_000, 30_000]
    assert rows["value"].tolist()[:3] == pd.read_csv(folder / "report.csv")["value"].tolist()
    (grown / "snapshot-000000000.safetensors").unlink()
    refused = run("ppl", grown, *same)
    assert refused.exit_code == 6
    assert "another measurement: model" in refused.stderr


def test_an_interrupted_run_goes_on_where_it_was(root, tmp_path, monkeypatch):
    real, computed = sampling._computed, []

    def once(*arguments):
        if computed:
            raise KeyboardInterrupt
        computed.append(arguments[1])
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sampling, "_computed", once)
        assert ppl(root, tmp_path / "out").exit_code != 0
    assert not (tmp_path / "out" / "report.csv").exists()
    counted = []
    monkeypatch.setattr(sampling, "_computed", lambda *a: counted.append(a[1]) or real(*a))
    assert ppl(root, tmp_path / "out").exit_code == 0
    assert sum(map(len, [*computed, *counted])) == 3 * 24


def test_several_protocols_are_told_apart(root, tmp_path):
    both = ("ppl_wend", "ppl2_wend")
    done = ppl(root, tmp_path, *(part for name in both for part in ("--protocol", name)))
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "report.csv")
    assert rows["protocol"].tolist() == [*both] * 3
    paths = pd.read_csv(tmp_path / "path_lengths.csv")
    assert paths.groupby(["model", "protocol"]).size().tolist() == [24] * 6
    doubted = [line for line in done.stderr.splitlines() if "The published filter" in line]
    assert len(doubted) == 1  # of all snapshots by both protocols
    assert doubted[0].startswith("Few paths: ")  # which names none


def test_droplets_over_a_run(root, tmp_path):
    done = run("droplets", root / "run", "--samples", 4, "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "report.csv")
    shares = rows[rows["quantity"] == "pictures with droplets"]
    assert shares["images"].tolist() == [0, 10_000, 20_000]
    for row in shares.to_dict("records"):
        g = latentlab.load(root / "run" / row["model"]).generator
        assert row["value"] == droplets(g, 4).value
    assert (tmp_path / "over_training.png").exists()
    assert "model" in pd.read_csv(tmp_path / "detections.csv").columns


def test_separability_over_a_run(root, tmp_path):
    as_torchscript(Brightness(), tmp_path / "judge.pt")
    done = run("separability", root / "run", "--classifier", tmp_path / "judge.pt",
               "--trust", "--samples", 120, "-o", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "report.csv")
    scores = ["separability in Z", "separability in W"]
    assert rows["quantity"].tolist() == [*scores, *(f"cross-fitted {each}" for each in scores)] * 3
    assert rows["images"].tolist() == [shown for shown in (0, 10_000, 20_000) for _ in range(4)]
    attributes = pd.read_csv(tmp_path / "out" / "attributes.csv")
    assert attributes.groupby("model").size().tolist() == [2, 2, 2]
    alone = run("separability", root / "run" / "snapshot-000010000.safetensors", "--classifier",
                tmp_path / "judge.pt", "--trust", "--samples", 120,
                "-o", tmp_path / "one")  # fmt: skip
    assert alone.exit_code == 0, alone.stderr
    one = pd.read_csv(tmp_path / "one" / "report.csv")
    assert rows["value"].tolist()[4:8] == one["value"].tolist()


def test_a_dry_run_counts_all_snapshots(root, tmp_path):
    done = ppl(root, tmp_path / "out", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert len(plan["snapshots"]) == 3
    assert "72 paths" in done.stdout
    assert not (tmp_path / "out").exists()


def test_snapshots_that_do_not_say_their_images_stand_in_their_order(tmp_path, root):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("a", "b"):
        latentlab.save(make_generator(), folder / f"snapshot-{name}.safetensors")
    done = run("ppl", folder, "--distance", root / "pixels.pt", "--trust", "--samples", 8,
               "-o", tmp_path / "out", "--html")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "images" not in pd.read_csv(tmp_path / "out" / "report.csv").columns
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "over snapshots, in their order" in page


def test_a_folder_without_snapshots_is_told_as_ever(root, tmp_path):
    done = run("ppl", tmp_path, "--distance", root / "pixels.pt", "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert "is not a file but an empty folder" in done.stderr


def test_names_of_a_run_are_one(root, tmp_path):
    done = ppl(root, tmp_path / "out", "--name", "a", "--name", "b")
    assert done.exit_code == 2


def test_folders_of_runs_are_compared(measured, tmp_path, root):
    other = tmp_path / "other"
    make_run(tmp_path / "other-run", 40, 50)
    done = run("ppl", tmp_path / "other-run", "--distance", root / "pixels.pt", "--trust",
               "--samples", 24, "-o", other)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    done = run("compare", measured[0], other, "-o", tmp_path / "versus")
    assert done.exit_code == 0, done.stderr
    assert pd.read_csv(tmp_path / "versus" / "report.csv")["model"].nunique() == 5


def test_the_plot_draws_value_and_interval_at_the_images_shown():
    rows = pd.DataFrame({
        "metric": "path_length", "protocol": "ppl2_wend", "quantity": "path length",
        "unit": "distance/epsilon^2", "model": ["a", "b"], "images": [1000, 4000],
        "value": [3.0, 2.0], "ci_low": [2.5, 1.5], "ci_high": [4.0, 2.2],
    })  # fmt: skip
    figure = over_training(rows, [Key("path_length", "ppl2_wend", "path length")])
    (axes,) = figure.axes
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [1.0, 4.0]
    assert line.get_ydata().tolist() == [3.0, 2.0]
    ends = {tuple(point) for bar in axes.collections[1].get_segments() for point in bar.tolist()}
    assert ends == {(1.0, 2.5), (1.0, 4.0), (4.0, 1.5), (4.0, 2.2)}


def test_fidelity_over_a_run(tmp_path, pooled):
    folder = make_run(tmp_path / "run", 0, 10, resolution=32, channels=1)
    options = ("--data", "builtin:digits", "--metric", "fid", "--metric", "kid")
    done = run("fidelity", folder, *options, "--samples", 8, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "report.csv")
    assert rows["quantity"].tolist() == ["FID", "KID"] * 2
    assert rows["images"].tolist() == [0, 0, 10_000, 10_000]
    alone = run("fidelity", folder / "snapshot-000010000.safetensors", *options, "--samples", 8,
                "-o", tmp_path / "one")  # fmt: skip
    assert alone.exit_code == 0, alone.stderr
    one = pd.read_csv(tmp_path / "one" / "report.csv")
    assert rows["value"].tolist()[2:] == one["value"].tolist()
    assert (tmp_path / "out" / "over_training.png").exists()
