"""A folder shared by two processes that torchrun starts: the files of one."""

import subprocess

import pytest
import torch
from PIL import Image

from latentlab.datasets.digits import digits
from tests.cli.commands.test_project import project, rows
from tests.cli.projecting.test_project_folders import contents
from tests.support.torchrun import finish, start

MODEL = "builtin:digits-stylegan2"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, pixels in enumerate(digits("held-out")[0][:7]):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"no picture")  # the second process's
    return folder


@pytest.fixture
def one_thread():
    """As torchrun's processes have: sums of another number of threads round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_two_processes_write_the_files_of_one(photos, tmp_path, one_thread):
    one, two = tmp_path / "one", tmp_path / "two"
    options = ["--batch", 1, "--device", "cpu", "--html"]
    command = ["-m", "cli", "project", MODEL, photos, *options, "--distance", "builtin:digits"]
    code, said = finish(start(*command, "--steps", 4, "-o", two, stderr=subprocess.PIPE))
    assert code != 0, "a picture was refused"
    assert said.count("6 of 7 pictures projected") == 1, said
    assert said.count("Left out:") == 1
    assert project(MODEL, photos, *options, "-o", one, steps=4).exit_code == 4
    assert contents(two) == contents(one)
    statuses = [row["status"] for row in rows(two / "report.csv")]
    assert statuses == ["ok"] * 3 + ["refused"] + ["ok"] * 3
    assert "6 of 7 pictures projected" in (two / "report.html").read_text(), "the main one's"
