"""Equal content gives equal bytes, whatever the day and the order in which Python hashes texts."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.outputs.kinds import OUTPUTS, write_all

ROOT = Path(__file__).parents[2]


def digests(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One file of every kind, written once."""
    folder = tmp_path_factory.mktemp("first")
    write_all(folder)
    return folder


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_file_that_is_written_again_another_day_is_the_same(name, written, tmp_path, monkeypatch):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400 * 40)
    OUTPUTS[name](tmp_path / name)
    first, again = digests(written), digests(tmp_path)
    assert again
    assert again == {file: first[file] for file in again}


def test_a_process_that_hashes_otherwise_writes_the_same(written, tmp_path):
    """Sets of texts come in another order there, and so does what Rust's libraries hold."""
    command = [sys.executable, "-m", "tests.outputs.kinds", str(tmp_path)]
    settings = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=settings, cwd=ROOT, check=True)
    assert digests(tmp_path) == digests(written)
