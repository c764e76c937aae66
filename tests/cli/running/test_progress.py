"""Progress on terminals, in files, and in dumb terminals."""

import io
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cli.main import main
from cli.running.progress import ProgressBar
from latentlab.images import save_image


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def shown(stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", stream)
    with ProgressBar(10, "making", "picture") as bar:
        bar.advance(4, loss=0.5)
        bar.move_to(10)
    return stream.getvalue()


def test_r06_a_file_gets_whole_lines(monkeypatch):
    text = shown(io.StringIO(), monkeypatch)
    assert "\r" not in text
    assert "\x1b" not in text
    first, *_, last = text.splitlines()
    assert first.startswith("making: 0% (0 of 10; ")
    assert last.startswith("making: 100% (10 of 10; ")
    assert "loss=0.5" in last


def test_time_left_is_said_where_there_is_any_and_it_is_known(monkeypatch):
    now, stream = [0.0], io.StringIO()
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr("sys.stderr", stream)
    with ProgressBar(10, "making", "picture") as bar:
        for _ in range(2):
            now[0] += 60
            bar.advance(5)
    assert stream.getvalue().splitlines() == [
        "making: 0% (0 of 10; 00:00 gone)",
        "making: 50% (5 of 10; 01:00 gone, 01:00 left)",
        "making: 100% (10 of 10; 02:00 gone)",
    ]


def test_a_new_label_stands_as_the_first(monkeypatch):
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr("sys.stderr", stream)
        with ProgressBar(2, "making", "picture") as bar:
            bar.rename("picture 2 of 2")
            bar.advance(2)
        assert "picture 2 of 2: 100%" in stream.getvalue()


def test_a_dumb_terminal_is_taken_as_a_file(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = shown(Terminal(), monkeypatch)
    assert "\r" not in text
    assert "\x1b" not in text


def test_a_terminal_has_a_bar_that_moves_and_has_no_colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown(Terminal(), monkeypatch)
    assert "\r" in text
    assert "\x1b" not in text  # whatever NO_COLOR says


MODEL = "builtin:digits-stylegan2"
LINES = [
    f"generate {MODEL} --seeds 0-3",
    f"mix {MODEL} --rows 0 --cols 1 --layers 0-1",
    f"interpolate {MODEL} --seeds 0,1 --frames 2",
    f"ppl {MODEL} --distance builtin:digits --samples 8",
    f"separability {MODEL} --classifier builtin:digits-classifier --samples 40 --space w",
    f"droplets {MODEL} --samples 4",
    f"noise {MODEL} --samples 1 --draws 2",
    f"contributions {MODEL} --samples 4",
    f"directions {MODEL} --samples 50 --components 2",
    f"project {MODEL} {{folder}} --distance builtin:digits --steps 2",
    f"attribution {MODEL} {{folder}} --distance builtin:digits --steps 2 --generated 2",
    "train --data {folder} --config stylegan2-small --kimg 0.01 --batch 4 --channels 1",
]


@pytest.mark.parametrize("line", LINES, ids=[line.split()[0] for line in LINES])
@pytest.mark.filterwarnings("ignore")  # the samples are few on purpose
def test_a_redirected_log_holds_lines_only(line, tmp_path):
    main(["generate", MODEL, "--seeds", "0-1", "-o", str(tmp_path / "set")], standalone_mode=False)
    (tmp_path / "set" / "grid.png").unlink(missing_ok=True)
    words = line.format(folder=tmp_path / "set").split()
    plain_log([*words, "-o", str(tmp_path / "out")])


@pytest.mark.parametrize("line", [
    "align {picture} --landmarks {points} --size 8 --max-upscale 99 -o {out}",
    "edit {model} --seeds 0 --directions {saved}/directions.safetensors --direction smile -o {out}",
    "tune {model} {projection} --steps 1 --distance builtin:digits -o {out}",
    "train-classifier {out}.safetensors --epochs 1",
    "convert {model} {out}.safetensors",
], ids=lambda line: line.split()[0])  # fmt: skip
def test_so_do_those_of_other_work(line, saved, small, tmp_path):
    points = tmp_path / "points.csv"
    points.write_text(
        "picture,left_eye_x,left_eye_y,right_eye_x,right_eye_y,left_mouth_x,left_mouth_y,"
        "right_mouth_x,right_mouth_y\nface.png,10,12,22,12,11,22,21,22\n"
    )
    Image.new("RGB", (32, 32), "gray").save(tmp_path / "face.png")
    projection = Path(shutil.copytree(saved / "projections" / "anna", tmp_path / "anna"))
    save_image(projection / "target.png", torch.zeros(small.channels, 32, 32))
    plain_log(line.format(
        projection=projection, picture=tmp_path / "face.png", points=points, saved=saved,
        model=saved / "model.safetensors", out=tmp_path / "out",
    ).split())  # fmt: skip


def plain_log(arguments):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert done.stderr.strip()
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
