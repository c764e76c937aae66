"""What a dry run prints, of every command that has one."""

import json
import shutil
import sys
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from cli.reports import dry_run
from cli.reports.dry_run import DryRun, tell_dry_run
from cli.running.estimates import Estimate, Task
from latentlab.images import save_image
from tests.conftest import make_stylegan3

DIGITS = "builtin:digits-stylegan2"
NEAR = ["--distance", "builtin:digits"]
CLASSIFIER = ["--classifier", "builtin:digits-classifier"]

# By command: its arguments, and what its dry run must name besides.
RUNS = {
    "align": (["{pics}", "--landmarks", "{points}"], ["Aligning 1 photo", "1 photo left"]),
    "attribution": ([DIGITS, "{pics}", *NEAR, "--steps", "30"],
                    ["Projecting 2 pictures, 30 steps each", "roc.png"]),
    "compare": ([DIGITS, "builtin:digits-stylegan1", *NEAR],
                ["ppl2_wend: 50,000 paths of each model", "differences.csv", "droplets-2.png"]),
    "contributions": ([DIGITS], ["Measuring 1,024 latents", "contributions.png"]),
    "directions": ([DIGITS], ["Sampling 100,000 latents", "directions.safetensors"]),
    "droplets": ([DIGITS], ["Searching 256 pictures", "heat.png", "threshold: 5"]),
    "edit": (["{model}", "--seeds", "0-1", "--directions", "{directions}", "--direction", "smile"],
             ["Rendering 10 frames", "seed0001.png"]),
    "equivariance": (["{stylegan3}"], ["Moving 50,000 pictures", "moved.png"]),
    "fidelity": ([DIGITS, "--data", "builtin:digits", "--metric", "fid"],
                 ["Comparing 50,000 pictures with 1,498 real ones", "pictures.png"]),
    "generate": ([DIGITS, "--seeds", "0-29"], ["Rendering 30 pictures", "and 19 more files"]),
    "interpolate": ([DIGITS, "--seeds", "0-1", "--video", "w.gif"], ["61 frames", "w.gif"]),
    "inversion-report": (["{projections}", *NEAR, "--score", "none"],
                         ["Comparing 2 pairs of projections", "pictures.csv", "worst.png",
                          "2 pictures of latentlab project", "resolution: 32"]),
    "mix": ([DIGITS, "--rows", "0-1", "--cols", "2"], ["Rendering 5 pictures", "grid.png"]),
    "noise": ([DIGITS], ["Varying the noise of 16 latents, 100 draws each", "versions.png"]),
    "ppl": ([DIGITS, *NEAR], ["Measuring 50,000 paths", "path_lengths.csv"]),
    "project": ([DIGITS, "{pics}", *NEAR, "--steps", "30"],
                ["Projecting 1 picture into W, 30 steps", "face/projected_w.npz"]),
    "reproduce": (["stylegan2-table3", f"car-stylegan2={DIGITS}", *NEAR, "--metric", "ppl"],
                  ["ppl2_wend: 50,000 paths of each model", "table.csv", "table.png"]),
    "separability": ([DIGITS, *CLASSIFIER], ["Classifying 200,000 pictures", "attributes.csv"]),
    "spectrum": ([DIGITS, "builtin:digits"], ["Transforming 2,000 pictures", "spectra.png"]),
    "train": (["--data", "builtin:digits", "--config", "stylegan2-small", "--kimg", "1"],
              ["Training stylegan2-small: 1,000 pictures to be shown, batch 32", "report.html",
               "builtin:digits: 1,498 pictures, 32x32, colour, no labels", "fakes.png",
               "Beginning at picture 0 of 1 kimg", "losses.png", "contributions.png"]),
    "tune": (["{model}", "{projections}", *NEAR],
             ["Tuning to 2 pictures, 350 steps", "tuning.safetensors", "anna/tuned.png"]),
}  # fmt: skip


@pytest.fixture
def things(saved, small, tmp_path):
    """What the commands read, by the names in RUNS."""
    pics = tmp_path / "pics"
    pics.mkdir()
    Image.new("RGB", (32, 32), "gray").save(pics / "face.png")
    points = tmp_path / "points.csv"
    points.write_text(
        "picture,left_eye_x,left_eye_y,right_eye_x,right_eye_y,left_mouth_x,left_mouth_y,"
        "right_mouth_x,right_mouth_y\nface.png,10,12,22,12,11,22,21,22\n"
    )
    projections = tmp_path / "projections"
    shutil.copytree(saved / "projections", projections)
    for folder in projections.iterdir():
        save_image(folder / "target.png", torch.zeros(small.channels, 32, 32))
    latentlab.save(make_stylegan3(), tmp_path / "stylegan3.safetensors")
    return {"pics": pics, "points": points, "projections": projections,
            "stylegan3": tmp_path / "stylegan3.safetensors",
            "model": saved / "model.safetensors",
            "directions": saved / "directions.safetensors"}  # fmt: skip


def run(command, things, *more):
    arguments = [each.format(**things) for each in RUNS[command][0]]
    return CliRunner().invoke(main, [command, *arguments, "--dry-run", *map(str, more)])


def test_r05_every_dry_run_is_listed_here():
    having = {name for name, command in main.commands.items()
              if any("--dry-run" in option.opts for option in command.params)}  # fmt: skip
    assert set(RUNS) == having


@pytest.mark.parametrize("command", sorted(RUNS))
def test_r05_a_dry_run_is_readable_and_writes_nothing(command, things, tmp_path):
    out = tmp_path / "out"
    done = run(command, things, "-o", out)
    assert done.exit_code == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "This is a dry run; nothing has been written."
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert {"work", "device", "output", "settings"} <= set(heads)
    # No pictures are made, or others' networks look at them.
    if command not in ("align", "directions", "fidelity", "inversion-report"):
        assert {"time", "memory"} <= set(heads)
    text = " ".join(done.stdout.split())
    assert f"{out}, a folder that would be made" in text
    for words in RUNS[command][1]:
        assert words in text
    assert "{" not in text
    assert "None" not in text
    assert "models: " not in text  # they have lines of their own
    assert not out.exists()


@pytest.mark.parametrize("command", sorted(RUNS))
def test_json_beside_a_dry_run_holds_the_same(command, things, tmp_path):
    out = tmp_path / "out"
    done = run(command, things, "--json", "-o", out)
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    plan = facts.pop("plan")
    assert facts
    assert RUNS[command][1][0] in plan["work"][0]
    assert plan["output"] == str(out)
    assert plan["files"]
    assert plan["existing"] == []


def test_json_alone_is_a_usage_error(tmp_path):
    done = CliRunner().invoke(main, ["ppl", "m", "--json", "-o", str(tmp_path / "o")])
    assert (done.exit_code, "--json goes with --dry-run" in done.stderr) == (2, True)


def test_what_is_there_already_is_marked(things, tmp_path):
    (tmp_path / "report.csv").touch()
    done = run("ppl", things, "--overwrite", "-o", tmp_path)
    assert f"{tmp_path}, a folder that is there already" in done.stdout
    assert "  report.csv, there already\n" in done.stdout
    assert "  histogram.png\n" in done.stdout


def test_what_cannot_be_used_is_named(things, tmp_path):
    (things["pics"] / "bad.png").write_text("no picture")
    done = run("project", things, "-o", tmp_path / "out")
    assert done.exit_code == 4
    assert "1 picture left, 0 done already" in done.stdout
    assert "refused: " in done.stdout
    assert "bad.png" in done.stdout


@pytest.mark.parametrize("command", ["ppl", "compare", "attribution", "project", "tune"])
def test_missing_weights_are_named_and_not_fetched(command, things, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetched"))
    done = run(command, things, "--distance", "lpips-alex", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("missing"))
    assert "alexnet-" in line
    assert str(tmp_path / "cache") in line
    assert ", and more for lpips-alex" in done.stdout


VIDEOS = {
    "interpolate": ["--video", "w.mp4"], "edit": ["--video", "w.mp4"],
    "project": ["--video", "w.mp4"],
}  # fmt: skip


def test_every_command_with_a_video_is_listed_here():
    having = {name for name, command in main.commands.items()
              if any("--video" in option.opts for option in command.params)}  # fmt: skip
    assert set(VIDEOS) == having


@pytest.mark.parametrize("command", VIDEOS)
def test_a_missing_ffmpeg_is_named(command, things, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    done = run(command, things, *VIDEOS[command], "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("missing"))
    assert ".mp4 needs ffmpeg, which cannot be found" in line
    refused = CliRunner().invoke(main, [
        command, *(each.format(**things) for each in RUNS[command][0]), *VIDEOS[command],
        "-o", str(tmp_path / "out"),
    ])  # fmt: skip
    assert (refused.exit_code, ".mp4 needs ffmpeg" in refused.stderr) == (2, True)


def test_missing_weights_of_fidelity_are_named(things, tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    done = run("fidelity", things, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert "which would be fetched" in done.stdout


def test_time_and_memory_are_those_of_all_tasks(monkeypatch, capsys, tmp_path):
    guesses = {"a": Estimate(40, 2 * 10**9), "b": Estimate(80, 10**9), "c": None}
    monkeypatch.setattr(dry_run, "estimate", lambda task: guesses[task.verb])
    tasks = [Task(verb, 1, "x") for verb in guesses]
    with click.Context(click.Command("c")):
        tell_dry_run(DryRun(tasks, tmp_path, [], "cpu"), {"rate": 1e-5, "on": True, "names": []})
    told = capsys.readouterr().out
    assert "time        about 2 min\n" in told
    assert "memory      about 2.0 GB\n" in told
    assert "settings    rate: 1e-05\n            on: yes\n            names: none\n" in told


def test_a_path_is_never_broken_into_lines(capsys):
    folder = Path("a folder with a long name " * 8)
    tell_dry_run(DryRun([], folder, [folder / "x y.png"], "cpu"), {})
    assert f"{folder}, a folder" in capsys.readouterr().out


def test_the_model_of_a_dry_run_is_told(things, tmp_path):
    done = run("ppl", things, "-o", tmp_path / "out")
    assert f"{DIGITS}: StyleGAN2" in done.stdout
    facts = json.loads(run("ppl", things, "--json", "-o", tmp_path / "out").stdout)
    assert facts["models"][0]["sha256"] == latentlab.load(DIGITS).sha256
