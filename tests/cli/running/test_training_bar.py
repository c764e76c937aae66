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
SCRIPT = f"""
import time
from cli.running import training_bar
training_bar._QUIET_PAUSE = training_bar._PAUSE = 0.01
with training_bar.TrainingBar(25_000_000) as bar:
    bar.begin(24_000_000)
    for i in range(1, 5):
        time.sleep(0.02)
        bar.move_to(24_000_000 + 32 * i, {LOSSES})
"""
LINE = re.compile(
    r"training: 96\.0% 24000\.[01]/25000\.0 kimg, (\?|[\d:]+) left, [\d.]+ img/s"
    r"(, G 0\.812, D -12\.3)?"
)


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
    plain_lines(said())


def test_a_dumb_terminal_is_taken_as_a_file():
    plain_lines(said(80, "dumb").replace("\r\n", "\n"))  # a terminal's own ends of lines


def plain_lines(text):
    assert text.isprintable() or set(text) - {"\n"} <= set(map(chr, range(32, 127)))
    lines = text.splitlines()
    assert len(lines) > 1
    assert len(set(lines)) == len(lines)
    assert all(LINE.fullmatch(line) for line in lines), lines


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
