import json

import pandas as pd
from click.testing import CliRunner

import latentlab
from cli.main import main
from metrics import contributions
from tests.conftest import make_generator

MODEL, OTHER = "builtin:digits-stylegan2", "builtin:digits-stylegan1"


def run(*arguments):
    return CliRunner().invoke(main, ["contributions", *map(str, arguments), "--device", "cpu"])


def snapshots(folder, *thousands):
    folder.mkdir()
    for seed, kimg in enumerate(thousands):
        path = folder / f"snapshot-{kimg * 1000:09d}.safetensors"
        latentlab.save(make_generator(seed), path, {"training": {"images": kimg * 1000}})
    return folder


def test_the_report_holds_what_the_library_measures(tmp_path):
    done = run(MODEL, "--samples", 32, "--html", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "report.csv")
    expected = contributions(latentlab.load(MODEL).generator, 32).rows
    assert rows["value"].tolist() == expected["value"].tolist()
    assert rows["ci_low"].notna().all()
    assert (tmp_path / "contributions.png").exists()
    assert (tmp_path / "report.html").exists()


def test_the_snapshots_of_a_run_are_told_by_the_images_they_were_trained_on(tmp_path):
    folder = snapshots(tmp_path / "run", 20, 0, 10)
    (folder / "snapshot-000020000.optimizer.safetensors").write_bytes(b"no checkpoint")
    done = run(folder, "--samples", 16, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "report.csv")
    assert rows["images"].drop_duplicates().tolist() == [0, 10_000, 20_000]
    assert rows["model"].nunique() == 3


def test_a_published_snapshots_name_tells_its_images(tmp_path):
    path = tmp_path / "network-snapshot-002500.pkl"
    latentlab.save(make_generator(), path)
    assert latentlab.load(path).images_shown == 2_500_000
    plain = tmp_path / "x.safetensors"
    latentlab.save(make_generator(), plain)
    assert latentlab.load(plain).images_shown is None


def test_a_generator_without_skip_is_told_why(tmp_path):
    done = run(OTHER, "--samples", 8, "-o", tmp_path)
    assert done.exit_code == 4
    assert "skip generator" in done.stderr
    assert not (tmp_path / "report.csv").exists()


def test_one_without_skip_among_several_is_named_and_the_others_go_on(tmp_path):
    done = run(MODEL, OTHER, "--samples", 8, "-o", tmp_path)
    assert done.exit_code == 4
    assert f"Left out: {OTHER}" in done.stderr
    assert pd.read_csv(tmp_path / "report.csv")["model"].unique().tolist() == [MODEL]
    (reason,) = json.loads((tmp_path / "manifest.json").read_text())["settings"]["left_out"]
    assert reason.startswith(OTHER)


def test_an_empty_folder_is_a_usage_error(tmp_path):
    done = run(tmp_path, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "no snapshots" in done.stderr


def test_a_dry_run_names_the_models(tmp_path):
    done = run(snapshots(tmp_path / "run", 0, 5), "--dry-run", "--json", "-o", tmp_path / "out")
    assert len(json.loads(done.stdout)["models"]) == 2
