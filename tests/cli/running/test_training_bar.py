"""The bar of a training run: what it says, that it fits, and that files get plain lines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running.training_bar import TrainingBar, in_kimg

ROOT = Path(__file__).parents[3]
LOSSES = {"g_loss": 0.81234, "d_loss": -12.3456, "real_score": 3.0, "r1_penalty": 0.1}
# The clock is the script's own, and goes on a second with each step of 32 pictures.
SCRIPT = f"""
import tqdm.std
from cli.running import training_bar
now = 0.0
tqdm.std.time = lambda: now
training_bar._QUIET_PAUSE = training_bar._PAUSE = 0.01
with training_bar.TrainingBar(25_000_000) as bar:
    bar.begin(24_000_000)
    for i in range(1, 5):
        now += 1.0
        bar.move_to(24_000_000 + 32 * i, {LOSSES})
"""
LINES = [
    "training: 96.0% 24000.0/25000.0 kimg, 0 img/s",
    *(f"training: 96.0% 2400{place}/25000.0 kimg, 8:40:{left} left, 32 img/s, G 0.812, D -12.3"
      for place, left in (("0.0", 49), ("0.1", 48), ("0.1", 47), ("0.1", 46))),
]  # fmt: skip


def said(columns=None, terminal="xterm"):
    """Run the script in a terminal of so many columns, or in a pipe."""
    env = os.environ | {"TERM": terminal}
    command = {"args": [sys.executable, "-c", SCRIPT], "cwd": ROOT, "env": env}
    if columns is None:
        return subprocess.run(**command, stderr=subprocess.PIPE, text=True, check=True).stderr
    fcntl, pty, struct, termios = map(pytest.importorskip, ("fcntl", "pty", "struct", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(**command, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:  # Linux's way of saying that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return text.decode()


@pytest.mark.parametrize("columns", [80, 40])
def test_the_bar_fits_the_terminal(columns):
    lines = [line for line in re.split(r"[\r\n]", said(columns)) if line.strip()]
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns
    assert "| 24000.1/25000.0" in lines[-1]
    if columns == 80:
        assert " left, " in lines[-1]
        assert "G 0.812, D -12" in lines[-1]


def test_a_file_gets_whole_lines_without_escape_codes():
    assert said() == "".join(f"{line}\n" for line in LINES)


def test_a_dumb_terminal_is_taken_as_a_file():
    assert said(80, "dumb") == "".join(f"{line}\r\n" for line in LINES)  # a terminal's own ends


def test_progress_is_in_tenths_of_kimg_and_of_short_runs_in_all_digits():
    assert in_kimg(640_320, 25_000_000) == "640.3/25000.0 kimg"
    assert in_kimg(8, 16) == "0.008/0.016 kimg"


def test_the_last_step_may_go_beyond_the_end(capsys):
    with TrainingBar(1500) as bar:
        bar.begin(1472)
        bar.move_to(1504, {})
    assert capsys.readouterr().err.splitlines()[-1].startswith("training: 100.0% 1.5/1.5 kimg")


def test_hidden_bars_and_runs_with_nothing_to_do_say_nothing(capsys):
    with TrainingBar(100, hidden=True) as bar:
        bar.begin(0)
        bar.move_to(8, LOSSES)
    with TrainingBar(100):
        pass
    assert capsys.readouterr().err == ""
