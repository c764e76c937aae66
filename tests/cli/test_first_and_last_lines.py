"""What commands say at once, and what they say at the end to open first."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.images import save_image

NEAR = ["--distance", "builtin:digits"]
RUNS = {  # the arguments, the words of the announcement, and the file to open first
    "generate": (["{m}", "--seeds", "0-2"], "Rendering 3 pictures, on cpu with", "grid.png"),
    "mix": (["{m}", "--rows", "0", "--cols", "1"], "Rendering 3 pictures, on cpu", "grid.png"),
    "interpolate": (["{m}", "--seeds", "0-1", "--frames", "2"], "Rendering 3 frames", "strip.png"),
    "edit": (["{m}", "--seeds", "0", "--directions", "{d}", "--direction", "smile"],
             "Rendering 5 frames", "seed0000.png"),
    "project": (["{m}", "{p}", *NEAR, "--steps", "3"],
                "Projecting 1 picture into W, 3 steps, on", "comparison.png"),
    "ppl": (["{m}", *NEAR, "--samples", "8", "--html"], "Measuring 8 paths", "report.html"),
    "droplets": (["{m}", "--samples", "8"], "Searching 8 pictures", "heat.png"),
    "contributions": (["{m}", "--samples", "8"], "Measuring 8 latents", "contributions.png"),
    "directions": (["{m}", "--samples", "64"], "Sampling 64 latents", "directions.png"),
    "noise": (["{m}", "--samples", "2", "--draws", "4"],
              "Varying the noise of 2 latents, 4 draws each", "deviation.png"),
    "attribution": (["{m}", "{p}", "{q}", *NEAR, "--steps", "2"],
                    "Projecting 4 pictures, 2 steps each", "histogram.png"),
}  # fmt: skip


@pytest.fixture
def things(saved, tmp_path):
    for i, name in enumerate("pq"):
        save_image(tmp_path / f"{name}.png", torch.full((3, 32, 32), 0.1 * i))
    return {"m": saved / "model.safetensors", "d": saved / "directions.safetensors",
            "p": tmp_path / "p.png", "q": tmp_path / "q.png"}  # fmt: skip


@pytest.mark.parametrize("command", sorted(RUNS))
def test_a_command_says_what_it_opens_does_and_leaves(command, things, tmp_path):
    arguments, words, first = RUNS[command]
    out = tmp_path / "out"
    arguments = [each.format(**things) for each in arguments]
    done = CliRunner().invoke(main, [command, *arguments, "-o", str(out)])
    assert done.exit_code == 0, done.stderr
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if line]
    opening, what, announced = lines[:3]
    assert opening == f"Opening {things['m']} ..."
    assert what.startswith(f"{things['m']}: StyleGAN2")
    assert what.endswith(", 32x32")
    assert words in announced
    assert lines[-1] == f"Open {out / first}"
    assert (out / first).is_file()
    assert done.stdout == ""


def test_a_missing_file_is_not_being_opened(tmp_path):
    done = CliRunner().invoke(main, ["ppl", str(tmp_path / "no.pkl"), "-o", str(tmp_path / "o")])
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: ")


def test_a_log_of_a_refused_command_holds_the_error_alone(things, tmp_path):
    (tmp_path / "w.npz").write_text("no latents")
    options = ["--projected-w", str(tmp_path / "w.npz"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, ["generate", str(things["m"]), *options])
    assert done.exit_code == 4
    assert done.stderr.startswith("Error: ")


def test_classes_are_told(tmp_path):
    from cli.models import in_a_line
    from tests.conftest import make_generator

    latentlab.save(make_generator(c_dim=3), tmp_path / "m.safetensors")
    opened = latentlab.load(tmp_path / "m.safetensors")
    assert in_a_line(opened, "m").endswith(", 16x16, 3 classes")


def test_converting_says_so_on_stderr(things, tmp_path):
    out = tmp_path / "new.safetensors"
    done = CliRunner().invoke(main, ["convert", str(things["m"]), str(out)])
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == f"Opening {things['m']} ..."
    assert Path(done.stderr.splitlines()[-1].removeprefix("Saved ")).is_file()


@pytest.mark.parametrize(("least", "said"), [(10**8, ""), (10, "Opening {m} ...\n")])
def test_info_says_that_it_opens_a_large_file(things, least, said, monkeypatch):
    monkeypatch.setattr("cli.commands.info._LARGE", least)
    done = CliRunner().invoke(main, ["info", str(things["m"])])
    assert done.stderr == said.format(**things)
