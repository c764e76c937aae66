"""Path lengths by several protocols at once."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

import latentlab
from cli.main import main
from metrics import perceptual_path_length, sampling
from metrics.path_protocols import PROTOCOLS
from tests.conftest import make_generator
from tests.support.scripted import Pixels, as_torchscript

BOTH = ("ppl_wend", "ppl2_wend")
ASKED = [part for name in BOTH for part in ("--protocol", name)]
PLOTS = {f"{plot}-{name}.png" for plot in ("histogram", "extremes") for name in BOTH}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocols")
    latentlab.save(make_generator(), folder / "g.safetensors")
    as_torchscript(Pixels(), folder / "pixels.pt")
    return folder


def ppl(root, out, *more):
    command = ["ppl", root / "g.safetensors", "--distance", root / "pixels.pt", "--trust",
               "--samples", 24, "--device", "cpu", "-o", out, *more]  # fmt: skip
    return CliRunner().invoke(main, [*map(str, command)])


@pytest.fixture(scope="module")
def measured(root):
    done = ppl(root, root / "both", *ASKED, "--html")
    assert done.exit_code == 0, done.stderr
    return root / "both", done.stderr


def test_the_report_has_a_row_of_each_protocol(root, measured):
    folder, told = measured
    rows = pd.read_csv(folder / "report.csv")
    assert rows["protocol"].tolist() == [*BOTH]
    g = latentlab.load(root / "g.safetensors").generator
    distance = latentlab.perceptual_distance(str(root / "pixels.pt"))
    for name, value in zip(BOTH, rows["value"], strict=True):
        crop = PROTOCOLS[name].crop
        assert value == perceptual_path_length(g, distance, num_samples=24, crop=crop).value
        assert f"{name} = " in told


def test_what_there_is_to_doubt_names_its_protocol_unless_it_holds_for_all(measured):
    lines = measured[1].splitlines()
    assert any(line.startswith("Few paths: ") for line in lines)
    filtered = [line.partition(": The published filter leaves out ") for line in lines]
    assert [name for name, found, _ in filtered if found] == [*BOTH]


def test_the_table_of_paths_says_their_protocol_and_each_has_its_plots(measured):
    folder, _ = measured
    paths = pd.read_csv(folder / "path_lengths.csv")
    assert paths.columns[0] == "protocol"
    assert paths.groupby("protocol", sort=False).size().to_dict() == dict.fromkeys(BOTH, 24)
    assert {file.name for file in folder.glob("*.png")} == PLOTS
    page = (folder / "report.html").read_text(encoding="utf-8")
    for name in BOTH:
        assert f"<h2>Distribution by {name}</h2>" in page
    settings = json.loads((folder / "manifest.json").read_text())["settings"]
    assert settings["protocols"] == [*BOTH]
    assert settings["n"] == [24, 24]


def test_a_protocol_given_twice_is_measured_once(root, tmp_path):
    done = ppl(root, tmp_path, "--protocol", "ppl2_wend", "--protocol", "ppl2_wend")
    assert done.exit_code == 0, done.stderr
    assert {file.name for file in tmp_path.glob("*.png")} == {"histogram.png", "extremes.png"}
    assert "protocol" not in pd.read_csv(tmp_path / "path_lengths.csv").columns
    assert len(pd.read_csv(tmp_path / "report.csv")) == 1


def test_the_same_command_is_finished_and_more_paths_go_on(root, measured, monkeypatch):
    folder, _ = measured
    assert "is finished; see " in ppl(root, folder, *ASKED).stderr
    computed = []
    real = sampling._computed
    monkeypatch.setattr(sampling, "_computed", lambda *a: computed.append(a[1]) or real(*a))
    (folder / "histogram-ppl_wend.png").unlink()
    assert ppl(root, folder, *ASKED).exit_code == 0
    assert (folder / "histogram-ppl_wend.png").exists()
    assert computed == []
    done = ppl(root, folder, *ASKED, "--samples", 300)
    assert done.exit_code == 0, done.stderr
    assert pd.read_csv(folder / "report.csv")["n"].tolist() == [300, 300]


def test_other_protocols_are_another_measurement(root, measured):
    folder, _ = measured
    done = ppl(root, folder, "--protocol", "ppl_zend", "--protocol", "ppl2_wend", "--samples", 300)
    assert done.exit_code == 6
    assert "protocols" in done.stderr.splitlines()[-1]


def test_a_dry_run_names_the_work_of_each_protocol(root, tmp_path):
    done = ppl(root, tmp_path / "out", *ASKED, "--dry-run")
    for name in BOTH:
        assert f"Measuring by {name}: 24 paths" in done.stdout
        assert f"histogram-{name}.png" in done.stdout
    assert not (tmp_path / "out").exists()


def test_compare_draws_each_protocol(root, tmp_path):
    latentlab.save(make_generator(1), root / "h.safetensors")
    models = [root / "g.safetensors", root / "h.safetensors"]
    names = [*models, "--distance", root / "pixels.pt", "--trust", "--metric", "ppl",
             "--samples", "ppl=24"]  # fmt: skip
    done = CliRunner().invoke(main, ["compare", *map(str, names), *ASKED, "--device", "cpu",
                                     "-o", str(tmp_path)])  # fmt: skip
    assert done.exit_code == 0, done.stderr
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert {"path_lengths.png", "path_lengths-ppl2_wend.png"} <= set(listed)
    assert pd.read_csv(tmp_path / "differences.csv")["protocol"].tolist() == [*BOTH]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in BOTH:
        assert f"How often each path length occurs ({name}, distance pixels.pt)." in page
