import json
import sys
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.options.measuring import METRIC_NAMES
from latentlab.datasets.pictures import open_dataset
from metrics import fidelity
from metrics.fidelity_networks import METRICS
from tests.support.pooled import Pooled

MODEL = "builtin:digits-stylegan2"
FILES = {"report.csv", "pictures.png", "manifest.json", "report.html"}


def command(folder, *more, data="builtin:digits"):
    arguments = ["fidelity", MODEL, "--data", data, "--device", "cpu", "-o", str(folder)]
    return CliRunner().invoke(main, [*arguments, *map(str, more)])


def test_the_names_of_metrics_are_the_librarys():
    assert METRIC_NAMES == METRICS


def test_the_report_holds_what_the_library_measures(tmp_path, pooled):
    folder = tmp_path / "out"
    done = command(folder, "--samples", 40, "--seed", 3, "--mirror", "--html")
    assert done.exit_code == 0, done.stderr
    g, reals = latentlab.load(MODEL).generator, open_dataset("builtin:digits", 32, 1)
    expected = fidelity(g, reals, 40, seed=3, mirror=True)
    rows = pd.read_csv(folder / "report.csv")
    assert rows["measure"].tolist() == ["fid", "kid", "precision", "recall", "f_score"]
    assert rows["value"].tolist() == expected.rows["value"].tolist()
    assert rows["sha256"].unique().tolist() == [latentlab.load(MODEL).sha256]
    assert {path.name for path in folder.iterdir()} == {*FILES, "saved"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {*FILES, "saved/results.json"} - {"manifest.json"}
    assert manifest["settings"]["reals"] == 40
    assert done.stdout == ""
    assert "40 generated and 40 real pictures" in done.stderr
    assert "compare it at equal numbers only" in done.stderr
    with Image.open(folder / "pictures.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_one_metric_can_be_chosen(tmp_path, pooled):
    done = command(tmp_path, "--samples", 8, "--metric", "kid")
    assert done.exit_code == 0, done.stderr
    assert pd.read_csv(tmp_path / "report.csv")["measure"].tolist() == ["kid"]
    assert "FID" not in done.stderr


def test_a_stopped_measurement_is_continued(tmp_path, pooled, monkeypatch):
    calls, forward = [], Pooled.forward

    def interrupted(self, pixels):
        calls.append(len(pixels))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forward(self, pixels)

    monkeypatch.setattr(Pooled, "forward", interrupted)
    assert command(tmp_path / "out", "--samples", 80).exit_code == 130
    done = command(tmp_path / "out", "--samples", 80)
    assert done.exit_code == 0, done.stderr
    assert "continuing" in done.stderr
    # Batches of 64 come to the networks in halves: 64 and 16 real pictures, then generated ones.
    assert calls == [32, 32, 16, 32, 32, 32, 16]
    whole = command(tmp_path / "whole", "--samples", 80)
    assert whole.exit_code == 0
    first, second = (pd.read_csv(tmp_path / name / "report.csv") for name in ("out", "whole"))
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))


def test_a_dry_run_tells_and_writes_nothing(tmp_path):
    done = command(tmp_path / "out", "--samples", 100, "--dry-run", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["samples"], told["reals"], told["metrics"]) == (100, 100, list(METRICS))
    assert not (tmp_path / "out").exists()


def test_a_dry_run_names_the_pictures_that_would_end_the_command(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (32, 32)).save(data / "a.png")
    (data / "b.png").write_bytes(b"no picture")
    (data / "c.png").write_bytes(b"nor this, which is not needed")
    done = command(tmp_path / "out", "--samples", 2, "--dry-run", data=str(data))
    assert done.exit_code == 4
    assert f"refused: {data}/b.png: not a picture" in done.stdout
    assert "c.png" not in done.stdout


def test_missing_weights_are_told_before_the_folder_is_made(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    done = command(tmp_path / "out", "--metric", "fid")
    assert done.exit_code == 3
    last = done.stderr.splitlines()[-1]
    for words in ("weights-inception-2015-12-05-6726825d.pth", "--weights", "TORCH_HOME"):
        assert words in last
    assert not (tmp_path / "out").exists()


def test_results_of_another_run_are_told_before_weights_are_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetched"))
    (tmp_path / "report.csv").touch()
    done = command(tmp_path, "--metric", "fid")
    assert done.exit_code == 6
    assert "report.csv exists" in done.stderr.splitlines()[-1]


def test_a_missing_library_is_told_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    done = command(tmp_path / "out")
    assert done.exit_code == 2
    assert "pip install latentlab[fidelity]" in done.stderr.splitlines()[-1]


def test_missing_data_is_named(tmp_path):
    done = command(tmp_path / "out", data=str(tmp_path / "none.zip"))
    assert done.exit_code == 4
    assert "none.zip: no such folder or zip" in done.stderr.splitlines()[-1]
