"""Clocks that jump, a machine without network and without published weights."""

import ast
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from cli.running import invocation
from latentlab import CheckpointError, perceptual_distance

ROOT = Path(__file__).parents[2]
# Who asks for the time of day: what stands in manifests and on pages, in the record of a file that
# was fetched, and beside a lock, to say who holds it since when.
DATED = {"cli/running/invocation.py", "latentlab/downloads/cache.py", "latentlab/locks.py"}
CLOCK = {"now", "utcnow", "today", "time_ns", "localtime", "gmtime", "ctime", "strftime"}


def asks_the_clock(node):
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in CLOCK or ast.unparse(node.func) == "time.time"


def test_j17_nothing_but_dates_comes_from_the_clock():
    """Durations and pauses go by clocks that never jump; the time of day decides nothing."""
    asking = set()
    for room in ("latentlab", "metrics", "cli"):
        for file in (ROOT / room).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "time" in text and any(map(asks_the_clock, ast.walk(ast.parse(text)))):
                asking.add(file.relative_to(ROOT).as_posix())
    assert "cli/running/invocation.py" in asking
    assert asking - DATED == set()


def contents(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*")
            if file.is_file() and file.name != "manifest.json"}  # fmt: skip


def test_j17_no_name_and_no_number_depends_on_the_time(tmp_path, monkeypatch):
    line = ["mix", "builtin:digits-stylegan2", "--rows", "0", "--cols", "1", "-o"]
    made = []
    for year in (2099, 1970):  # the clock goes back, past the results that are there

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None, year=year):
                return cls(year, 3, 29, 2, 30, tzinfo=tz or UTC)

        monkeypatch.setattr(invocation, "datetime", Clock)
        done = CliRunner().invoke(main, [*line, str(tmp_path / str(year))])
        assert done.exit_code == 0, done.stderr
        assert str(year) in (tmp_path / str(year) / "manifest.json").read_text()
        made.append(contents(tmp_path / str(year)))
    assert made[0] == made[1]
    assert not {name for name in made[0] if "2099" in name or "1970" in name}


def test_j17_without_network_the_missing_file_is_told_with_its_place_and_address(
    tmp_path, monkeypatch
):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(CheckpointError) as caught:
        perceptual_distance("lpips-alex")
    message, folder = str(caught.value), tmp_path / "hub" / "checkpoints"
    for words in (str(folder), "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"):
        assert words in message
    assert list(folder.iterdir()) == []  # no part of it either


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_j17_a_gpu_that_is_not_there_is_a_usage_error(tmp_path):
    line = ["generate", "builtin:digits-stylegan2", "--seeds", "0", "--device", "cuda"]
    done = CliRunner().invoke(main, [*line, "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "--device" in done.stderr
    assert not (tmp_path / "out").exists()
