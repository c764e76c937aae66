import json
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.reports.training import TrainingRun

BATCH = 8
TINY = ["--data", "builtin:digits", "--config", "stylegan2-small", "--channels", "1",
        "--batch", str(BATCH), "--device", "cpu"]  # fmt: skip
SMALL = ["--config", "stylegan1-small"]  # pictures of 8x8 to begin with


def train(folder, *options):
    return CliRunner().invoke(main, ["train", *TINY, "-o", str(folder), *options])


def test_a_run_writes_its_files_and_goes_on_when_asked_for_more(tmp_path):
    done = train(tmp_path, "--kimg", "0.016", "--snapshot-kimg", "0.016")
    assert done.exit_code == 0, done.stderr
    first = tmp_path / "snapshot-000000016.safetensors"
    assert latentlab.load(first).metadata["training"]["config"]["batch"] == BATCH
    again = train(tmp_path, "--kimg", "0.016")
    assert "Nothing left to do" in again.stderr
    longer = train(tmp_path, "--kimg", "0.032", "--snapshot-kimg", "0.016")
    assert longer.exit_code == 0, longer.stderr
    shares = pd.read_csv(tmp_path / "contributions.csv")
    assert sorted(shares["images"].unique()) == [16, 32]
    assert shares["sha256"].iloc[0] == latentlab.load(first).sha256
    for _, part in shares.groupby(["images", "measure"]):
        assert part["resolution"].tolist() == [4, 8, 16, 32]
        assert part["value"].sum() == pytest.approx(100)


def test_the_first_lines_say_what_is_trained_and_where_it_begins(tmp_path):
    options = ["--snapshot-kimg", "0.016", "--threads", "1"]
    begun = train(tmp_path, "--kimg", "0.016", *options).stderr.splitlines()
    assert begun[:4] == [
        "Opening builtin:digits ...",
        "builtin:digits: 1,498 pictures, 32x32, grey, no labels.",
        "Training stylegan2-small, batch 8, on cpu with 1 thread: a few seconds.",
        f"Beginning at picture 0 of 0.016 kimg, in {tmp_path}.",
    ]
    assert begun[-1] == f"Open {tmp_path / 'report.html'}"
    assert any(line.startswith("training: 100.0% 0.016/0.016 kimg, ") for line in begun)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0.016 kimg of 0.016" in page
    again = train(tmp_path, "--kimg", "25000", *options, "--dry-run")
    assert again.exit_code == 0
    longer = train(tmp_path, "--kimg", "0.032", *options).stderr
    assert "Continuing from snapshot 0.016 (0.016 kimg of 0.032).\n" in longer
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Finished: 0.032 kimg of 0.032" in page
    assert "cpu with 1 thread" in page
    (tmp_path / "report.html").unlink()  # a run of an earlier version has none
    assert "Nothing left to do" in train(tmp_path, "--kimg", "0.032", *options).stderr
    assert (tmp_path / "report.html").exists()


def test_a_place_in_a_run_is_in_thousands_of_pictures(tmp_path):
    told = TrainingRun("x.zip", "stylegan2-f", None, 25_000_000, tmp_path, "cpu", 0)
    assert told.begins(640_000) == "Continuing from snapshot 640 (640 kimg of 25,000)."
    assert (
        told.begins(1_200_032) == "Continuing from snapshot 1,200.032 (1,200.032 kimg of 25,000)."
    )


def test_dry_run_prints_the_settings_and_writes_nothing(tmp_path):
    done = train(
        tmp_path / "run", "--dry-run", "--json", "--gamma", "3", "--learning-rate", "0.001"
    )
    settings = json.loads(done.stdout)
    assert (settings["r1_gamma"], settings["learning_rate"]) == (3.0, 0.001)
    assert settings["pictures"] == 1498
    assert not (tmp_path / "run").exists()


def test_a_dry_run_goes_on_where_the_run_is_and_refuses_what_the_run_would(tmp_path):
    config = ["--config", "progan-small"]
    assert train(tmp_path, *config, "--kimg", "0.008").exit_code == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    plan = train(tmp_path, *config, "--kimg", "0.024", "--dry-run").stdout
    assert "Training progan-small (growing): 16 pictures to be shown" in plan
    assert "Continuing from snapshot 0.008 (0.008 kimg of 0.024)." in plan
    assert "  report.html, there already\n" in plan
    assert "contributions" not in plan  # no generator of this kind has shares
    refused = train(tmp_path, *config, "--kimg", "0.024", "--dry-run", "--seed", "1")
    assert (refused.exit_code, "seed: 0 there, 1 here" in refused.stderr) == (2, True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_dry_run_names_the_pictures_that_would_end_the_run(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "a.png")
    Image.new("RGB", (2, 2)).save(folder / "b.png")
    (folder / "c.jfif").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    done = CliRunner().invoke(main, [
        "train", "--data", str(folder), "--config", "stylegan2-small", "--batch", "4",
        "--kimg", "0.004", "--dry-run", "-o", str(tmp_path / "run"),
    ])  # fmt: skip
    assert done.exit_code == 4
    assert "3 pictures (1 other file left out), 16x16" in done.stdout
    assert f"refused: {folder}/b.png: 2x2 would be enlarged 8.0 times" in done.stdout
    assert f"refused: {folder}/c.jfif: not a picture" in done.stdout
    assert not (tmp_path / "run").exists()


def test_a_folder_of_pictures_is_cropped_to_the_resolution(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (20 + i, 16), (80 * i, 0, 0)).save(folder / f"{i}.png")
    done = CliRunner().invoke(main, [
        "train", "--data", str(folder), "--config", "stylegan2-small", "--resolution", "16",
        "--batch", "4", "--kimg", "0.004", "-o", str(tmp_path / "run"),
    ])  # fmt: skip
    assert done.exit_code == 0, done.stderr
    with Image.open(tmp_path / "run" / "reals.png") as reals:
        assert reals.size == (8 * 16, 16)  # a grid of eight columns


def test_a_run_starts_from_a_checkpoint(tmp_path):
    assert train(tmp_path / "first", "--kimg", "0.008").exit_code == 0
    origin = tmp_path / "first" / "snapshot-000000008.safetensors"
    again = tmp_path / "again"
    options = ["--from", str(origin), "--config", "stylegan2-f", "--kimg", "0.008"]
    done = train(again, *options)
    assert done.exit_code == 0, done.stderr
    facts = latentlab.load(again / "snapshot-000000008.safetensors").metadata["training"]
    assert facts["from"] == latentlab.load(origin).sha256
    assert facts["config"]["generator"]["z_dim"] == 64  # the checkpoint's
    assert facts["config"]["r1_gamma"] == 10  # the config's
    shown = json.loads(train(again, *options, "--dry-run", "--json").stdout)
    assert shown["from"] == facts["from"]
    assert "Nothing left to do" in train(again, *options).stderr
    refused = train(again, "--config", "stylegan2-f", "--kimg", "0.016")
    assert (refused.exit_code, "from: " in refused.stderr) == (2, True)


def test_bad_origins_end_in_one_line(tmp_path):
    builtin = train(tmp_path, "--from", "builtin:digits-stylegan2")
    assert (builtin.exit_code, "no discriminator (D) inside" in builtin.stderr) == (3, True)
    missing = train(tmp_path, "--from", "nowhere.pkl")
    assert (missing.exit_code, "no such file" in missing.stderr) == (3, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["stylegan1-small", "progan-small"])
def test_a_growing_run_goes_on_where_it_stopped(name, tmp_path):
    for kimg in ("0.008", "0.016"):
        done = train(tmp_path, "--config", name, "--kimg", kimg)
        assert done.exit_code == 0, done.stderr
    loaded = latentlab.load(tmp_path / "snapshot-000000016.safetensors")
    assert loaded.discriminator.lod == (2 if name == "stylegan1-small" else 3)
    assert not (tmp_path / "contributions.csv").exists()


NARROW = ["--channel-base", "128", "--channel-max", "4"]


@pytest.mark.parametrize(("options", "settings"), [
    (["--config", "stylegan1-b", "--growth-kimg", "0.008", "--mapping-layers", "8"],
     {"styles": False, "mapping_layers": 8}),  # "traditional 8" of Table 4
    (["--config", "stylegan1-f", "--growth-kimg", "0.008", "--mapping-layers", "0",
      "--mixing-probability", "0.5", "--loss", "wgan-gp"], {"styles": True, "mapping_layers": 0}),
    (["--generator-architecture", "resnet", "--discriminator-architecture", "skip"],
     {"architecture": "resnet"}),
])  # fmt: skip
def test_rows_of_the_papers_tables_are_trained_and_go_on(options, settings, tmp_path):
    for kimg in ("0.024", "0.048"):
        done = train(tmp_path, *NARROW, *options, "--kimg", kimg)
        assert done.exit_code == 0, done.stderr
        assert "Beginning" in done.stderr or "Continuing from snapshot 0.024" in done.stderr
    loaded = latentlab.load(tmp_path / "snapshot-000000048.safetensors")
    for network in (loaded.generator, loaded.discriminator):
        assert (network.config.channel_base, network.config.channel_max) == (128, 4)
    assert {name: getattr(loaded.config, name) for name in settings} == settings
    config = loaded.metadata["training"]["config"]
    asked = dict(zip(options[::2], options[1::2], strict=True))
    if "--loss" in asked:
        assert (config["loss"], config["mixing_probability"]) == ("wgan-gp", 0.5)
    assert config["discriminator"].get("architecture") == asked.get("--discriminator-architecture")
    assert not (tmp_path / "contributions.csv").exists()  # of skip generators alone
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no mapping network" in page or "8 mapping layers" in page


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("begun")
    assert train(folder, "--kimg", "0.008").exit_code == 0
    return folder


@pytest.mark.parametrize(("options", "code", "said"), [
    (["--config", "progan-small", "--gamma", "1"], 2, "leave --gamma out"),
    (["--data", "nowhere"], 4, "no such folder or zip"),
    (["--config", "stylegan9"], 2, "stylegan2-small"),
    (["--kimg", "0"], 2, "--kimg"),
    (["--batch", "0"], 2, "--batch"),
    (["--resolution", "64"], 4, "32x32"),
    (["--seed", "1"], 2, "seed: 0 there, 1 here"),
    (["--device", "cuda:77"], 2, "--device"),
    (["--config", "progan-small", "--mapping-layers", "8"], 2, "leave --mapping-layers out"),
    (["--mapping-layers", "9"], 2, "--mapping-layers"),
    (["--config", "stylegan1-b", "--mixing-probability", "1"], 2, "no styles to mix"),
    (["--mixing-probability", "1.5"], 2, "--mixing-probability"),
    (["--config", "stylegan1-f", "--generator-architecture", "skip"], 2, "StyleGAN2's networks"),
    (["--config", "stylegan2-d", "--discriminator-architecture", "skip"], 2, "networks that grow"),
    (["--channel-base", "16"], 2, "--channel-base must be a whole number 32 to"),
    (["--growth-kimg", "3"], 2, "does not grow; leave --growth-kimg out"),
    (["--loss", "wgan-gp", "--gamma", "1"], 2, "leave --gamma out"),
    (["--mapping-layers", "0"], 2, "config.generator.mapping_layers: 8 there, 0 here"),
    (["--from", "x.pkl", "--channel-max", "4"], 2, "--channel-max does not go with --from"),
])  # fmt: skip
def test_bad_options_end_in_one_line(options, code, said, begun):
    before = sorted(file.name for file in begun.iterdir())
    done = train(begun, "--kimg", "0.016", *options)
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(file.name for file in begun.iterdir()) == before


def stopped(folder, sign):
    """Give a training that would last a signal once it has written a line; returns what it said."""
    options = [*TINY, *SMALL, "--kimg", "1000", "-o", str(folder)]
    command = [sys.executable, "-m", "cli", "train", *options]
    lines = (folder / "log.csv").read_bytes() if (folder / "log.csv").exists() else b""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if (folder / "log.csv").exists() and (folder / "log.csv").read_bytes() != lines:
            break
    process.send_signal(sign)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_j07_a_signal_saves_and_the_same_command_continues(tmp_path):
    """Twice: what one signal has stopped goes on until another one."""
    images = 0
    for sign, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        returned, said = stopped(tmp_path, sign)
        assert returned == code, said
        assert "Traceback" not in said
        assert said.count("Continuing ") == (images > 0), said
        saved = sorted(tmp_path.glob("snapshot-*.optimizer.safetensors"))
        before, images = images, int(saved[-1].name.split("-")[1].split(".")[0])
        assert images > before
    done = train(tmp_path, *SMALL, "--kimg", str((images + BATCH) / 1000))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / f"snapshot-{images + BATCH:09d}.safetensors").exists()
