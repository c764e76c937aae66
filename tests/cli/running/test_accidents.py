"""What is nobody's mistake ends a command in one line and an exit code."""

import errno
import os

import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from cli.running.accidents import told_as
from latentlab import OutputError

GENERATE = ["generate", "builtin:digits-stylegan2", "--seeds", "0", "-o"]


@pytest.mark.parametrize("error", [
    MemoryError(), torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("could not create a primitive"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't "
                 "allocate memory: you tried to allocate 4398046511104 bytes."),
])  # fmt: skip
def test_memory_that_runs_out_is_said_in_a_line(error, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("cli.rendering.generated.z_from_seeds", fail)
    found = CliRunner().invoke(main, [*GENERATE, str(tmp_path / "out")])
    last = found.stderr.splitlines()[-1]
    assert found.exit_code == 1
    assert last.startswith("Error: memory has run out (")
    assert last.endswith("); end other programs")  # there is no --batch that could be lowered


def test_torch_says_so_on_this_system():
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert told_as(caught.value) is not None


def test_a_file_that_may_not_be_used_is_named():
    found = told_as(PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a/b.pkl"))
    assert found is not None
    assert (found.exit_code, str(found).startswith("a/b.pkl: may not be used (")) == (4, True)


def test_a_name_that_no_file_can_have_is_named():
    found = CliRunner().invoke(main, ["train", "--data", "a" * 300, "--dry-run", "-o", "x"])
    assert found.exit_code == 4, found.stderr
    assert "aaa" in found.stderr.splitlines()[-1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EFBIG])
def test_an_output_that_cannot_grow_is_named(number):
    found = told_as(OSError(number, os.strerror(number), "out/a.csv"))
    assert isinstance(found, OutputError)
    assert "out/a.csv" in str(found)


@pytest.mark.parametrize("error", [
    ValueError("x"), RuntimeError("x"), OSError("x"), FileNotFoundError(2, "No such file", "x"),
])  # fmt: skip
def test_what_shows_a_mistake_keeps_its_traceback(error):
    assert told_as(error) is None
