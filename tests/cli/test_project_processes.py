"""A folder shared by two processes that torchrun starts: the files of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from latentlab.digits import digits
from tests.cli.test_project import project, rows
from tests.cli.test_project_folders import contents

ROOT = Path(__file__).parents[2]
MODEL = "builtin:digits-stylegan2"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, pixels in enumerate(digits("held-out")[0][:7]):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"no picture")  # the second process's
    return folder


def together(tmp_path, *arguments):
    """Run the command line in two processes; returns exit code and what they said."""
    script = tmp_path / "command.py"
    script.write_text("from cli.main import main\nmain(prog_name='latentlab')\n")
    run = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
        "--nproc-per-node", "2", str(script), *map(str, arguments),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(run, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate(timeout=120)
    finally:
        process.terminate()  # torchrun ends its processes, which are groups of their own
        process.wait(timeout=30)
    return process.returncode, said


def test_two_processes_write_the_files_of_one(photos, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    options = ["--batch", 1, "--device", "cpu"]
    code, said = together(
        tmp_path, "project", MODEL, photos, *options, "--distance", "builtin:digits",
        "--steps", 4, "-o", two,
    )  # fmt: skip
    assert code != 0, "a picture was refused"
    assert said.count("6 of 7 pictures projected") == 1, said
    assert said.count("Left out:") == 1
    assert project(MODEL, photos, *options, "-o", one, steps=4).exit_code == 4
    assert contents(two) == contents(one)
    statuses = [row["status"] for row in rows(two / "report.csv")]
    assert statuses == ["ok"] * 3 + ["refused"] + ["ok"] * 3
