"""What holds for every command: options that do not exist and files that are missing, in a line."""

import pytest
from click.testing import CliRunner

from cli.main import main

NEAR = "--distance builtin:digits"
# By command: a line whose first file is missing, and the exit code: a checkpoint, or other inputs.
MISSING = {
    "align": ("none.png --landmarks none.csv -o out", 4),
    "attribution": (f"none.pkl none.png {NEAR} -o out", 3),
    "card": ("none.pkl card.md", 3),
    "compare": (f"none.pkl none.pt {NEAR} -o out", 3),
    "contributions": ("none.pkl -o out", 3),
    "convert": ("none.pkl new.safetensors", 3),
    "convert-latents": ("none.npz new.npy", 4),
    "directions": ("none.pkl -o out", 3),
    "droplets": ("none.pkl -o out", 3),
    "edit": ("none.pkl --seeds 0 --directions none --direction x -o out", 3),
    "equivariance": ("none.pkl -o out", 3),
    "fidelity": ("none.pkl --data builtin:digits -o out", 3),
    "generate": ("none.pkl --seeds 0 -o out", 3),
    "info": ("none.pkl", 3),
    "interpolate": ("none.pkl --seeds 0-1 -o out", 3),
    "inversion-report": ("none -o out", 4),
    "mix": ("none.pkl --rows 0 --cols 1 -o out", 3),
    "noise": ("none.pkl -o out", 3),
    "paste-back": ("none -o out", 4),
    "ppl": (f"none.pkl {NEAR} -o out", 3),
    "project": (f"none.pkl none.png {NEAR} -o out", 3),
    "reproduce": (f"stylegan2-table3 none.pkl --metric ppl {NEAR} -o out", 3),
    "separability": ("none.pkl --classifier builtin:digits-classifier -o out", 3),
    "spectrum": ("none.pkl -o out", 3),
    "train": ("--data none --config stylegan2-small -o out", 4),
    "tune": (f"none.pkl none {NEAR} -o out", 3),
}
READ_NOTHING = {"completion", "demo", "train-classifier"}


def check_one_line(done, code, words, folder):
    assert done.exit_code == code, done.stderr
    assert isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", sorted(main.commands))
def test_r05_an_unknown_option_is_named(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [command, "--frobnicate"])
    check_one_line(done, 2, "--frobnicate", tmp_path)


def test_r05_every_command_that_reads_is_listed_here():
    assert set(main.commands) == set(MISSING) | READ_NOTHING


@pytest.mark.parametrize("command", MISSING)
def test_r05_a_missing_file_is_named(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line, code = MISSING[command]
    done = CliRunner().invoke(main, [command, *line.split()])
    check_one_line(done, code, "none", tmp_path)
