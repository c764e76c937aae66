"""Folders that go away or may not be written; memory that runs out."""

from dataclasses import replace

import pytest

from tests.faults.commands import Accident
from tests.faults.folders import mounted, remounted_read_only
from tests.faults.jobs import JOBS, Job

GENERATE = Job(lambda folder: ["generate", folder / "g.safetensors", "--seeds", "0-9"])
WORK = {
    "generate": GENERATE,
    "train": JOBS["train"],
    "project": JOBS["project"],
    "ppl": JOBS["ppl"],
}
MEGABYTE = 2**20


@pytest.fixture
def ended(server, inputs, tmp_path):
    """Returns a function that runs a job in a folder; the one line that says what is wrong."""

    def run(name, code, folder=tmp_path, **accident):
        job = WORK[name]
        found = server.run(
            [*job.words(inputs), "-o", "out"], folder / "out",
            replace(Accident(**accident), patches=job.patches), folder,
        )  # fmt: skip
        assert "Traceback" not in found.stderr
        assert found.code == code, found.stderr
        if code == 0:
            return ""
        (line,) = [each for each in found.stderr.splitlines() if each.startswith("Error:")]
        return line

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_j15_a_folder_that_is_deleted_meanwhile_ends_in_a_line(name, ended, tmp_path):
    assert "out" in ended(name, 6, at_operation=31, action="delete")
    assert list(tmp_path.rglob(".tmp-*")) == []
    assert ended(name, 0) == ""  # and the same command does all of it


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_j15_a_file_system_that_is_read_only_is_told_before_the_work(name, ended, tmp_path):
    with mounted(tmp_path / "small", MEGABYTE) as folder:
        (folder / "out").mkdir()
        remounted_read_only(folder)
        assert "out" in ended(name, 6, folder=folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "ppl"])
def test_memory_that_runs_out_ends_in_a_line_and_the_same_command_goes_on(name, ended, tmp_path):
    assert "memory" in ended(name, 1, memory_bytes=10 * MEGABYTE)
    assert list((tmp_path / "out").rglob(".tmp-*")) == []
    assert ended(name, 0) == ""
